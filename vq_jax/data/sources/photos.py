"""The photographs in the packages scikit-image and scikit-learn.

They are real images on any machine, without a download. A photograph is either in the
train or in the test split as a whole, so that no training crop shows a test image.
"""

import functools
import importlib.util
import itertools
import pathlib
import statistics

import numpy as np
from jaxtyping import UInt8

from vq_jax.data.decode import decode_image
from vq_jax.data.sources.base import Record
from vq_jax.errors import InputError

FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}

# Both views of the motorcycle show one scene, so they are in the same split.
PHOTOGRAPHS = {
    "train": {
        "coffee": "skimage/coffee.png",
        "rocket": "skimage/rocket.jpg",
        "motorcycle_left": "skimage/motorcycle_left.png",
        "motorcycle_right": "skimage/motorcycle_right.png",
        "hubble_deep_field": "skimage/hubble_deep_field.jpg",
        "retina": "skimage/retina.jpg",
        "immunohistochemistry": "skimage/ihc.png",
        "flower": "sklearn/flower.jpg",
        # Grey photographs, as three equal channels, for edges and textures.
        "camera": "skimage/camera.png",
        "coins": "skimage/coins.png",
        "brick": "skimage/brick.png",
        "grass": "skimage/grass.png",
        "gravel": "skimage/gravel.png",
    },
    "test": {
        "astronaut": "skimage/astronaut.png",
        "china": "sklearn/china.jpg",
        "chelsea": "skimage/chelsea.png",
    },
}


@functools.cache
def photograph(name: str) -> UInt8[np.ndarray, "h w 3"]:
    """The photograph of this name, in [0, 255].

    Each process decodes it once; the array is read-only.
    """
    paths = {**PHOTOGRAPHS["train"], **PHOTOGRAPHS["test"]}
    package, file = paths[name].split("/")
    # find_spec, so that scikit-learn and its compiled parts are not imported.
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise InputError(
            f"config.data.source='photos' needs {package} for {file};"
            " run: pip install scikit-image scikit-learn"
        )
    folder = pathlib.Path(spec.origin).parent / FOLDERS[package]
    pixels = decode_image(folder / file, channels=3, name=name)
    pixels.setflags(write=False)
    return pixels


def held_out_photographs() -> dict[str, UInt8[np.ndarray, "_ _ 3"]]:
    """The whole photographs of the test split by name, for figures."""
    return {name: photograph(name) for name in PHOTOGRAPHS["test"]}


class PhotosSource:
    """The photographs of a split, cut into tiles, or whole to take random crops of.

    Tiles are squares of `image_size` that begin at the top left corner and do not
    overlap; what does not fill a tile is left out. They alternate between the
    photographs, so that the first few show many of them. A photograph smaller than a
    tile is one record as a whole.

    With `random_crops` each record is a whole photograph. A photograph is repeated as
    often as it has tiles, so that crops are proportional to area, but at most the
    median number of times, since two huge and mostly black ones would dominate.

    Raises:
        InputError: The split is neither "train" nor "test".
    """

    classes = ()

    def __init__(self, split: str, image_size: int, *, random_crops: bool = False):
        if split not in PHOTOGRAPHS:
            raise InputError(
                f"config.data.source='photos' has no split {split!r}; choose from"
                f" {[*PHOTOGRAPHS]}."
            )
        self.name, self.split, self.image_size = "photos", split, image_size
        tiles = {name: self._tiles(name) for name in PHOTOGRAPHS[split]}
        if random_crops:
            cap = int(statistics.median(len(corners) for corners in tiles.values()))
            tiles = {name: [None] * min(cap, len(t)) for name, t in tiles.items()}
        self._records = _interleave(tiles)
        self.description = (
            f"photos/{split}: {len(tiles)} photographs"
            f" ({'training' if split == 'train' else 'held out'}),"
            f" {len(self)} {'crops' if random_crops else 'tiles'} of {image_size}"
        )
        self.fingerprint = self.description

    def _tiles(self, name: str) -> list[tuple[int, int] | None]:
        """The tiles' top left corners; None stands for the whole photograph."""
        size, (height, width, _) = self.image_size, photograph(name).shape
        tops = range(0, height - size + 1, size)
        lefts = range(0, width - size + 1, size)
        return [(top, left) for top in tops for left in lefts] or [None]

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        name, corner = self._records[index]
        image = photograph(name)
        if corner is None:
            return Record(image=image, label=-1, name=name)
        top, left = corner
        image = image[top : top + self.image_size, left : left + self.image_size]
        return Record(image=image, label=-1, name=f"{name}[{top},{left}]")

    def label(self, index: int) -> int:
        return -1


def _interleave(tiles: dict[str, list]) -> list[tuple[str, tuple[int, int] | None]]:
    """(name, corner): the first tile of each photograph, then the second, …"""
    columns = ([(name, c) for c in corners] for name, corners in tiles.items())
    rows = itertools.zip_longest(*columns)
    return [record for row in rows for record in row if record is not None]
