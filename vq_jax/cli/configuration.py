"""From the words of a command line to the configuration of an experiment."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags

from vq_jax.config.renamed import current_path
from vq_jax.errors import InputError

# What a configuration file, its variant or an override may raise.
BAD_CONFIG = (
    *(flags.Error, AttributeError, KeyError, OSError),
    *(SyntaxError, TypeError, ValueError),
)
OVERRIDE = re.compile(r"(--?(?:no)?config\.)([\w.]+)")


def load_config(path: str, overrides: Sequence[str]) -> ConfigDict:
    """The configuration of a file, with some fields replaced; locked.

    Fields that have moved are known by their old paths, too.

    Args:
        path: of the file, with its variant where it has one: `FILE.py:VARIANT`.
        overrides: words of the command line, as `--config.a.b=value`.

    Raises:
        InputError: there is no such file, variant or field, a field has no effect, a
            value has the wrong type, or a word is no override.
    """
    from vq_jax.training import inactive

    words = [OVERRIDE.sub(_current, word, count=1) for word in overrides]
    fields = [match[2] for word in words if (match := OVERRIDE.match(word))]
    config = _read(path)
    for field in fields:
        inactive.check_present(config, field)
    values = flags.FlagValues()
    with _clear_errors():
        config_flags.DEFINE_config_dict(
            "config", config, flag_values=values, sys_argv=["", *words]
        )
        rest = values(["", *words])[1:]
    if rest:
        raise InputError(f"unexpected arguments {rest}; flags look like --name=value.")
    inactive.check_acts(values.config, fields)
    return values.config


def _current(match: re.Match) -> str:
    return match[1] + current_path(match[2])


def _read(path: str) -> ConfigDict:
    values, words = flags.FlagValues(), ["", f"--config={path}"]
    config_flags.DEFINE_config_file(
        "config", None, flag_values=values, sys_argv=words, help_string=""
    )
    # A configuration imports its neighbours as `configs.NAME`.
    sys.path.insert(0, os.getcwd())
    try:
        with _clear_errors():
            values(words)
            values.config.keys()  # a file that failed to load raises only when used
    finally:
        sys.path.pop(0)
    return values.config


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    """Turns what reading a file or parsing overrides raises into an InputError."""
    try:
        yield
    except BAD_CONFIG as error:
        raise InputError(_explain(error)) from error


def _explain(error: Exception) -> str:
    """The reason alone: config_flags puts reprs and whole tracebacks into messages."""
    if isinstance(error, flags.UnrecognizedFlagError):
        return f"no flag --{error.flagname}; fields look like --config.a.b=value."
    text = str(error.args[0] if error.args else error)
    if isinstance(error, AttributeError | KeyError):
        field = text.replace("\\n", " ").replace("\\'", "'").replace("\n", " ")
        return f"--config has no field {field.strip(chr(39))}"
    last = [line.strip() for line in text.splitlines() if line.strip()][-1]
    return f"--config: {last.removeprefix('ValueError: ')}"
