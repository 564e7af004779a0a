"""The console script `vq-jax`: one command a file of this folder."""

import importlib
import sys
from collections.abc import Sequence

from vq_jax.cli import exits

# name -> (its file in this folder, what it does)
COMMANDS = {
    "train": (
        "train",
        "train whatever a configuration says, or go on with its training",
    ),
    "evaluate": (
        "evaluate",
        "metrics of a trained model over a split",
    ),
    "reconstruct": ("reconstruct", "pictures through the tokenizer and back"),
    "restore": ("restore", "noise, blur, JPEG or few pixels taken out of pictures"),
    "restyle": ("restyle", "pictures in the style of another one"),
    "sample": ("sample", "new images from a trained prior"),
    "compress": ("compress", "images to small files, coded by a tokenizer or a prior"),
    "decompress": ("decompress", "what compress wrote to images again"),
    "inpaint": ("inpaint", "a hole of an image filled by a prior or a restorer"),
    "detect": ("detect", "what is unlike normal images: scores, and maps of pixels"),
    "vary": ("vary", "a share of an image's codes drawn anew by a prior"),
    "interpolate": ("interpolate", "pictures between two images"),
    "augment": ("augment", "whether images of a prior help to train a classifier"),
    "tokenize": ("tokenize", "a data set or a folder of images to codes on disk"),
    "plan": ("plan", "what a step needs and costs on chips that are not there"),
    "compare": ("compare", "train configurations alike; a report of how they differ"),
    "compare-quantizers": (
        "compare_quantizers",
        "the same for families of quantizers, over sizes of their codebooks",
    ),
    "lpips": (
        "lpips",
        "convert PyTorch's weights of LPIPS, where the package is not to be had",
    ),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs `vq-jax COMMAND …` and exits with its code."""
    argv = sys.argv if argv is None else argv
    name = argv[1] if len(argv) > 1 else "--help"
    if name in ("-h", "--help"):
        exits.console().print(_usage(), soft_wrap=True)
        sys.exit(0)
    if name not in COMMANDS:
        exits.fail(f"vq-jax has no command {name!r}.\n{_usage()}")
    # Imported on demand: help need not wait for the others' imports.
    module = importlib.import_module(f"vq_jax.cli.{COMMANDS[name][0]}")
    module.main(argv[1:])
    sys.exit(0)


def _usage() -> str:
    lines = [f"  {name:<18} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: vq-jax COMMAND …; each command has --help", *lines])


if __name__ == "__main__":
    main()
