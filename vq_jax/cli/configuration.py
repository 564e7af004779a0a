"""From the words of a command line to the configuration of an experiment."""

import os
import sys
from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags

from vq_jax.errors import InputError

# What a configuration file, its variant or an override may raise.
BAD_CONFIG = (
    *(flags.Error, AttributeError, KeyError, OSError),
    *(SyntaxError, TypeError, ValueError),
)


def load_config(path: str, overrides: Sequence[str]) -> ConfigDict:
    """The configuration of a file, with some fields replaced; locked.

    Args:
        path: of the file, with its variant where it has one: `FILE.py:VARIANT`.
        overrides: words of the command line, as `--config.a.b=value`.

    Raises:
        InputError: there is no such file, variant or field, a value has the wrong type,
            or a word is no override.
    """
    values = flags.FlagValues()
    words = ["vq-jax", f"--config={path}", *overrides]
    config_flags.DEFINE_config_file(
        "config", None, flag_values=values, sys_argv=words, help_string=""
    )
    # A configuration imports its neighbours as `configs.NAME`.
    sys.path.insert(0, os.getcwd())
    try:
        rest = values(words)[1:]
        values.config.keys()  # a file that failed to load raises only when used
    except BAD_CONFIG as error:
        raise InputError(_explain(error)) from error
    finally:
        sys.path.pop(0)
    if rest:
        raise InputError(f"unexpected arguments {rest}; flags look like --name=value.")
    return values.config


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
