"""The folder of a run, and JSON files in it that are whole or not there."""

import json

import jax
from etils import epath
from ml_collections import ConfigDict

from vq_jax.errors import InputError


def make_workdir(workdir: epath.PathLike) -> epath.Path:
    """The folder, made if need be and known to be writable.

    Raises:
        InputError: it cannot be written to.
    """
    workdir = epath.Path(workdir)
    probe = workdir / f".write_probe_{jax.process_index()}"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except (OSError, ImportError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"--workdir={workdir} cannot be written to ({reason}); choose a folder of "
            "your own."
        ) from error
    return workdir


def write_config(workdir: epath.PathLike, config: ConfigDict) -> None:
    """Writes `config.json`, for people and for `same_config`."""
    write_json(epath.Path(workdir) / "config.json", config.to_dict())


def same_config(workdir: epath.PathLike, config: ConfigDict) -> bool:
    """Whether the run in `workdir` was started with this very configuration."""
    path = epath.Path(workdir) / "config.json"
    wanted = json.loads(json.dumps(config.to_dict()))
    return path.exists() and json.loads(path.read_text()) == wanted


def write_json(path: epath.PathLike, content: dict) -> epath.Path:
    """Writes `content`, whole or not at all."""
    path = epath.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return replace_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def replace_text(path: epath.Path, text: str) -> epath.Path:
    """Writes a file, whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    return draft.replace(path)
