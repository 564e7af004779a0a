"""Codes on disk come back as they were, and what is not codes is refused."""

import json
import pickle
import re

import numpy as np
import pytest

from vq_jax.data import codes
from vq_jax.data.codes import CodeSource, EncodedImage
from vq_jax.errors import InputError

NAMES = ('cats/ä, "b"\n.png', "caf\udce9.png", "dogs/c.png")
CLASSES = ("cats", "dogs")


def _images(*shapes):
    rng = np.random.default_rng(0)
    for name, label, shape in zip(NAMES, (0, -1, 1), shapes, strict=True):
        size = (4 * shape[0] - 1, 4 * shape[1])
        yield EncodedImage(rng.integers(0, 16, shape), name, label, size)


def _write(path, images, **fields):
    fields = {"codebook_size": 16, "classes": CLASSES, "origin": {"step": 7}, **fields}
    return codes.write_codes(path, images, **fields)


@pytest.fixture
def folder(tmp_path):
    _write(tmp_path, _images(*[(2, 3)] * 3))
    return tmp_path


def test_codes_of_one_shape_are_one_array(folder):
    source = CodeSource(folder)
    wanted = [image.codes for image in _images(*[(2, 3)] * 3)]
    np.testing.assert_array_equal(source.array(), wanted)
    np.testing.assert_array_equal(source[-1]["codes"], wanted[2])
    assert source.array().dtype == source[0]["codes"].dtype == np.int32
    assert [source[i]["label"] for i in range(len(source))] == [0, -1, 1]
    assert np.load(folder / "codes.npy").dtype == np.uint16
    assert (source.card["step"], source.card["classes"]) == (7, [*CLASSES])
    with pytest.raises(IndexError):
        source[3]


def test_codes_of_several_shapes_come_one_by_one(tmp_path):
    shapes = [(2, 3, 2), (1, 1, 2), (4, 2, 2)]
    _write(tmp_path, _images(*shapes))
    source = CodeSource(tmp_path)
    assert len(source) == 3
    for i, image in enumerate(_images(*shapes)):
        np.testing.assert_array_equal(source[i]["codes"], image.codes)
    with pytest.raises(InputError, match=r"several shapes, .* source\[i\]\['codes'\]"):
        source.array()
    # Those of one shape, in the same folder, leave nothing of these behind.
    _write(tmp_path, _images(*[(2, 3)] * 3))
    assert CodeSource(tmp_path).array().shape == (3, 2, 3)


def test_images_say_what_each_row_is(folder):
    rows = CodeSource(folder).images
    assert [row["name"] for row in rows] == [*NAMES]
    assert [row["class"] for row in rows] == ["cats", "", "dogs"]
    assert [row["label"] for row in rows] == [0, -1, 1]
    assert {(row["height"], row["width"]) for row in rows} == {(7, 12)}


def test_a_pickled_source_opens_its_files_again(folder):
    source = CodeSource(folder)
    pickled = pickle.dumps(source)
    assert len(pickled) < 500
    np.testing.assert_array_equal(pickle.loads(pickled).array(), source.array())


def _broken(image):
    raise InputError("broken image")


@pytest.mark.parametrize(
    ("images", "message"), [(map(_broken, range(1)), "broken image"), ([], "no images")]
)
def test_codes_stay_where_there_are_no_new_ones(folder, images, message):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=message):
        _write(folder, images)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_codes_stay_where_the_disk_is_full(folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    path_type = type(codes.epath.Path(folder))
    write = path_type.write_bytes

    def full(path, content):
        if path.name.startswith("images.csv"):
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(path_type, "write_bytes", full)
    with pytest.raises(InputError, match=rf"{folder} \(No space left on device\)"):
        _write(folder, _images(*[(3, 3)] * 3))
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("codes.json", b'{"codebook_size": 1', "codes.json is damaged (Expecting"),
        ("codes.json", b"[]", "it has no codebook_size"),
        ("codes.json", b'{"codebook_size": "16"}', "it has no codebook_size"),
        ("codes.json", b"\xff\xfe", "codes.json is damaged"),
        ("codes.npy", np.zeros((3, 2, 3)), "it has float64 in place of integers"),
        ("codes.npy", np.asarray(3), "it is a single number"),
        ("codes.npy", b"\x93NUMPY", "codes.npy is damaged"),
        ("codes.npy", b"", "codes.npy is damaged"),
        ("codes.npy", None, "codes.npy is damaged (No such file"),
        ("labels.npy", np.zeros(2, int), "it has the shape (2,) for 3 images"),
        ("labels.npy", np.zeros((3, 1), int), "it has the shape (3, 1) for 3 images"),
        ("labels.npy", np.zeros(3), "it has float64 in place of integers"),
        ("shapes.npy", np.ones(3, int), "shapes.npy is damaged (it has no shape a row"),
        ("shapes.npy", np.ones((3, 2), int), "the shape (3, 2, 3), and shapes.npy"),
    ],
)
def test_damaged_files_are_named(folder, file, content, message):
    if isinstance(content, np.ndarray):
        np.save(folder / file, content)
    elif content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        CodeSource(folder)
    assert str(error.value).startswith(f"{folder}/")
    assert "write the codes again" in str(error.value)


@pytest.mark.parametrize("code", [-1, 16])
def test_codes_out_of_range_are_refused(folder, code):
    array = np.load(folder / "codes.npy").astype(np.int32)
    array[1, 0, 0] = code
    np.save(folder / "codes.npy", array)
    source = CodeSource(folder)
    assert source[0]["codes"].shape == (2, 3)
    for read in (source.array, lambda: source[1]):
        with pytest.raises(InputError, match=rf"{code}.* has codes 0 to 15"):
            read()


@pytest.mark.parametrize("content", ["", "name\na\nb\nc\n", "name,label,class\n" * 4])
def test_a_damaged_list_of_images_is_named(folder, content):
    (folder / "images.csv").write_text(content)
    with pytest.raises(InputError, match=r"images\.csv is damaged"):
        CodeSource(folder).images  # noqa: B018


def test_large_codebooks_are_stored_in_wide_integers(tmp_path):
    image = EncodedImage(np.asarray([[2**16]]), "a", -1, (1, 1))
    _write(tmp_path, [image], codebook_size=2**16 + 1)
    assert CodeSource(tmp_path)[0]["codes"].item() == 2**16


def test_cards_are_as_written(folder):
    card = json.loads((folder / "codes.json").read_text())
    assert card == {"codebook_size": 16, "classes": ["cats", "dogs"], "step": 7}
