"""Codes on disk come back as they were, and what is not codes is refused."""

import json
import pickle
import re

import numpy as np
import pytest

from vq_jax.data import codes
from vq_jax.data.code_shards import EncodedImage
from vq_jax.data.codes import CodeSource
from vq_jax.errors import InputError
from vq_jax.testing.codes import numbered, write

NAMES = ('cats/ä, "b"\n.png', "caf\udce9.png", "dogs/c.png")
CLASSES = ["cats", "dogs"]
ROW = "shard-00001"  # of the last image


def _images(*shapes):
    rng = np.random.default_rng(0)
    return [
        EncodedImage(
            rng.integers(0, 16, shape), name, label, (4 * shape[0] - 1, 4 * shape[1])
        )
        for name, label, shape in zip(NAMES, (0, -1, 1), shapes, strict=True)
    ]


def _write(path, images, **settings):
    write(path, images, **{"classes": CLASSES, "step": 7, **settings})


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
    assert np.load(folder / ROW / "codes.npy").dtype == np.uint16
    assert (source.card["step"], source.card["classes"]) == (7, CLASSES)
    assert source.token_shapes == [(2, 3)]
    with pytest.raises(IndexError):
        source[3]


@pytest.mark.parametrize("shapes", [[(2, 3, 2), (1, 1, 2), (4, 2, 2)], [(2, 2)] * 3])
def test_codes_of_several_shapes_come_one_by_one(tmp_path, shapes):
    images = _images(*shapes[:2], (5, 1, 2)[: len(shapes[0])])
    _write(tmp_path, images)
    source = CodeSource(tmp_path)
    assert len(source) == 3
    for i, image in enumerate(images):
        np.testing.assert_array_equal(source[i]["codes"], image.codes)
    assert len(source.token_shapes) == len({image.codes.shape for image in images})
    with pytest.raises(InputError, match=r"several shapes, .* source\[i\]\['codes'\]"):
        source.array()


def test_images_say_what_each_row_is(folder):
    rows = CodeSource(folder).images
    assert [row["name"] for row in rows] == [*NAMES]
    assert [row["class"] for row in rows] == ["cats", "", "dogs"]
    assert [row["label"] for row in rows] == [0, -1, 1]
    assert {(row["height"], row["width"], row["view"]) for row in rows} == {(7, 12, 0)}


def test_views_of_an_image_are_consecutive_rows(tmp_path):
    write(tmp_path, numbered(5, num_views=3), num_views=3)
    source = CodeSource(tmp_path)
    assert (source.num_images, source.num_views, len(source)) == (5, 3, 15)
    for row in range(15):
        codes = source[row]["codes"]
        assert (codes[1, 1], codes[0, 0]) == divmod(row, 3)
        assert source.images[row]["view"] == row % 3


def test_only_so_many_files_are_open_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(codes, "MAX_OPEN", 2)
    write(tmp_path, numbered(9), shard_size=1)
    source = CodeSource(tmp_path)
    assert [source[i]["codes"][1, 1] for i in [*range(9), 0, 8]] == [*range(9), 0, 8]
    assert source._open.cache_info().currsize == 2


def test_a_pickled_source_opens_its_files_again(folder):
    source = CodeSource(folder)
    pickled = pickle.dumps(source)
    assert len(pickled) < 500
    np.testing.assert_array_equal(pickle.loads(pickled).array(), source.array())


