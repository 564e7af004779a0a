"""The console script `vq-jax`: one subcommand a file of this folder."""

import sys

from vq_jax.cli import exits

SUBCOMMANDS = {
    "train": "train a tokenizer, or go on with its training",
    "evaluate": "reconstruction metrics and codebook use over a split",
    "reconstruct": "pictures through the tokenizer and back",
    "compare": "train configurations alike; a report with numbers, curves, pictures",
    "compare-quantizers": "train families of quantizers alike; a table and a figure",
    "lpips": "convert PyTorch's weights of LPIPS, where the package is not to be had",
    "tokenize": "a data set or a folder of images to codes on disk",
}


def main(argv: list[str] | None = None) -> None:
    """Runs `vq-jax SUBCOMMAND …` and exits with its code."""
    argv = sys.argv if argv is None else argv
    name = argv[1] if len(argv) > 1 else "--help"
    if name in ("-h", "--help"):
        exits.console().print(_usage(), highlight=False)
        sys.exit(0)
    if name not in SUBCOMMANDS:
        exits.fail(f"vq-jax has no command {name!r}.\n{_usage()}")
    _run(name)(argv[1:])


def _run(name: str):
    # Imported on demand: `vq-jax --help` need not wait for jax.
    if name == "train":
        from vq_jax.cli.train import main
    elif name == "evaluate":
        from vq_jax.cli.evaluate import main
    elif name == "reconstruct":
        from vq_jax.cli.reconstruct import main
    elif name == "compare":
        from vq_jax.cli.compare import main
    elif name == "compare-quantizers":
        from vq_jax.cli.compare_quantizers import main
    elif name == "lpips":
        from vq_jax.cli.lpips import main
    else:
        from vq_jax.cli.tokenize import main
    return main


def _usage() -> str:
    lines = [f"  {name:<18} {text}" for name, text in SUBCOMMANDS.items()]
    return "\n".join(["usage: vq-jax COMMAND …; each command has --help", *lines])


if __name__ == "__main__":
    main()
