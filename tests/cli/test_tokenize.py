"""What `vq-jax tokenize` writes, with a tiny model that nobody trained."""

import dataclasses
import signal

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from configs import quickstart
from vq_jax import InputError, Tokenizer
from vq_jax.data.codes import CodeSource
from vq_jax.data.transforms import EvalTransform
from vq_jax.inference import load
from vq_jax.inference.fit import Fit
from vq_jax.inference.views import Views
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.testing import tiny
from vq_jax.testing.codes import files
from vq_jax.testing.tokenizers import untrained

SIZES = {"cats/a.png": (16, 16), "cats/b.png": (30, 17), "dogs/c.png": (16, 16)}


@pytest.fixture(scope="module")
def trained():
    config = quickstart.get_config("smoke")
    config.data.image_size = 16
    return untrained(config.data)


@pytest.fixture
def tokenizer(trained, monkeypatch):
    """That of the run which the program loads."""

    def opened(workdir):
        # The program changes it.
        config = ConfigDict(trained.config.to_dict())
        return dataclasses.replace(trained, config=config)

    monkeypatch.setattr(load, "open_workdir", opened)
    return Tokenizer(trained.model, trained.load())


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
    assert "shard 1 of 1" in printed
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
    data = load.open_workdir("none").config.data
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


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (("--data=folder:{}/in", "--split=all"), ["dogs/c.png"]),
        (("--data=folder:{}/copy", "--split=all"), [*SIZES]),
        (("--images={}/in",), [*SIZES]),
    ],
)
def test_classes_are_left_out_of_the_data_set_of_the_run_alone(
    trained, pictures, tokenize, tmp_path, monkeypatch, flags, names
):
    (tmp_path / "copy").symlink_to(tmp_path / "in")
    config = ConfigDict(trained.config.to_dict())
    config.data.update(source=f"folder:{tmp_path}/in", exclude_labels=(0,))
    saved = dataclasses.replace(trained, config=config)
    monkeypatch.setattr(load, "open_workdir", lambda workdir: saved)
    code, printed = tokenize(*(flag.format(tmp_path) for flag in flags))
    assert code == 0, printed
    assert [row["name"] for row in CodeSource(tmp_path / "out").images] == names


def test_a_broken_image_is_an_error_or_left_out(
    tokenizer, pictures, tokenize, tmp_path
):
    (tmp_path / "in" / "cats" / "b.png").write_bytes(b"broken")
    one = (f"--images={tmp_path}/in", "--shard_size=1")
    code, printed = tokenize(*one)
    assert code == 2
    assert "b.png can't be decoded" in printed
    assert "--on_error='skip' leaves such" in printed
    assert "config." not in printed
    assert files(tmp_path / "out").keys() >= {"begun.json", "shard-00000/codes.npy"}
    # It goes on from there.
    code, printed = tokenize(*one, "--on_error=skip")
    assert code == 0, printed
    assert "shard 1 of 3" not in printed
    assert "left out 1 broken images" in printed
    source = CodeSource(tmp_path / "out")
    assert [row["name"] for row in source.images] == ["cats/a.png", "dogs/c.png"]
    assert "b.png can't be decoded" in source.card["skipped"][0]


def test_the_card_says_where_codes_come_from(
    trained, tokenizer, pictures, tokenize, tmp_path
):
    code, printed = tokenize(f"--data=folder:{tmp_path}/in", "--split=test")
    assert code == 0, printed
    card = CodeSource(tmp_path / "out").card
    wanted = {
        **{"workdir": "none", "step": 7, "digest": trained.digest, "codebook_size": 16},
        **{"source": f"folder:{tmp_path}/in", "split": "test", "fit": "crop"},
        **{"classes": ["cats", "dogs"], "num_images": 1, "num_views": 1},
        **{"image_size": 16, "stride": 4, "shard_size": 4096, "num_shards": 1},
    }
    assert card.items() >= wanted.items()
    assert card["records"].startswith("1 images, list ")


def test_views_are_crops_and_mirror_images(tokenizer, pictures, tokenize, tmp_path):
    flags = (f"--images={tmp_path}/in", "--fit=crop", "--crops=2", "--flip", "--seed=3")
    code, printed = tokenize(*flags, "--crop=random_resized")
    assert code == 0, printed
    assert "1 crops at random (random_resized, seed 3), each with its" in printed
    assert "the codes of 3 images in 4 views, 4x4 each" in printed
    source = CodeSource(tmp_path / "out")
    data = load.open_workdir("none").config.data
    data.crop = "random_resized"
    views = Views(fit=Fit("crop", data, 4), crops=2, mirror=True, seed=3)
    for i, (name, pixels) in enumerate(pictures.items()):
        record = {"image": pixels, "label": 0, "name": name}
        wanted = tokenizer.encode([view.image for view in views(i, record)])
        np.testing.assert_array_equal(source.array()[4 * i : 4 * i + 4], wanted)
        rows = source.images[4 * i : 4 * i + 4]
        assert [row["name"] for row in rows] == [name] * 4
        assert [row["view"] for row in rows] == [0, 1, 2, 3]


