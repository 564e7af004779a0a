"""Arguments that several commands share."""

import argparse


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser of `vq-jax COMMAND`, with --workdir."""
    made = argparse.ArgumentParser(
        prog=f"vq-jax {command}", description=description, allow_abbrev=False
    )
    made.add_argument("--workdir", required=True, help="folder of a training run")
    return made
