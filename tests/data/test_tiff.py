import io

import numpy as np
import pytest
import tifffile

from vq_jax.data import decode
from vq_jax.errors import InputError


def tiff(values: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("shape", "dtype", "options", "layout"),
    [
        ((3, 4, 5), "uint16", {"photometric": "rgb"}, "3 bands of 16 .* planar"),
        ((2, 4, 5), "uint8", {}, "2 bands of 8 .* planar"),
        ((4, 5), "int8", {}, "1 band of 8 signed"),
        ((4, 5), "int32", {"compression": "zlib"}, "1 band of 32 signed .* compressed"),
        ((4, 5, 4), "uint8", {"planarconfig": "contig"}, "4 bands .* Pillow does not"),
    ],
)
def test_layouts_that_pillow_misreads_are_refused(shape, dtype, options, layout):
    if "planarconfig" not in options and len(shape) == 3:
        options = {**options, "planarconfig": "separate"}
    options = {"photometric": "minisblack", "byteorder": ">", **options}
    data = tiff(np.zeros(shape, dtype), **options)
    with pytest.raises(InputError, match=rf"x\.tif.* TIFF of {layout}"):
        decode.decode_image(data, channels=3, name="x.tif")


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5, 3)])
def test_planes_of_eight_bits_are_read(shape):
    values = np.arange(60, dtype=np.uint8).reshape(shape)
    planes = "separate" if shape[0] == 3 else "contig"
    data = tiff(values, photometric="rgb", planarconfig=planes)
    expected = np.moveaxis(values, 0, -1) if planes == "separate" else values
    np.testing.assert_array_equal(decode.decode_image(data, channels=3), expected)