def test_codes_do_not_depend_on_threads_and_stops(
    tokenizer, pictures, tokenize, tmp_path, monkeypatch
):
    flags = (f"--images={tmp_path}/in", "--shard_size=1")
    assert tokenize(*flags)[0] == 0
    wanted = files(tmp_path / "out")
    assert not any("lock" in name or "draft" in name for name in wanted)
    (tmp_path / "out").rename(tmp_path / "before")

    encode, calls = Tokenizer.encode_each, []

    def stopped(self, batches):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        return encode(self, batches)

    monkeypatch.setattr(Tokenizer, "encode_each", stopped)
    assert tokenize(*flags)[0] == 128 + signal.SIGINT
    assert "codes.json" not in files(tmp_path / "out")
    monkeypatch.setattr(Tokenizer, "encode_each", encode)
    code, printed = tokenize(*flags)
    assert code == 0, printed
    assert "shard 2 of 3" not in printed
    assert "shard 3 of 3" in printed
    assert files(tmp_path / "out") == wanted


def test_a_finished_folder_is_recognised(
    tokenizer, pictures, tokenize, tmp_path, monkeypatch
):
    assert tokenize()[0] == 0
    monkeypatch.setattr(Tokenizer, "encode_each", None)
    code, printed = tokenize()
    assert code == 0, printed
    assert "the codes of 3 images" in printed
    assert "shard" not in printed


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--flip",), "num_views=1 (now 2)"),
        (("--fit=crop",), "fit='whole' (now 'crop')"),
        (("--shard_size=5",), "shard_size=4096 (now 5)"),
        (("--white_point=3",), "white_point=0.0 (now 3.0)"),
    ],
)
def test_other_settings_are_refused(
    tokenizer, pictures, tokenize, tmp_path, flags, message
):
    assert tokenize()[0] == 0
    before = files(tmp_path / "out")
    code, printed = tokenize(f"--images={tmp_path}/in", *flags)
    assert code == 2
    assert message in printed
    assert "choose another --out" in printed
    after = files(tmp_path / "out")
    assert {name: after[name] for name in before} == before


def test_other_records_and_other_tokenizers_are_refused(
    trained, tokenizer, pictures, tokenize, tmp_path, monkeypatch
):
    assert tokenize()[0] == 0
    other = dataclasses.replace(trained, seed=1)
    monkeypatch.setattr(load, "open_workdir", lambda workdir: other)
    (tmp_path / "in" / "cats" / "a.png").rename(tmp_path / "in" / "cats" / "z.png")
    code, printed = tokenize()
    assert code == 2
    assert "records='3 images, list " in printed
    assert f"digest='{trained.digest[:50]}" in printed


def test_a_model_without_codes_is_refused(pictures, tokenize, tmp_path, monkeypatch):
    config = quickstart.get_config("smoke")
    without = untrained(config.data, quantizer="none")
    monkeypatch.setattr(load, "open_workdir", lambda workdir: without)
    code, printed = tokenize()
    assert code == 2
    assert "tokenize: the model has no codes" in printed
    assert not (tmp_path / "out").exists()


def test_where_codes_are_of_one_size_only_a_crop_is_advised(
    tokenizer, pictures, tokenize, tmp_path, monkeypatch
):
    def one_size(model, height, width):
        if (height, width) != (16, 16):
            raise InputError(f"the latent grid is {height // 4}x{width // 4}.")

    monkeypatch.setattr(Autoencoder, "tokens_shape", one_size)
    code, printed = tokenize()
    assert code == 2
    assert "cats/b.png: the latent grid is 8x5. --fit=crop makes all" in printed
    # Nothing is written that other settings would not go with.
    assert tokenize(f"--images={tmp_path}/in", "--fit=crop")[0] == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--images={tmp}/none",), "error: --images: folder {tmp}/none does not exist"),
        (("--data=pictures",), "error: --data='pictures' is unknown"),
        (
            ("--images={tmp}/in", "--out={tmp}/f/out"),
            "{tmp}/f/out cannot be written to",
        ),
        (("--images={tmp}/in", "--crops=2"), "--fit=whole takes them whole"),
        (("--images={tmp}/in", "--shard_size=0"), "--shard_size=0"),
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
