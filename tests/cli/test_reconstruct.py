"""What `vq-jax reconstruct` writes, with a tokenizer that returns negatives."""

import types

import numpy as np
import pytest
from PIL import Image

from vq_jax.cli import reconstruct
from vq_jax.inference.tokenizer import Tokenizer

PHOTOGRAPHS = {
    "wide": np.full((6, 9, 3), 10, np.uint8),
    "high": np.full((11, 4, 3), 20, np.uint8),
}


@pytest.fixture
def written(monkeypatch, tmp_path):
    """`written(*flags)`: {name: pixels} of what the photographs become."""
    tokenizer = types.SimpleNamespace(
        channels=3, stride=4, reconstruct=lambda images: 255 - images
    )
    monkeypatch.setattr(Tokenizer, "load", lambda workdir, chunk_size: tokenizer)
    monkeypatch.setattr(reconstruct.photos, "held_out_photographs", lambda: PHOTOGRAPHS)

    def run(*flags: str) -> dict[str, np.ndarray]:
        arguments = ("--workdir=none", "--images=photos", f"--out={tmp_path}")
        reconstruct.main(["reconstruct", *arguments, *flags])
        return {
            path.name: np.array(Image.open(path)) for path in tmp_path.glob("*.png")
        }

    return run


def test_the_closing_picture_has_photographs_left_of_reconstructions(written):
    pictures = written("--compare")
    assert set(pictures) == {"wide.png", "high.png", "together.png"}
    together, top = pictures["together.png"], 0
    for image in PHOTOGRAPHS.values():
        height, width = image.shape[:2]
        shown = together[top : top + height]
        np.testing.assert_array_equal(shown[:, :width], image)
        # Two white pixels between pictures.
        assert (shown[:, width : width + 2] == 255).all()
        np.testing.assert_array_equal(shown[:, width + 2 : 2 * width + 2], 255 - image)
        top += height + 2
    assert top == len(together)


def test_without_compare_there_are_reconstructions_only(written):
    pictures = written()
    assert set(pictures) == {"wide.png", "high.png"}
    np.testing.assert_array_equal(pictures["wide.png"], 255 - PHOTOGRAPHS["wide"])
