"""The images that a program is given: a file, a folder, or the embedded photographs."""

import functools
from collections.abc import Callable, Iterator

import numpy as np
from etils import epath
from ml_collections import ConfigDict

from vq_jax.data import decode, transforms
from vq_jax.data.sources import folder, photos
from vq_jax.errors import InputError

HELP = "an image, a folder of images, or 'photos': the embedded held-out ones"

FLAGS = {
    r"config\.data\.source": "--images",
    # A folder that cannot be read, of which these programs have no choice.
    r" config\.data\.on_error='skip' leaves it out\.": "",
}


def each(
    spec: str, data: ConfigDict, output: Callable[[str], epath.Path]
) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """(name without extension, what reads it as uint8 [h, w, c]) of each image.

    Args:
        spec: what the user gives.
        data: `config.data`, which says how many channels images have.
        output: the file that an image of this name is for.

    Raises:
        InputError: there are no images, or an output would replace an image or another
            output.
    """
    path = epath.Path(spec)
    if embedded(spec):
        for name, image in photos.held_out_photographs().items():
            yield name, functools.partial(transforms.to_channels, image, data.channels)
        return
    files = [path] if path.is_file() else [path / f for f in folder.list_images(path)]
    root = path.parent if path.is_file() else path
    names = [str(file.relative_to(root).with_suffix("")) for file in files]
    _check_outputs(files, [output(name) for name in names])
    for name, file in zip(names, files, strict=True):
        yield (
            name,
            functools.partial(
                decode.decode_image,
                file,
                channels=data.channels,
                white_point=data.white_point,
            ),
        )


def left_out(broken: list[str], count: int) -> str:
    """That so many of `count` images could not be read."""
    names = ", ".join(broken[:5]) + ", …" * (len(broken) > 5)
    return f"{len(broken)} of {count} images are left out, as said above: {names}."


def embedded(spec: str) -> bool:
    """Whether this means the embedded photographs."""
    return spec == "photos" and not epath.Path(spec).exists()


def _check_outputs(files: list[epath.Path], outputs: list[epath.Path]) -> None:
    """Raises InputError where a picture would replace an original or another one."""
    originals = {file.resolve() for file in files}
    seen = set()
    for path in outputs:
        if path.resolve() in originals:
            raise InputError(f"--out would overwrite {path}; choose another folder.")
        if path in seen:
            raise InputError(f"two images would become {path}; rename one of them.")
        seen.add(path)
