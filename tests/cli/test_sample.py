"""`vq-jax sample`: what it writes, whole or not at all."""

import errno
import json

import numpy as np
import pytest
from PIL import Image

from vq_jax import Sampler
from vq_jax.evaluation import image_set, pictures
from vq_jax.testing import trained
from vq_jax.workdirs import files


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """That of a prior of three classes; its images and tokenizer lie beside it."""
    root = tmp_path_factory.mktemp("sample")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    trained.write_prior(
        root / "prior", root / "tokenizer", root / "images", "independent"
    )
    return root / "prior"


def _sample(call, workdir, out, *flags):
    return call("sample", f"--workdir={workdir}", f"--out={out}", *flags)


def _read(out):
    with np.load(out / "samples.npz") as arrays:
        return {name: arrays[name] for name in arrays}


def test_it_writes_what_the_sampler_draws(call, workdir, tmp_path):
    out = tmp_path / "out"
    flags = ("--num=11", "--seed=5", "--temperature=0.5", "--batch_size=4")
    code, printed = _sample(call, workdir, out, *flags)
    assert (code, printed) == (0, f"wrote 11 images to {out}\n")
    expected = Sampler.load(workdir).sample(11, seed=5, temperature=0.5)
    arrays = _read(out)
    np.testing.assert_array_equal(arrays["arr_0"], expected)
    np.testing.assert_array_equal(arrays["arr_1"], np.arange(11) % 3)
    names = sorted(path.name for path in (out / "images").iterdir())
    assert names == [f"{i:02d}.png" for i in range(11)]
    for name, image in zip(names, expected, strict=True):
        with Image.open(out / "images" / name) as picture:
            np.testing.assert_array_equal(picture, image)
    with Image.open(out / "grid.png") as grid:
        assert grid.size == (3 * 18, 4 * 18)  # a column for each class


def test_its_card_says_how(call, workdir, tmp_path):
    code, printed = _sample(call, workdir, tmp_path / "a", "--num=2", "--label=coat")
    assert code == 0, printed
    card = json.loads((tmp_path / "a" / "samples.json").read_text())
    assert (card["num"], card["seed"], card["labels"]) == (2, 0, "coat")
    assert card["workdir"] == str(workdir)
    assert card["step"] == 30
    assert card["sampling"]["temperature"] == 1.0
    saved = workdir / "checkpoints" / "30" / "card" / "metadata"
    assert json.loads(saved.read_text())["tokenizer"] == card["tokenizer"]["digest"]
    assert len(card["digest"]) == 64


@pytest.mark.parametrize(
    ("flag", "labels"),
    [
        ("--label=2", [2, 2, 2, 2]),
        ("--label=shirt,shirt,0", [2, 2, 0, 2]),
        ("--label=all", [0, 1, 2, 0]),
        ("--label=none", None),
    ],
)
def test_labels_are_written_where_there_are_any(call, workdir, tmp_path, flag, labels):
    code, printed = _sample(call, workdir, tmp_path / "a", "--num=4", flag)
    assert code == 0, printed
    arrays = _read(tmp_path / "a")
    assert ("arr_1" in arrays) == (labels is not None)
    if labels:
        np.testing.assert_array_equal(arrays["arr_1"], labels)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--label=", "--label= is empty; name a class, all or none."),
        ("--label=3", "--label=3: the prior has classes 0 to 2."),
        ("--label=hat", "--label='hat' is no class of the training data, which have "),
        ("--temperature=-1", "--temperature=-1.0 must be in [0.0, "),
        ("--top_k=100000", "--top_k=100000 is more than the 480 codes there are"),
        ("--top_p=0", "--top_p=0.0 must be in"),
        ("--guidance_schedule=up", "--guidance_schedule='up' is unknown; choose from"),
        ("--num=0", "--num=0 must be in"),
        ("--seed=-1", "--seed=-1 must be in"),
        ("--batch_size=0", "--batch_size=0 must be in"),
        ("--tokenizer=none", "--tokenizer=none: /"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    call, workdir, tmp_path, flag, message
):
    code, printed = _sample(call, workdir, tmp_path / "out", flag)
    assert code == 2
    assert printed.startswith(f"error: {message}")
    assert printed.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_not_written_into(call, workdir, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    code, printed = _sample(call, workdir, tmp_path)
    assert code == 2
    assert f"--out={tmp_path} is there already" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert _sample(call, workdir, tmp_path / "empty", "--num=1")[0] == 0


def test_a_disk_that_is_full_half_way_leaves_nothing(
    call, workdir, tmp_path, monkeypatch
):
    write = pictures.write_png

    def fill(path, image):
        if path.name == "3.png":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, image)

    monkeypatch.setattr(pictures, "write_png", fill)
    code, printed = _sample(call, workdir, tmp_path / "out", "--num=6")
    assert code == 2
    assert "No space left on device" in printed
    assert not list(tmp_path.iterdir())


def test_a_workdir_of_a_tokenizer_has_nothing_to_draw_from(call, workdir, tmp_path):
    code, printed = _sample(call, workdir.parent / "tokenizer", tmp_path / "out")
    assert code == 2
    assert "which trains no prior" in printed
    assert not list(tmp_path.iterdir())


def test_grey_images_are_written_with_three_channels(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 8, 8, 1), np.uint8)
    labels = np.arange(5, dtype=np.int32)
    image_set.write(
        files.check_new_folder(tmp_path / "a", "--out"),
        [(images[:3], labels[:3]), (images[3:], labels[3:])],
        image_shape=(8, 8, 1),
        count=5,
        columns=8,
        card={},
    )
    arrays = _read(tmp_path / "a")
    np.testing.assert_array_equal(arrays["arr_0"], np.repeat(images, 3, axis=-1))
    with Image.open(tmp_path / "a" / "images" / "4.png") as picture:
        np.testing.assert_array_equal(picture, images[4, ..., 0])
