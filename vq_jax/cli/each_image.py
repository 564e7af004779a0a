"""Images of any size from files through a model to PNG files, one by one."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from etils import epath
from ml_collections import ConfigDict

from vq_jax.cli import arguments, exits, image_files
from vq_jax.data import ahead
from vq_jax.errors import InputError
from vq_jax.evaluation import pictures


@dataclasses.dataclass
class Picture:
    """An image on its way from a file to a file.

    Attributes:
        name: without extension.
        image: uint8 [h, w, c]; of the size of `result` once there is one.
        result: what the model makes of it.
        fitted: how the image was fitted to the model.
        shown: what is written.
        error: why the picture is left out; None if it is not.
    """

    name: str
    image: np.ndarray | None = None
    result: np.ndarray | None = None
    fitted: str = ""
    shown: np.ndarray | None = None
    error: InputError | None = None


def add_arguments(parser: arguments.Parser, left: str) -> None:
    """Adds `--images`, `--out` and `--compare`, which puts `left` on the left."""
    text = image_files.HELP
    parser.add_argument("--images", type=arguments.path, required=True, help=text)
    text = "folder for the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = f"put {left} on the left"
    parser.add_argument("--compare", action="store_true", help=text)


def convert(
    spec: str,
    out: epath.Path,
    data: ConfigDict,
    through: Callable[[Picture], Picture],
    *,
    compare: bool,
    together: str,
) -> None:
    """Reads images, takes each through a model, and writes OUT/NAME.png.

    Args:
        spec: an image, a folder of images, or "photos": the embedded held-out ones.
        out: the folder to write into.
        data: `config.data` of the model's run; channels and the white of deep grey.
        through: fills in what a model makes of a picture that could be read. The
            picture is left out where that is an InputError.
        compare: whether the image stands at the left of that; `together` says so of
            the embedded photographs below each other.

    Raises:
        InputError: there are no images, or some are broken, after all others.
    """
    console = exits.console()
    compared, broken, count = [], [], 0
    # The next image is read, and the one before written, while one is computed.
    images = image_files.each(spec, data, functools.partial(_path, out))
    read = ahead.in_order(_read, images, num_threads=1, most=1)
    write = functools.partial(_write, out, compare)
    done = map(functools.partial(_attempt, through), read)
    for picture in ahead.in_order(write, done, num_threads=1, most=1):
        count += 1
        name, image = picture.name, picture.image
        if picture.error:
            console.print(f"left out {name}: {picture.error}", soft_wrap=True)
            broken.append(name)
            continue
        if compare and image_files.embedded(spec):
            compared.append(picture.shown)
        size = f"{image.shape[1]}x{image.shape[0]}"
        path = _path(out, name)
        console.print(f"wrote {path} ({size}, {picture.fitted})", soft_wrap=True)
    if compared:
        path = pictures.write_png(out / "together.png", pictures.stack(compared))
        console.print(f"wrote {path} ({together})", soft_wrap=True)
    if broken:
        raise InputError(image_files.left_out(broken, count))


def _read(named: tuple[str, Callable[[], np.ndarray]]) -> Picture:
    name, read = named
    try:
        return Picture(name, read())
    except InputError as error:
        return Picture(name, error=error)


def _attempt(through: Callable[[Picture], Picture], picture: Picture) -> Picture:
    """What becomes of the picture, unless one of the two is an error."""
    if picture.error:
        return picture
    try:
        return through(picture)
    except InputError as error:
        return Picture(picture.name, error=error)


def _write(out: epath.Path, compare: bool, picture: Picture) -> Picture:
    """The picture as it was written, unless it is an error."""
    if picture.error:
        return picture
    shown = picture.result
    if compare:
        shown = pictures.side_by_side(picture.image, picture.result)
    pictures.write_png(_path(out, picture.name), shown)
    return dataclasses.replace(picture, shown=shown)


def _path(out: epath.Path, name: str) -> epath.Path:
    return out / f"{name}.png"
