"""Takes images of any size through a tokenizer and back, and writes them as PNG.

OUT/NAME.png has the size of its image. What does not fit the stride is padded to one of
few sizes and cropped back: the model is compiled for every size that it meets. Broken
images are left out and named, and the exit code is 2 then.
"""

import dataclasses
import functools
from collections.abc import Sequence

from vq_jax.cli import arguments, compiled_programs, each_image, exits, image_files
from vq_jax.cli.each_image import Picture
from vq_jax.inference.padding import pad_to_few


def main(argv: Sequence[str]) -> None:
    """Writes the reconstructions, and says how each image fitted the stride."""
    parser = arguments.Parser("reconstruct", __doc__)
    arguments.add_workdir(parser, "folder of a training run")
    each_image.add_arguments(parser, "the original")
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(image_files.FLAGS):
        compiled_programs.keep()
        _reconstruct(args)


def _reconstruct(args) -> None:
    from vq_jax.inference.load import load_workdir
    from vq_jax.inference.tokenizer import Tokenizer
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "reconstruct")
    trained = load_workdir(args.workdir)
    tokenizer = Tokenizer(trained.model, trained.variables, chunk_size=1)
    each_image.convert(
        args.images,
        make_folder(args.out, "--out"),
        trained.config.data,
        functools.partial(_through, tokenizer),
        compare=args.compare,
        together="whole photographs, each left of its reconstruction",
    )


def _through(tokenizer, picture: Picture) -> Picture:
    """The picture with its reconstruction."""
    image = picture.image
    height, width = image.shape[:2]
    padded = pad_to_few(image, tokenizer.stride)
    recon = tokenizer.reconstruct(padded[None])[0, :height, :width]
    fitted = f"a multiple of the stride {tokenizer.stride}"
    if padded.shape != image.shape:
        size = f"{padded.shape[1]}x{padded.shape[0]}"
        fitted = f"padded to {size} by repeating the edge, then cropped back"
    return dataclasses.replace(picture, result=recon, fitted=fitted)
