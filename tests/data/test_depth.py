import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from vq_jax.data import decode, depth
from vq_jax.errors import InputError


def tiff(values: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def levels(bits: int) -> np.ndarray:
    """All of 0 … 255 as values of so many bits, where white is the largest."""
    return np.arange(256).reshape(16, 16) * (2**bits - 1) // 255


def test_min_is_white_is_turned_around():
    values = (65535 - levels(16)).astype(np.uint16)
    data = tiff(values, photometric="miniswhite")
    np.testing.assert_array_equal(
        decode.decode_image(data, channels=1)[..., 0], levels(8)
    )


def test_twelve_bits_have_their_own_white():
    # Pillow writes no 12 bits: two values in three bytes.
    values = levels(12).reshape(-1, 2)
    packed = [values[:, 0] >> 4, (values[:, 0] & 15) << 4 | values[:, 1] >> 8]
    body = np.stack([*packed, values[:, 1] & 255], axis=-1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(body.reshape(16, 24)).save(file, "tiff")
    data = bytearray(file.getvalue())
    for tag, old, new in ((256, 24, 16), (258, 8, 12)):
        entry = data.index(struct.pack("<HHI", tag, 4 if tag == 256 else 3, 1))
        assert data[entry + 8] == old
        data[entry + 8] = new
    decoded = decode.decode_image(bytes(data), channels=1)[..., 0]
    np.testing.assert_array_equal(decoded, levels(8))


@pytest.mark.parametrize(
    ("dtype", "white"),
    [("uint16", 4095), ("int16", 32767), ("int32", 255), ("float32", 1.0)],
)
def test_white_point_says_what_white_is(dtype, white):
    values = (levels(8) / 255 * white).astype(dtype)
    decoded = decode.decode_image(tiff(values), channels=1, white_point=white)
    # The values themselves may be rounded down to integers.
    np.testing.assert_allclose(decoded[..., 0].astype(int), levels(8), atol=1)
    assert decoded.max() == 255
    # Brighter than white is white.
    half = decode.decode_image(tiff(values), channels=1, white_point=white / 2)
    assert np.mean(half == 255) >= 0.5


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32"])
def test_a_file_without_a_white_is_refused(dtype):
    data = tiff(levels(8).astype(dtype))
    with pytest.raises(InputError, match=r"from 0.* to 255.*; set config\.data\.white"):
        decode.decode_image(data, channels=1)


@pytest.mark.parametrize("lowest", [-1, np.nan])
def test_values_below_black_are_refused(lowest):
    values = np.array([[lowest, 1]], np.float32)
    with pytest.raises(InputError, match=r"reach from (-1|nan).* save the image"):
        decode.decode_image(tiff(values), channels=1, white_point=1.0)


def test_twelve_bits_in_sixteen_are_warned_of(monkeypatch):
    found = []
    monkeypatch.setattr(depth, "warn_of_dark", found.append)
    grey = np.array([[0, 4095]], np.uint16)
    decode.decode_image(tiff(grey), channels=1)
    decode.decode_image(tiff(grey), channels=1, white_point=4095)
    decode.decode_image(tiff(2 * grey), channels=1)
    color = np.stack([grey] * 3, axis=-1)
    decode.decode_image(tiff(color, photometric="rgb"), channels=3)
    assert found == [
        "16-bit grey reaches only to 4095",
        "16-bit colour reaches only to 3855",
    ]


def test_white_point_cannot_act_on_sixteen_bit_colour():
    data = tiff(np.zeros((2, 2, 3), np.uint16), photometric="rgb")
    with pytest.raises(InputError, match=r"white_point=4095 can't act on it"):
        decode.decode_image(data, channels=3, white_point=4095)
    # It says nothing of images of 8 bits.
    eight = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    data = tiff(eight, photometric="rgb")
    decoded = decode.decode_image(data, channels=3, white_point=4095)
    np.testing.assert_array_equal(decoded, eight)
