"""Takes images of any size through a tokenizer and back, and writes them as PNG.

OUT/NAME.png has the size of its image. What does not fit the stride is padded to one of
few sizes and cropped back: the model is compiled for every size that it meets. Broken
images are left out and named, and the exit code is 2 then.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
from etils import epath

from vq_jax.cli import arguments, compiled_programs, exits, image_files
from vq_jax.data import ahead
from vq_jax.errors import InputError
from vq_jax.evaluation import pictures
from vq_jax.inference.padding import pad_to_few


def main(argv: Sequence[str]) -> None:
    """Writes the reconstructions, and says how each image fitted the stride."""
    parser = arguments.Parser("reconstruct", __doc__)
    arguments.add_workdir(parser, "folder of a training run")
    text = image_files.HELP
    parser.add_argument("--images", type=arguments.path, required=True, help=text)
    text = "folder for the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = "put the original on the left"
    parser.add_argument("--compare", action="store_true", help=text)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(image_files.FLAGS):
        compiled_programs.keep()
        _reconstruct(args)


@dataclasses.dataclass
class _Picture:
    """An image on its way from a file to a file.

    Attributes:
        name: without extension.
        image: uint8 [h, w, c].
        recon: likewise; of the same size.
        fitted: how the image was fitted to the model.
        shown: what is written.
        error: why the picture is left out; None if it is not.
    """

    name: str
    image: np.ndarray | None = None
    recon: np.ndarray | None = None
    fitted: str = ""
    shown: np.ndarray | None = None
    error: InputError | None = None


def _reconstruct(args) -> None:
    from vq_jax.inference.load import load_workdir
    from vq_jax.inference.tokenizer import Tokenizer
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "reconstruct")
    trained = load_workdir(args.workdir)
    tokenizer = Tokenizer(trained.model, trained.variables, chunk_size=1)
    out, console = make_folder(args.out, "--out"), exits.console()
    compared, broken, count = [], [], 0
    # The next image is read, and the one before written, while one is computed.
    path_of = functools.partial(_path, out)
    images = image_files.each(args.images, trained.config.data, path_of)
    read = ahead.in_order(_read, images, num_threads=1, most=1)
    computed = (_through(tokenizer, picture) for picture in read)
    write = functools.partial(_write, out, args.compare)
    for picture in ahead.in_order(write, computed, num_threads=1, most=1):
        count += 1
        name, image = picture.name, picture.image
        if picture.error:
            console.print(f"left out {name}: {picture.error}", soft_wrap=True)
            broken.append(name)
            continue
        if args.compare and image_files.embedded(args.images):
            compared.append(picture.shown)
        size = f"{image.shape[1]}x{image.shape[0]}"
        path = _path(out, name)
        console.print(f"wrote {path} ({size}, {picture.fitted})", soft_wrap=True)
    if compared:
        path = pictures.write_png(out / "together.png", pictures.stack(compared))
        text = "whole photographs, each left of its reconstruction"
        console.print(f"wrote {path} ({text})", soft_wrap=True)
    if broken:
        raise InputError(
            f"{len(broken)} of {count} images are left out, as said above: "
            f"{', '.join(broken[:5])}{', …' * (len(broken) > 5)}."
        )


def _read(named: tuple[str, Callable[[], np.ndarray]]) -> _Picture:
    name, read = named
    try:
        return _Picture(name, read())
    except InputError as error:
        return _Picture(name, error=error)


def _through(tokenizer, picture: _Picture) -> _Picture:
    """The picture with its reconstruction, unless one of the two is an error."""
    if picture.error:
        return picture
    image = picture.image
    height, width = image.shape[:2]
    padded = pad_to_few(image, tokenizer.stride)
    try:
        recon = tokenizer.reconstruct(padded[None])[0, :height, :width]
    except InputError as error:
        return _Picture(picture.name, error=error)
    fitted = f"a multiple of the stride {tokenizer.stride}"
    if padded.shape != image.shape:
        size = f"{padded.shape[1]}x{padded.shape[0]}"
        fitted = f"padded to {size} by repeating the edge, then cropped back"
    return dataclasses.replace(picture, recon=recon, fitted=fitted)


def _write(out: epath.Path, compare: bool, picture: _Picture) -> _Picture:
    """The picture as it was written, unless it is an error."""
    if picture.error:
        return picture
    shown = picture.recon
    if compare:
        shown = pictures.side_by_side(picture.image, picture.recon)
    pictures.write_png(_path(out, picture.name), shown)
    return dataclasses.replace(picture, shown=shown)


def _path(out: epath.Path, name: str) -> epath.Path:
    return out / f"{name}.png"
