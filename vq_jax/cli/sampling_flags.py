"""The flags that say how a prior draws codes, the same in every command that draws."""

import argparse
from collections.abc import Collection

# name -> (type, help)
SETTINGS = {
    "temperature": (float, "of the logits; 0 takes the most likely code"),
    "top_k": (int, "number of codes to choose from; 0 is all"),
    "top_p": (float, "mass of codes to choose from, in (0, 1]"),
    "guidance": (float, "classifier-free, in LlamaGen's convention; 1 is none"),
    "guidance_schedule": (str, "constant, linear or cosine, from 1 to the above"),
    "guidance_power": (float, "of the cosine schedule"),
    "num_steps": (int, "of MaskGIT"),
    "order": (str, "in which MaskGIT settles codes: confidence, random, halton, …"),
    "choice_temperature": (float, "of MaskGIT's order by confidence"),
}


def add(
    parser: argparse.ArgumentParser, of: str = "", without: Collection[str] = ()
) -> None:
    """Adds a flag for each setting, without a default: the run has one.

    Args:
        parser: the command's.
        of: what their help begins with.
        without: settings that are left out, as the command's flag of that name is
            something else.
    """
    names = [name for name in SETTINGS if name not in without]
    for name in names:
        kind, text = SETTINGS[name]
        parser.add_argument(
            f"--{name}", type=kind, help=f"{of}{text}; default: the run's"
        )
    parser.set_defaults(sampling_flags=names)


def given(args: argparse.Namespace) -> dict:
    """Those that `add` added and the user gives, as `Sampler` takes them."""
    values = {name: getattr(args, name) for name in args.sampling_flags}
    return {name: value for name, value in values.items() if value is not None}
