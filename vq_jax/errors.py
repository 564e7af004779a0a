"""The one exception that means: the user can fix this."""


class InputError(ValueError):
    """Bad input, found before any work was done.

    The message names the field, the value, the choices and the next action. Command
    line programs print it as one line and exit with code 2; every other exception is
    a defect of this library and keeps its traceback.
    """
