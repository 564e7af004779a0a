"""What `vq-jax restore` writes, by a restorer that returns negatives twice as large."""

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from vq_jax import InputError
from vq_jax.apps import restore as apps
from vq_jax.data.degradations.degradation import enlarge


class _Negative(apps.ImageRestorer):
    scale, stride, channels = 2, 4, 3
    config = ConfigDict({"data": {"channels": 3, "white_point": 0.0}})
    seen: list

    def __init__(self):
        self.seen = []
        self._size = 8

    def __call__(self, image, *, fidelity=0.0):
        self.seen.append(fidelity)
        if image.shape[0] == 1:
            raise InputError("too small.")
        return 255 - enlarge(image, self.scale)


@pytest.fixture
def negative(monkeypatch):
    made = _Negative()
    monkeypatch.setattr(apps.ImageRestorer, "load", lambda workdir, *, tokenizer: made)
    return made


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    for name, shape in {"a": (4, 6, 3), "b": (5, 3, 3)}.items():
        image = np.full(shape, 10, np.uint8)
        Image.fromarray(image).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def _restore(call, folder, *flags):
    out = folder.parent / "out"
    code, printed = call(
        "restore", "--workdir=w", f"--images={folder}", f"--out={out}", *flags
    )
    return code, printed, out


def test_it_writes_larger_images_and_says_how_they_fitted(call, negative, folder):
    code, printed, out = _restore(call, folder, "--fidelity=0.25")
    assert code == 0, printed
    found = np.asarray(Image.open(out / "a.png"))
    np.testing.assert_array_equal(found, np.full((8, 12, 3), 245, np.uint8))
    assert "(12x8, 2 times the size given, a multiple of the stride 4)" in printed
    assert "2 times the size given, padded to 8x12 by repeating the edge" in printed
    assert negative.seen == [0.25, 0.25]


def test_the_given_image_stands_on_the_left(call, negative, folder):
    code, printed, out = _restore(call, folder, "--compare")
    assert code == 0, printed
    pair = np.asarray(Image.open(out / "a.png"))
    assert (pair[0, 0, 0], pair[0, 16, 0]) == (10, 245)


def test_what_cannot_be_restored_is_left_out_and_named(call, negative, folder):
    Image.fromarray(np.zeros((1, 9, 3), np.uint8)).save(folder / "c.png")
    code, printed, out = _restore(call, folder)
    assert code == 2
    assert "left out c: too small." in printed
    assert (out / "b.png").exists()
    assert not (out / "c.png").exists()


def test_a_fidelity_out_of_range_is_named_by_its_flag(call, negative, folder):
    code, printed, out = _restore(call, folder, "--fidelity=2")
    assert code == 2
    assert "--fidelity=2.0 must be in [0.0, 1.0]" in printed
    assert not out.exists()
