"""Image grids."""

import io
from collections.abc import Sequence

import numpy as np
from etils import epath
from jaxtyping import Float, UInt8
from PIL import Image

GAP = 2  # white pixels between pictures
NUM_PICTURES = 16  # of a split, in a grid


def comparison_grid(
    *images: UInt8[np.ndarray, "n h w c"], columns: int = 8
) -> UInt8[np.ndarray, "height width 3"]:
    """Groups of rows: originals, and right below them what was made of each."""
    rows = []
    for start in range(0, len(images[0]), columns):
        rows += [_row(kind[start : start + columns], columns) for kind in images]
    return np.concatenate(rows, axis=0)


def grid(
    images: UInt8[np.ndarray, "n h w c"], columns: int
) -> UInt8[np.ndarray, "height width 3"]:
    """The images in rows of `columns`, white where the last row has none."""
    starts = range(0, len(images), columns)
    rows = [_row(images[start : start + columns], columns) for start in starts]
    return np.concatenate(rows, axis=0)


def side_by_side(*images: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Pictures of one size next to each other."""
    return _row(np.stack(images), len(images))


def stack(images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> UInt8[np.ndarray, "h w 3"]:
    """Pictures of any sizes below each other, white to the right of narrow ones."""
    width = max(image.shape[1] for image in images)
    missing = [((0, 0), (0, width - image.shape[1]), (0, 0)) for image in images]
    rows = [
        np.pad(image, padding, constant_values=255)
        for image, padding in zip(images, missing, strict=True)
    ]
    return np.concatenate(rows)


def write_png(path: epath.PathLike, image: UInt8[np.ndarray, "h w c"]) -> epath.Path:
    """Writes a picture of 1 or 3 channels, whole or not at all.

    Makes its folder if need be. A link in its place is replaced, not followed.
    """
    path, content = epath.Path(path), io.BytesIO()
    image = image.squeeze(-1) if image.shape[-1] == 1 else image
    Image.fromarray(image).save(content, format="PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)  # a link would be followed
    try:
        draft.write_bytes(content.getvalue())
        return draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def heat(values: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Black at 0, red at 1/3, yellow at 2/3 and white from 1 on."""
    thirds = np.clip(values, 0.0, 1.0)[..., None] * 3 - np.arange(3)
    return np.rint(255 * np.clip(thirds, 0.0, 1.0)).astype(np.uint8)


def to_rgb(images: UInt8[np.ndarray, "n h w c"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Grey images with three equal channels; RGB as it is."""
    return images if images.shape[-1] == 3 else np.repeat(images, 3, axis=-1)


def _row(images, columns):
    missing = columns - len(images)
    blank = np.full((missing, *images.shape[1:]), 255, np.uint8)
    images = np.concatenate([images, blank])
    images = to_rgb(images)
    padding = ((0, 0), (0, GAP), (0, GAP), (0, 0))
    return np.concatenate(list(np.pad(images, padding, constant_values=255)), axis=1)
