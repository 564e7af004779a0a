"""What `vq-jax tokenize` writes, with a tiny model that nobody trained."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from configs import quickstart
from vq_jax import InputError, Tokenizer
from vq_jax.data.codes import CodeSource
from vq_jax.data.transforms import EvalTransform
from vq_jax.inference import load
from vq_jax.inference.load import TrainedModel
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.testing import tiny

SIZES = {"cats/a.png": (16, 16), "cats/b.png": (30, 17), "dogs/c.png": (16, 16)}


@pytest.fixture(scope="module")
def trained():
    model = tiny.model("vq")
    init = jax.jit(lambda key: model.init(key, jnp.zeros((1, 16, 16, 3)), train=False))
    return TrainedModel(model, init(jax.random.key(0)), ConfigDict(), step=7)


@pytest.fixture
def tokenizer(trained, monkeypatch):
    """That of the run which the program loads."""
    config = quickstart.get_config("smoke")
    config.data.image_size = 16
    run = dataclasses.replace(trained, config=config)
    monkeypatch.setattr(load, "load_workdir", lambda workdir: run)
    return Tokenizer(trained.model, trained.variables)


@pytest.fixture
def pictures(tmp_path):
    """name -> pixels of the pictures in tmp_path/in."""
    made = {}
    for name, (height, width) in SIZES.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made[name] = tiny.images(1, size=32, seed=len(made))[0, :height, :width]
        Image.fromarray(made[name]).save(path)
    return made


@pytest.fixture
def tokenize(call, tmp_path):
    """`tokenize(*flags)`: (exit code, everything printed); codes go to tmp_path/out."""

    def run(*flags):
        out = f"--out={tmp_path}/out"
        given = flags or (f"--images={tmp_path}/in",)
        return call("tokenize", "--workdir=none", out, *given)

    return run


def test_images_are_encoded_whole(tokenizer, pictures, tokenize, tmp_path):
    code, printed = tokenize()
    assert code == 0, printed
    fitted = "whole images, padded to multiples of 4 by repeating the edge"
    assert printed.startswith(f"{fitted}\n")
    assert f"the codes of 3 images, from 4x4 to 8x5, to {tmp_path}/out" in printed
    source = CodeSource(tmp_path / "out")
    assert source.card["preprocessing"] == fitted
    for i, (name, image) in enumerate(pictures.items()):
        height, width = SIZES[name]
        padded = np.pad(image, ((0, -height % 4), (0, -width % 4), (0, 0)), "edge")
        np.testing.assert_array_equal(
            source[i]["codes"], tokenizer.encode(padded[None])[0]
        )
        row = source.images[i]
        assert (row["name"], row["height"], row["width"]) == (name, height, width)
        assert row["class"] == source.card["classes"][source[i]["label"]]
        assert row["class"] == name.split("/")[0]


def test_images_are_cropped_where_that_is_asked_for(
    tokenizer, pictures, tokenize, tmp_path
):
    code, printed = tokenize(f"--images={tmp_path}/in", "--fit=crop")
    assert code == 0, printed
    assert "the 16x16 pixels in the centre of each image" in printed
    assert "3 images, 4x4 each" in printed
    data = load.load_workdir("none").config.data
    crop = EvalTransform(
        image_size=16, channels=3, resize=data.resize, kernel=data.kernel
    )
    cropped = [crop({"image": p, "label": 0})["image"] for p in pictures.values()]
    codes = CodeSource(tmp_path / "out").array()
    np.testing.assert_array_equal(codes, tokenizer.encode(np.stack(cropped)))


def test_images_are_resized_whole_where_that_is_asked_for(
    tokenizer, pictures, tokenize, tmp_path
):
    code, printed = tokenize(f"--images={tmp_path}/in", "--fit=resize")
    assert code == 0, printed
    assert "whole images, the shorter side scaled to 16 pixels (" in printed
    sizes = [
        (row["height"], row["width"]) for row in CodeSource(tmp_path / "out").images
    ]
    assert sizes == [(16, 16), (28, 16), (16, 16)]


def test_data_sets_are_cropped_as_in_training(tokenizer, pictures, tokenize, tmp_path):
    code, printed = tokenize(f"--data=folder:{tmp_path}/in", "--split=all")
    assert code == 0, printed
    assert CodeSource(tmp_path / "out").card["fit"] == "crop"


def test_a_broken_image_is_an_error_or_left_out(
    tokenizer, pictures, tokenize, tmp_path
):
    assert tokenize()[0] == 0
    (tmp_path / "in" / "cats" / "a.png").write_bytes(b"broken")
    code, printed = tokenize()
    assert code == 2
    assert "a.png can't be decoded" in printed
    assert "--on_error='skip' leaves such" in printed
    assert "config." not in printed
    assert len(CodeSource(tmp_path / "out")) == 3
    code, printed = tokenize(f"--images={tmp_path}/in", "--on_error=skip")
    assert code == 0, printed
    assert "left out 1 broken images" in printed
    source = CodeSource(tmp_path / "out")
    assert [row["name"] for row in source.images] == ["cats/b.png", "dogs/c.png"]
    assert "a.png can't be decoded" in source.card["skipped"][0]


def test_where_codes_are_of_one_size_only_a_crop_is_advised(
    tokenizer, pictures, tokenize, monkeypatch
):
    def one_size(model, height, width):
        if (height, width) != (16, 16):
            raise InputError(f"the latent grid is {height // 4}x{width // 4}.")

    monkeypatch.setattr(Autoencoder, "tokens_shape", one_size)
    code, printed = tokenize()
    assert code == 2
    assert "cats/b.png: the latent grid is 8x5. --fit=crop makes all" in printed


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--images={tmp}/none",), "error: --images: folder {tmp}/none does not exist"),
        (("--data=pictures",), "error: --data='pictures' is unknown"),
        (
            ("--images={tmp}/in", "--out={tmp}/f/out"),
            "{tmp}/f/out cannot be written to",
        ),
        (("--images={tmp}/in", "--fit=half"), "argument --fit: invalid choice: 'half'"),
    ],
)
def test_bad_flags_are_one_line(
    tokenizer, pictures, tokenize, tmp_path, flags, message
):
    (tmp_path / "f").write_text("in the way")
    code, printed = tokenize(*(flag.format(tmp=tmp_path) for flag in flags))
    assert code == 2
    assert message.format(tmp=tmp_path) in printed
    assert not (tmp_path / "out").exists()
