"""Draws a share of the codes of images anew, with a prior that keeps the others.

OUT/NAME/0.png, 1.png, … are the variations of an image, and OUT/NAME/together.png shows
the image, its round trip through the tokenizer, and then the variations. Share 0 is the
round trip, and share 1 a new image. The variations of an image depend on it and the
flags, and not on the other images. Broken images are left out and named, and the exit
code is 2 then.
"""

from collections.abc import Sequence

from vq_jax.cli import (
    arguments,
    compiled_programs,
    exits,
    image_files,
    sampling_flags,
)
from vq_jax.errors import InputError

FLAGS = {
    **image_files.FLAGS,
    r"\bsampling\.(\w+)": r"--\1",
    r"config\.tokenizer": "--tokenizer",
    r"^(num|seed|share|choice)=": r"--\1=",
    r"\blabels=": "--label=",
}


def main(argv: Sequence[str]) -> None:
    """Writes the variations of each image."""
    parser = arguments.Parser("vary", __doc__)
    arguments.add_workdir(parser, "folder of a prior's training run")
    text = image_files.HELP
    parser.add_argument("--images", type=arguments.path, required=True, help=text)
    text = "folder for the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = "of the codes that are drawn, in [0, 1]; default: 0.5"
    parser.add_argument("--share", type=float, default=0.5, help=text)
    text = "variations of each image; default: 4"
    parser.add_argument("--num", type=int, default=4, help=text)
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    text = "which codes: random or blocks, anywhere; last: lower rows, or finer scales"
    parser.add_argument("--choice", help=text)
    text = "a class by number or name; default: none"
    parser.add_argument("--label", help=text)
    sampling_flags.add(parser)
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _vary(args)


def _vary(args) -> None:
    from vq_jax.apps.variation import Varier
    from vq_jax.config.checks import check_range
    from vq_jax.inference.load_prior import open_prior
    from vq_jax.inference.sampler import Sampler
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "vary")
    check_range(args.num, 1, where="num")
    saved = open_prior(args.workdir, args.tokenizer)
    varier = Varier(Sampler(saved, batch_size=args.num), args.choice)
    given = sampling_flags.given(args)
    given.update(count=args.num, seed=args.seed, label=args.label)
    varier.check(args.share, **given)
    out, console = make_folder(args.out, "--out"), exits.console()
    files = image_files.each(
        args.images, saved.config.data, lambda name: out / name / "0.png"
    )
    files, broken = [*files], []
    for name, read in files:
        try:
            _write(varier, read(), out / name, args.share, given)
        except InputError as error:
            console.print(f"left out {name}: {error}", soft_wrap=True)
            broken.append(name)
            continue
        console.print(f"wrote {args.num} variations to {out / name}", soft_wrap=True)
    if broken:
        raise InputError(image_files.left_out(broken, len(files)))


def _write(varier, image, folder, share: float, given: dict) -> None:
    """The variations of an image, and a picture of all."""
    from vq_jax.evaluation import pictures

    drawn = varier.vary(image, share, **given)
    (plain,) = varier.vary(image, 0.0)
    for number, variation in enumerate(drawn):
        pictures.write_png(folder / f"{number}.png", variation)
    together = pictures.side_by_side(image, plain, *drawn)
    pictures.write_png(folder / "together.png", together)
