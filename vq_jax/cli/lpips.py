"""vq-jax lpips --net=vgg16 --trunk=vgg16-397923af.pth --heads=vgg.pth"""

import argparse

from vq_jax.cli import exits
from vq_jax.pretrained.lpips import ARRAYS, install_torch


def main(argv: list[str] | None = None) -> None:
    """Converts the weights of LPIPS from PyTorch's files into the cache."""
    parser = argparse.ArgumentParser(
        prog="vq-jax lpips", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--net", required=True, choices=sorted(ARRAYS))
    parser.add_argument("--trunk", required=True, help="the net's file of torchvision")
    parser.add_argument("--heads", required=True, help="a file of lpips/weights/v0.1")
    args = parser.parse_args(argv[1:] if argv else None)
    with exits.clear_errors():
        path = install_torch(args.net, args.trunk, args.heads)
    exits.console().print(f"wrote {path}", soft_wrap=True)
