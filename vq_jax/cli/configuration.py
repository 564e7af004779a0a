"""From the words of a command line to the configuration of an experiment."""

import contextlib
import importlib.util
import os
import pathlib
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags

import vq_jax
from vq_jax.config import fields
from vq_jax.config.renamed import current_path
from vq_jax.errors import InputError

# What an override may raise.
BAD_OVERRIDE = (flags.Error, TypeError, ValueError)
NAME = "experiment"  # of a configuration as a module
OVERRIDE = re.compile(r"(--?(?:no)?config\.)([\w.]+)")


def load_config(path: str, overrides: Sequence[str]) -> ConfigDict:
    """The configuration of a file, with some fields replaced; locked.

    Fields that have moved are known by their old paths, too.

    Args:
        path: of the file, with its variant where it has one: `FILE.py:VARIANT`.
        overrides: words of the command line, as `--config.a.b=value`.

    Raises:
        InputError: there is no such file, variant or field, the file raises an error or
            returns no configuration, a field has no effect, a value has the wrong type,
            or a word is no override.
    """
    from vq_jax.training import inactive

    words = [OVERRIDE.sub(_current, word, count=1) for word in overrides]
    given = [match[2] for word in words if (match := OVERRIDE.match(word))]
    config = _read(path)
    for field in given:
        inactive.check_present(config, field)
        _check_known(config, field)
    values = flags.FlagValues()
    with _clear_errors():
        config_flags.DEFINE_config_dict(
            "config", config, flag_values=values, sys_argv=["", *words]
        )
        rest = values(["", *words])[1:]
    if rest:
        raise InputError(f"unexpected arguments {rest}; flags look like --name=value.")
    inactive.check_acts(values.config, given)
    return values.config


def _current(match: re.Match) -> str:
    return match[1] + current_path(match[2])


def _check_known(config: ConfigDict, path: str) -> None:
    """Raises InputError where the configuration has no field at `path`."""
    section, where = config, "config"
    for name in path.split("."):
        if not isinstance(section, ConfigDict):
            raise InputError(f"{where}={section!r} has no fields of its own.")
        fields.check_known(name, section, where)
        section, where = section[name], f"{where}.{name}"


def _read(path: str) -> ConfigDict:
    """What `get_config` of a file returns."""
    file, colon, variant = os.path.expanduser(path).partition(":")
    with _importable(pathlib.Path(file)), _errors_of_file(path):
        spec = importlib.util.spec_from_file_location(NAME, file)
        if spec is None:
            raise InputError(f"--config={path} must be a Python file, FILE.py:VARIANT.")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if not hasattr(module, "get_config"):
            raise InputError(f"--config={path} has no function get_config(variant).")
        config = module.get_config(*[variant] * bool(colon))
    if not isinstance(config, ConfigDict):
        raise InputError(
            f"--config={path}: get_config returns {type(config).__name__}; it has to "
            "be an ml_collections.ConfigDict."
        )
    return config


@contextlib.contextmanager
def _importable(file: pathlib.Path) -> Iterator[None]:
    """Lets a file import its neighbours, those here, and `configs` of this clone.

    Its neighbours are forgotten afterwards: another file's may have the same names.
    """
    root = file.absolute().parent
    while (root / "__init__.py").exists():  # a neighbour is configs.NAME, not NAME
        root = root.parent
    before, known = list(sys.path), set(sys.modules)
    sys.path[:0] = [str(root), os.getcwd()]
    # Where the library is installed without its configurations, nothing is there.
    sys.path.append(str(pathlib.Path(vq_jax.__file__).parents[1]))
    try:
        yield
    finally:
        sys.path[:] = before
        for name in set(sys.modules) - known:
            if _is_neighbour(sys.modules[name], root):
                del sys.modules[name]


def _is_neighbour(module, root: pathlib.Path) -> bool:
    """Whether a module lies below `root`, and is neither installed nor this library."""
    file = pathlib.Path(getattr(module, "__file__", None) or "/")
    others = (sysconfig.get_path("purelib"), pathlib.Path(vq_jax.__file__).parent)
    return file.is_relative_to(root) and not any(map(file.is_relative_to, others))


@contextlib.contextmanager
def _errors_of_file(path: str) -> Iterator[None]:
    """Turns whatever a configuration file raises into an InputError that says where."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(
            f"--config={path}: no such file as {error.filename}; paths start from the "
            f"current folder, {os.getcwd()}."
        ) from error
    except (Exception, SystemExit) as error:
        text = str(error).removesuffix(".")
        if isinstance(error, ImportError):
            text += "; set PYTHONPATH to the folder that has it"
        raise InputError(
            f"--config={path}: {text} ({type(error).__name__}{_line(error)})."
        ) from error


def _line(error: BaseException) -> str:
    """Where in the configurations an error comes from, not in what they call."""
    installed = [sysconfig.get_path(name) for name in ("stdlib", "purelib")]
    others = (__file__, "<", *installed)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(others):
            return f" in {frame.filename}, line {frame.lineno}"
    return ""


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    """Turns what parsing overrides raises into an InputError."""
    try:
        yield
    except BAD_OVERRIDE as error:
        raise InputError(_explain(error)) from error


def _explain(error: Exception) -> str:
    """The reason alone: config_flags puts reprs and whole tracebacks into messages."""
    if isinstance(error, flags.UnrecognizedFlagError):
        return f"no flag --{error.flagname}; fields look like --config.a.b=value."
    text = str(error.args[0] if error.args else error)
    last = [line.strip() for line in text.splitlines() if line.strip()][-1]
    return f"--config: {last.removeprefix('ValueError: ')}"