def test_codes_of_earlier_versions_are_read(tmp_path):
    np.save(tmp_path / "codes.npy", np.arange(12, dtype=np.uint16).reshape(2, 2, 3))
    np.save(tmp_path / "labels.npy", np.asarray([1, 0], np.int32))
    (tmp_path / "codes.json").write_text('{"codebook_size": 16, "classes": ["a", "b"]}')
    text = "name,label,class,height,width\nx.png,1,b,8,12\ny.png,0,a,8,12\n"
    (tmp_path / "images.csv").write_text(text)
    source = CodeSource(tmp_path)
    assert (source.num_images, source.num_views) == (2, 1)
    np.testing.assert_array_equal(source[1]["codes"], [[6, 7, 8], [9, 10, 11]])
    assert source.images[0] == {
        **{"name": "x.png", "class": "b", "label": 1},
        **{"height": 8, "width": 12, "view": 0},
    }


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("codes.json", b'{"codebook_size": 1', "codes.json is damaged (Expecting"),
        ("codes.json", b"[]", "it has no codebook_size"),
        ("codes.json", b'{"codebook_size": "16"}', "it has no codebook_size"),
        (
            "codes.json",
            b'{"codebook_size": 16, "num_shards": 1}',
            "it has no num_views",
        ),
        ("codes.json", b"\xff\xfe", "codes.json is damaged"),
        (f"{ROW}/codes.npy", np.zeros((1, 2, 3)), "float64 in place of integers"),
        (f"{ROW}/codes.npy", np.asarray(3), "it is a single number"),
        (f"{ROW}/codes.npy", b"\x93NUMPY", "codes.npy is damaged"),
        (f"{ROW}/codes.npy", b"", "codes.npy is damaged"),
        (f"{ROW}/codes.npy", "cut", "codes.npy is damaged (mmap length is greater"),
        (f"{ROW}/codes.npy", None, "codes.npy is damaged (No such file"),
        (f"{ROW}/labels.npy", np.zeros(2, int), "the shape (2,) for 1 images"),
        (f"{ROW}/labels.npy", np.zeros((1, 1), int), "the shape (1, 1) for 1 images"),
        (f"{ROW}/labels.npy", np.zeros(1), "it has float64 in place of integers"),
        (
            f"{ROW}/shapes.npy",
            np.ones(3, int),
            "damaged (it has no shape a row",
        ),
        (f"{ROW}/shapes.npy", np.ones((1, 2), int), "(1, 2, 3), and shapes.npy"),
    ],
)
def test_damaged_files_are_named(folder, file, content, message):
    if isinstance(content, np.ndarray):
        np.save(folder / file, content)
    elif content is None:
        (folder / file).unlink()
    else:
        whole = (folder / file).read_bytes()
        (folder / file).write_bytes(whole[:-2] if content == "cut" else content)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        CodeSource(folder)
    assert str(error.value).startswith(f"{folder}/")
    assert "write the codes again" in str(error.value)


def test_a_missing_shard_is_named(folder):
    (folder / ROW).rename(folder / "elsewhere")
    with pytest.raises(InputError, match=f"{folder}/{ROW}/codes.npy is damaged"):
        CodeSource(folder)


def test_a_shard_of_others_is_refused(folder, tmp_path):
    (folder / ROW / "labels.npy").write_bytes(b"")
    np.save(folder / ROW / "codes.npy", np.zeros((2, 2, 3), int))
    np.save(folder / ROW / "labels.npy", np.zeros(2, int))
    with pytest.raises(InputError, match=r"it has 3 rows, and shards 4"):
        CodeSource(folder)


@pytest.mark.parametrize("code", [-1, 16])
def test_codes_out_of_range_are_refused(folder, code):
    array = np.load(folder / "shard-00000" / "codes.npy").astype(np.int32)
    array[1, 0, 0] = code
    np.save(folder / "shard-00000" / "codes.npy", array)
    source = CodeSource(folder)
    assert source[0]["codes"].shape == (2, 3)
    for read in (source.array, lambda: source[1]):
        with pytest.raises(InputError, match=rf"{code}.* has codes 0 to 15"):
            read()


@pytest.mark.parametrize("content", ["", "name\na\nb\nc\n", "name,label,class\n" * 4])
def test_a_damaged_list_of_images_is_named(folder, content):
    (folder / ROW / "images.csv").write_text(content)
    with pytest.raises(InputError, match=r"images\.csv is damaged"):
        CodeSource(folder).images  # noqa: B018


def test_large_codebooks_are_stored_in_wide_integers(tmp_path):
    image = EncodedImage(np.asarray([[2**16]]), "a", -1, (1, 1))
    _write(tmp_path, [image], codebook_size=2**16 + 1)
    assert CodeSource(tmp_path)[0]["codes"].item() == 2**16


def test_cards_are_as_written(folder):
    assert json.loads((folder / "codes.json").read_text()) == {
        **{"codebook_size": 16, "classes": ["cats", "dogs"], "step": 7},
        **{"num_views": 1, "num_records": 3, "shard_size": 2},
        **{"num_images": 3, "num_shards": 2, "skipped": []},
    }


def test_other_codes_have_another_fingerprint(folder, tmp_path):
    other = tmp_path / "other"
    _write(other, _images(*[(2, 3)] * 3))
    assert CodeSource(other).fingerprint == CodeSource(folder).fingerprint
    _write(tmp_path / "later", _images(*[(2, 3)] * 3), step=8)
    assert CodeSource(tmp_path / "later").fingerprint != CodeSource(folder).fingerprint
