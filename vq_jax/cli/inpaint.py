"""Fills a hole of an image, of any size, with samples of a prior, or with a restorer.

OUT/0.png, OUT/1.png, … are the samples, and OUT/together.png shows the image without
what is in the hole and then the samples. Pixels around the hole stay as they are, or
with --feather those farther from it. Nothing of what stands in the hole is looked at.
MaskGIT and random_order fill any hole; a prior that draws row by row, only one that is
all of the image after some place. A restorer of holes
(configs/restore_photos.py:holes,fused) fills any hole in one way: OUT/0.png.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

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
    r"^(num|seed|feather|dilation|fidelity)=": r"--\1=",
    r"^mask ": "--mask ",
    r"^known: the mask": "--mask: what is known",
}
# name -> (type, default, help)
OF_PRIORS = {
    "num": (int, 4, "samples"),
    "seed": (int, 0, "of the draws"),
    "dilation": (int, 1, "codes around the hole that are drawn, too"),
}
OF_RESTORERS = {"fidelity": (float, 0.0, "from 0, its codes alone, to 1")}
Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(image, hole) -> uint8 [n, h, w, c]"""


def main(argv: Sequence[str]) -> None:
    """Writes the samples."""
    parser = arguments.Parser("inpaint", __doc__)
    arguments.add_workdir(parser, "folder of a prior's or a restorer's training run")
    text = "the image"
    parser.add_argument("--image", type=arguments.path, required=True, help=text)
    text = "an image of its size, white in the hole; or a colour of the image, #rrggbb"
    parser.add_argument("--mask", type=arguments.path, required=True, help=text)
    text = "folder for the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = (
        "fade into the image over so many pixels around, 0 being a hard edge; default: "
        "shift what fills the hole to meet its border, and change no pixel around"
    )
    parser.add_argument("--feather", type=int, help=text)
    for name, (kind, default, text) in OF_RESTORERS.items():
        text = f"of a restorer: {text}; default: {default}"
        parser.add_argument(f"--{name}", type=kind, help=text)
    for name, (kind, default, text) in OF_PRIORS.items():
        text = f"of a prior: {text}; default: {default}"
        parser.add_argument(f"--{name}", type=kind, help=text)
    sampling_flags.add(parser, of="of a prior: ")
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _inpaint(args)


def _inpaint(args) -> None:
    from vq_jax.data.decode import decode_image
    from vq_jax.evaluation import pictures
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs import checkpoint
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "inpaint")
    config, _ = checkpoint.load_config(args.workdir)
    restores = "restorer" in config
    given = _given(args, restores)
    data, make = config.data, _restorer if restores else _prior
    inpaint = make(args, given)
    image = decode_image(
        args.image, channels=data.channels, white_point=data.white_point
    )
    hole = _hole(args.mask, args.image)
    out, console = make_folder(args.out, "--out"), exits.console()
    console.print(f"filling {hole.mean():.1%} of the image", soft_wrap=True)
    samples = inpaint(image, hole)
    for number, sample in enumerate(samples):
        path = pictures.write_png(out / f"{number}.png", sample)
        console.print(f"wrote {path}", soft_wrap=True)
    without = np.where(hole[..., None], np.uint8(255), image)
    together = pictures.side_by_side(without, *samples)
    path = pictures.write_png(out / "together.png", together)
    console.print(f"wrote {path} (the hole, and what fills it)", soft_wrap=True)


def _given(args, restores: bool) -> dict:
    """The flags of this kind of run, with their defaults; of the other kind none."""
    of_priors = {**OF_PRIORS, **sampling_flags.SETTINGS}
    kinds = {"prior": of_priors, "restorer": OF_RESTORERS}
    own, other = ("restorer", "prior") if restores else ("prior", "restorer")
    for name in kinds[other]:
        if getattr(args, name) is not None:
            raise InputError(
                f"--{name} is for a {other}, and {args.workdir} is not the run of one; "
                "leave it out."
            )
    found = {name: getattr(args, name) for name in kinds[own]}
    defaults = {name: d for name, (_, d, _) in {**OF_PRIORS, **OF_RESTORERS}.items()}
    found = {k: defaults.get(k) if v is None else v for k, v in found.items()}
    return {name: value for name, value in found.items() if value is not None}


def _prior(args, given: dict) -> Fill:
    from vq_jax.apps.inpainting import Inpainter
    from vq_jax.config.checks import check_range
    from vq_jax.inference.sampler import Sampler

    count, seed, dilation = (given.pop(name) for name in OF_PRIORS)
    check_range(count, 1, where="num")
    check_range(seed, 0, 2**32 - 1, where="seed")
    sampler = Sampler.load(args.workdir, tokenizer=args.tokenizer, batch_size=count)
    inpainter = Inpainter(sampler, dilation, args.feather)
    return functools.partial(inpainter.inpaint, count=count, seed=seed, **given)


def _restorer(args, given: dict) -> Fill:
    from vq_jax.apps.inpainting import RestoringInpainter
    from vq_jax.apps.restore import ImageRestorer

    restorer = ImageRestorer.load(args.workdir, tokenizer=args.tokenizer)
    inpainter = RestoringInpainter(restorer, args.feather, **given)
    return lambda image, hole: inpainter.inpaint(image, hole)[None]


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
