import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from vq_jax.data import decode
from vq_jax.errors import InputError


def encoded(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("file_format", ["png", "bmp", "tiff", "webp", "gif"])
def test_lossless_formats_give_their_pixels_back(file_format):
    # GIF has a palette of 256 colours: a grey ramp fits.
    pixels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=-1)
    options = {"lossless": True} if file_format == "webp" else {}
    data = encoded(Image.fromarray(pixels), format=file_format, **options)
    np.testing.assert_array_equal(decode.decode_image(data, channels=3), pixels)


def test_path_and_bytes_agree(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(noise(5, 7, 3)).save(path)
    from_path = decode.decode_image(path, channels=3)
    assert from_path.shape == (5, 7, 3)
    np.testing.assert_array_equal(
        from_path, decode.decode_image(path.read_bytes(), channels=3)
    )


def test_grey_is_repeated_and_colour_is_weighted():
    grey = noise(4, 6)
    data = encoded(Image.fromarray(grey), format="png")
    np.testing.assert_array_equal(
        decode.decode_image(data, channels=3), np.stack([grey] * 3, axis=-1)
    )
    colour = noise(4, 6, 3)
    data = encoded(Image.fromarray(colour), format="png")
    luma = colour @ np.array([0.299, 0.587, 0.114])
    decoded = decode.decode_image(data, channels=1)
    assert decoded.shape == (4, 6, 1)
    # Pillow's weights are rounded to 16 bits.
    np.testing.assert_allclose(decoded[..., 0], luma, atol=0.51)


def test_sixteen_bits_are_scaled_not_cut():
    values = np.array([[0, 128, 129, 257, 32768, 65407, 65535]], np.uint16)
    data = encoded(Image.fromarray(values), format="png")
    decoded = decode.decode_image(data, channels=1)[..., 0]
    np.testing.assert_array_equal(decoded, [[0, 0, 1, 1, 128, 255, 255]])


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_beyond_sixteen_bits_are_refused(mode):
    data = encoded(Image.new(mode, (2, 2), 70000), format="tiff")
    with pytest.raises(InputError, match=rf"x\.tif: pixels of mode '{mode}' .* 70000"):
        decode.decode_image(data, channels=1, name="x.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_the_background(mode):
    opaque, clear = (40, 80, 120, 255), (40, 80, 120, 0)
    image = Image.new("RGBA", (2, 1), opaque)
    image.putpixel((1, 0), clear)
    data = encoded(image.convert(mode), format="png")
    white = decode.decode_image(data, channels=3)
    black = decode.decode_image(data, channels=3, background=(0, 0, 0))
    np.testing.assert_array_equal(white[0, 1], [255, 255, 255])
    np.testing.assert_array_equal(black[0, 1], [0, 0, 0])
    np.testing.assert_array_equal(white[0, 0], black[0, 0])
    if mode == "RGBA":
        np.testing.assert_array_equal(white[0, 0], opaque[:3])


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])])
def test_transparent_palette_entry_shows_the_background(transparency):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    data = encoded(image, format="png", transparency=transparency)
    decoded = decode.decode_image(data, channels=3)
    np.testing.assert_array_equal(decoded, [[[255, 255, 255], [200, 100, 50]]])


def test_half_transparent_is_a_mixture():
    data = encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 128)), format="png")
    np.testing.assert_array_equal(decode.decode_image(data, channels=1), [[[127]]])


def test_cmyk_jpeg_becomes_rgb():
    # Cyan ink alone takes red away.
    data = encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), format="jpeg")
    decoded = decode.decode_image(data, channels=3)
    # JPEG at Pillow's default quality is off by a step or two on flat colours.
    np.testing.assert_allclose(decoded[0, 0].astype(int), [0, 255, 255], atol=3)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (6, lambda x: np.rot90(x, -1)),
        (8, lambda x: np.rot90(x, 1)),
    ],
)
def test_exif_orientation_is_applied(orientation, turn):
    pixels = noise(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(pixels), format="png", exif=exif)
    np.testing.assert_array_equal(decode.decode_image(data, channels=3), turn(pixels))


def test_animation_gives_its_first_frame():
    frames = [Image.new("L", (3, 3), value) for value in (10, 200)]
    data = encoded(frames[0], format="gif", save_all=True, append_images=frames[1:])
    assert set(decode.decode_image(data, channels=1).flat) == {10}


@pytest.mark.parametrize("file_format", ["jpeg", "png", "webp", "gif", "bmp", "tiff"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.6])
def test_truncated_image_is_named(file_format, kept):
    data = encoded(Image.fromarray(noise(32, 32, 3)), format=file_format)
    with pytest.raises(InputError, match=r"cut\.img can't be decoded"):
        decode.decode_image(data[: int(kept * len(data))], channels=3, name="cut.img")


def test_missing_file_and_unknown_channels(tmp_path):
    with pytest.raises(InputError, match=r"gone\.png does not exist"):
        decode.decode_image(pathlib.Path(tmp_path / "gone.png"), channels=3)
    with pytest.raises(InputError, match=r"channels=4 is unknown; .*\[1, 3\]"):
        decode.decode_image(b"", channels=4)


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(decode, "MAX_PIXELS", 99)
    data = encoded(Image.new("RGBA", (20, 5)), format="png")
    # A header alone shows that no pixel is read.
    with pytest.raises(InputError, match=r"x\.png: 20 x 5 are more than 99 pixels"):
        decode.decode_image(data[:60], channels=3, name="x.png")
    assert (
        decode.decode_image(
            encoded(Image.new("L", (9, 11)), format="png"), channels=1
        ).size
        == 99
    )


def test_an_image_without_enough_memory_is_an_input_error(monkeypatch):
    def load(image):
        raise MemoryError

    data = encoded(Image.new("L", (2, 2)), format="bmp")
    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(InputError, match="too little memory"):
        decode.decode_image(data, channels=1)


def test_postscript_is_no_image():
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n"
    with pytest.raises(InputError, match="not an image of a known format"):
        decode.decode_image(data, channels=3)


def test_avif_with_a_flipped_bit_is_an_input_error():
    data = encoded(Image.fromarray(noise(16, 16, 3)), format="avif")
    with pytest.raises(InputError, match="can't be decoded"):
        decode.decode_image(data.replace(b"iloc", b"iloC"), channels=3)


def test_endings_are_those_of_readable_formats():
    endings = decode.extensions()
    assert {".jpg", ".jfif", ".avif", ".jp2", ".ppm", ".qoi"} < set(endings)
    assert not {".eps", ".h5", ".mpg", ".pdf"} & set(endings)
