"""Images through a model to files: what is left out, whoever finds it."""

import dataclasses

import numpy as np
import pytest
from etils import epath
from ml_collections import ConfigDict
from PIL import Image

from vq_jax import InputError
from vq_jax.cli import each_image


def test_an_error_of_reading_or_of_the_model_leaves_one_image_out(tmp_path, capsys):
    for name in ("a", "b", "c"):
        Image.fromarray(np.full((4, 5, 3), 9, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    seen = []

    def through(picture):
        seen.append(picture.name)
        if picture.name == "b":
            raise InputError("no b.")
        return dataclasses.replace(picture, result=255 - picture.image, fitted="well")

    out = epath.Path(tmp_path / "out")
    out.mkdir()
    data = ConfigDict({"channels": 3, "white_point": 0.0})
    with pytest.raises(
        InputError, match=r"^2 of 4 images are left out.*: b, broken\.$"
    ):
        each_image.convert(
            str(tmp_path), out, data, through, compare=False, together=""
        )
    assert seen == ["a", "b", "c"]
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "c.png"]
    assert (np.asarray(Image.open(out / "c.png")) == 246).all()
    printed = capsys.readouterr().out
    assert "left out b: no b." in printed
    assert "left out broken: " in printed
