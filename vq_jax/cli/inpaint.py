"""Fills a hole of an image, of any size, with samples of a prior.

OUT/0.png, OUT/1.png, … are the samples, and OUT/together.png shows the image without
what is in the hole and then the samples. Pixels farther from the hole than --feather
are those of the image. Nothing of what stands in the hole is looked at. MaskGIT and
random_order fill any hole; a prior that draws row by row, only one that is all of the
image after some place.
"""

from collections.abc import Sequence

import numpy as np

from vq_jax.cli import arguments, compiled_programs, exits, image_files
from vq_jax.cli.sample import SETTINGS
from vq_jax.errors import InputError

FLAGS = {
    **image_files.FLAGS,
    r"\bsampling\.(\w+)": r"--\1",
    r"config\.tokenizer": "--tokenizer",
    r"^(num|seed|feather|dilation)=": r"--\1=",
    r"^mask ": "--mask ",
    r"^known: the mask": "--mask: what is known",
}


def main(argv: Sequence[str]) -> None:
    """Writes the samples."""
    parser = arguments.Parser("inpaint", __doc__)
    arguments.add_workdir(parser, "folder of a prior's training run")
    text = "the image"
    parser.add_argument("--image", type=arguments.path, required=True, help=text)
    text = "an image of its size, white in the hole; or a colour of the image, #rrggbb"
    parser.add_argument("--mask", type=arguments.path, required=True, help=text)
    text = "folder for the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    parser.add_argument("--num", type=int, default=4, help="samples; default: 4")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    text = "pixels over which a sample fades into the image; default: 4"
    parser.add_argument("--feather", type=int, default=4, help=text)
    text = "codes around the hole that are drawn, too; default: 1"
    parser.add_argument("--dilation", type=int, default=1, help=text)
    for name, (kind, text) in SETTINGS.items():
        parser.add_argument(f"--{name}", type=kind, help=f"{text}; default: the run's")
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _inpaint(args)


def _inpaint(args) -> None:
    from vq_jax.apps.inpainting import Inpainter
    from vq_jax.config.checks import check_range
    from vq_jax.data.decode import decode_image
    from vq_jax.evaluation import pictures
    from vq_jax.inference.load_prior import open_prior
    from vq_jax.inference.sampler import Sampler
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "inpaint")
    check_range(args.num, 1, where="num")
    check_range(args.seed, 0, 2**32 - 1, where="seed")
    saved = open_prior(args.workdir, args.tokenizer)
    data = saved.config.data
    image = decode_image(
        args.image, channels=data.channels, white_point=data.white_point
    )
    hole = _hole(args.mask, args.image)
    out, console = make_folder(args.out, "--out"), exits.console()
    sampler = Sampler(saved, batch_size=args.num)
    inpainter = Inpainter(sampler, args.dilation, args.feather)
    given = {name: getattr(args, name) for name in SETTINGS}
    given = {name: value for name, value in given.items() if value is not None}
    console.print(f"filling {hole.mean():.1%} of the image", soft_wrap=True)
    samples = inpainter.inpaint(image, hole, count=args.num, seed=args.seed, **given)
    for number, sample in enumerate(samples):
        path = pictures.write_png(out / f"{number}.png", sample)
        console.print(f"wrote {path}", soft_wrap=True)
    without = np.where(hole[..., None], np.uint8(255), image)
    together = pictures.side_by_side(without, *samples)
    path = pictures.write_png(out / "together.png", together)
    console.print(f"wrote {path} (the hole, and the samples)", soft_wrap=True)


def _hole(mask: str, image: str) -> np.ndarray:
    """bool [h, w], True in the hole."""
    from vq_jax.data.decode import decode_image

    if not mask.startswith("#"):
        return decode_image(mask, channels=1)[..., 0] >= 128
    try:
        color = np.frombuffer(bytes.fromhex(mask[1:]), np.uint8)
    except ValueError:
        color = np.zeros(0)
    if len(color) != 3:
        raise InputError(
            f"--mask={mask} is no colour; give #rrggbb, as #ff00ff, or a file."
        )
    return (decode_image(image, channels=3) == color).all(axis=-1)
