"""Restores degraded images of any size with a trained restorer, and writes PNG files.

OUT/NAME.png has the size of its image, or after a run of super-resolution 2 or 4 times
that. Images are taken as they are: nothing degrades them here. Broken images are left
out and named, and the exit code is 2 then.
"""

import dataclasses
import functools
from collections.abc import Sequence

from vq_jax.cli import arguments, compiled_programs, each_image, exits, image_files
from vq_jax.cli.each_image import Picture
from vq_jax.config.checks import check_range

FLAGS = {
    **image_files.FLAGS,
    r"config\.tokenizer": "--tokenizer",
    r"\bfidelity=": "--fidelity=",
}


def main(argv: Sequence[str]) -> None:
    """Writes the restored images, and says how each fitted the stride."""
    parser = arguments.Parser("restore", __doc__)
    arguments.add_workdir(parser, "folder of a restorer's training run")
    each_image.add_arguments(parser, "the image as it is given, enlarged if need be,")
    text = (
        "in [0, 1]: 0 takes the predicted codes alone, 1 all that the encoder sees of "
        "the image; default: 1 for a run with fusions (:fused), else 0"
    )
    parser.add_argument("--fidelity", type=float, help=text)
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _restore(args)


def _restore(args) -> None:
    from vq_jax.apps.restore import ImageRestorer
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "restore")
    if args.fidelity is not None:
        check_range(args.fidelity, 0.0, 1.0, where="fidelity")
    restorer = ImageRestorer.load(args.workdir, tokenizer=args.tokenizer)
    each_image.convert(
        args.images,
        make_folder(args.out, "--out"),
        restorer.config.data,
        functools.partial(_through, restorer, args.fidelity),
        compare=args.compare,
        together="whole photographs, each left of its restoration",
    )


def _through(restorer, fidelity: float | None, picture: Picture) -> Picture:
    """The picture restored."""
    from vq_jax.data.degradations.degradation import enlarge

    result = restorer(picture.image, fidelity=fidelity)
    large = enlarge(picture.image, restorer.scale)
    return dataclasses.replace(
        picture, image=large, result=result, fitted=_fitted(restorer, large)
    )


def _fitted(restorer, large) -> str:
    padded = restorer.pad(large)
    larger = f"{restorer.scale} times the size given, " * (restorer.scale > 1)
    if padded.shape == large.shape:
        return f"{larger}a multiple of the stride {restorer.stride}"
    size = f"{padded.shape[1]}x{padded.shape[0]}"
    return f"{larger}padded to {size} by repeating the edge, then cropped back"
