"""The experiments of configs/, and the tokenizers that those of priors name."""

import importlib
import pathlib
import re

from ml_collections import ConfigDict

import configs

NAMES = sorted(
    path.stem
    for path in pathlib.Path(configs.__file__).parent.glob("*.py")
    if path.stem != "__init__"
)


def config_of(name: str, variant: str = "") -> ConfigDict:
    """The configuration of configs/NAME.py."""
    return importlib.import_module(f"configs.{name}").get_config(variant)


def tokenizer_of(name: str, variant: str = "") -> ConfigDict:
    """The configuration of the tokenizer that the card of a prior names.

    It does so as runs/NAME, and NAME.py is what trains that; or it has the command,
    whose --workdir is the same.
    """
    card = importlib.import_module(f"configs.{name}").__doc__
    (workdir,) = set(re.findall(r"--config\.tokenizer=(\S+)", card))
    command = rf"configs/(\w+)\.py(?::(\S+))?[\s\\]+--workdir={re.escape(workdir)}\s"
    found = re.search(command, card)
    stem, own = found.groups() if found else (pathlib.Path(workdir).name, None)
    config = config_of(stem, ",".join(filter(None, (own, variant))))
    config.freeze = ()  # of its training alone, and of another run's parameters
    return config
