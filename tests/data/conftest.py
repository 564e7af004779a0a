"""A whole `config.data`, and folders of small images made by the tests."""

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

DEFAULTS = {
    "source": "photos",
    "train_split": "train",
    "eval_split": "test",
    "data_dir": "",
    "image_size": 8,
    "channels": 3,
    "resize": "shorter_side",
    "kernel": "bicubic",
    "crop": "random",
    "flip": True,
    "color_prob": 0.0,
    "exclude_labels": (),
    "white_point": 0.0,
    "on_error": "raise",
    "num_threads": 2,
    "prefetch": 4,
    "num_workers": 0,
}


@pytest.fixture
def data_config():
    """`data_config(image_size=16)`: the defaults, with these fields changed."""
    return lambda **changes: ConfigDict({**DEFAULTS, **changes})


@pytest.fixture
def numbered_folder(tmp_path):
    """`numbered_folder(n)`: n flat grey images whose pixels are their numbers."""

    def make(count: int, size: int = 8) -> str:
        folder = tmp_path / f"numbered{count}"
        folder.mkdir()
        for number in range(count):
            pixels = np.full((size, size, 3), number, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:04d}.png")
        return f"folder:{folder}"

    return make
