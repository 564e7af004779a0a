import gzip
import pathlib
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from vq_jax.data.sources.idx import IdxSource
from vq_jax.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)


def idx(array: np.ndarray) -> bytes:
    return header(*array.shape) + array.tobytes()


def header(*shape: int) -> bytes:
    return struct.pack(f">I{len(shape)}I", 0x800 + len(shape), *shape)


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def damaged(data: bytes) -> bytes:
    return data[:10] + b"\xff" + data[11:]  # a kind of block that does not exist


def write(folder: pathlib.Path, name: str, data: bytes) -> None:
    if name.endswith(".gz"):
        data = zipped(data)
    (folder / name).write_bytes(data)


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("joint", ["-", "."])
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_images_and_labels_come_back(tmp_path, split, prefix, joint, end):
    write(tmp_path, f"{prefix}-images{joint}idx3-ubyte{end}", idx(IMAGES))
    write(tmp_path, f"{prefix}-labels{joint}idx1-ubyte{end}", idx(LABELS))
    source = pickle.loads(pickle.dumps(IdxSource(str(tmp_path), split)))
    assert len(source) == 6
    for i in range(6):
        np.testing.assert_array_equal(source[i]["image"], IMAGES[i, :, :, None])
        assert source[i]["label"] == LABELS[i]
    assert source.classes == tuple("0123456789")
    assert "6 grey images 28 x 28" in source.description


def test_labels_are_optional(tmp_path):
    write(tmp_path, "train-images-idx3-ubyte", idx(IMAGES))
    source = IdxSource(str(tmp_path), "train")
    assert {record["label"] for record in source} == {-1}
    assert not source.classes


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("images-idx3-ubyte", idx(LABELS), "not with the magic number 00000803"),
        ("images-idx3-ubyte", b"", "not with the magic number"),
        ("images-idx3-ubyte", idx(IMAGES)[:12], "not with the magic number"),
        ("images-idx3-ubyte", idx(IMAGES)[:-1], r"only 4703 bytes .* \(6, 28, 28\)"),
        ("images-idx3-ubyte", idx(IMAGES) + b"\0", r"more bytes .* \(6, 28, 28\)"),
        ("images-idx3-ubyte", header(0, 28, 28), r"header says \(0, 28, 28\)"),
        ("images-idx3-ubyte", header(1 << 31, 0, 0), "header says"),
        # 2 ** 64 bytes, which are 0 in 64 bits
        ("images-idx3-ubyte", header(1 << 31, 1 << 31, 4), "header says"),
        ("images-idx3-ubyte", header(1 << 20, 28, 28), "header says"),
        (
            "images-idx3-ubyte",
            zipped(idx(IMAGES))[:99],
            "broken gzip file",
        ),
        ("images-idx3-ubyte", damaged(zipped(idx(IMAGES))), "broken gzip file"),
        ("images-idx3-ubyte", zipped(header(1 << 20, 28, 28)), "header says"),
        (
            "images-idx3-ubyte",
            zipped(idx(IMAGES) + bytes(1 << 20)),
            "more bytes",
        ),
        ("labels-idx1-ubyte", idx(LABELS[:5]), "5 labels for the 6 images"),
    ],
)
def test_broken_files_are_named(tmp_path, name, data, message):
    write(tmp_path, "train-images-idx3-ubyte", idx(IMAGES))
    (tmp_path / f"train-{name}").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as caught:
        IdxSource(str(tmp_path), "train")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert f"train-{name}" in str(caught.value)


def test_missing_file_names_where_to_get_one(tmp_path):
    with pytest.raises(InputError, match=r"no t10k-images-.*dataset-fashion-mnist"):
        IdxSource(str(tmp_path), "test")
    with pytest.raises(InputError, match=r"no split 'val'; .*\['train', 'test'\]"):
        IdxSource(str(tmp_path), "val")


def test_a_slice_has_those_images_and_the_classes_of_all(tmp_path):
    write(tmp_path, "train-images-idx3-ubyte", idx(IMAGES))
    write(tmp_path, "train-labels-idx1-ubyte", idx(LABELS))
    whole = IdxSource(str(tmp_path), "train")
    for split, rows in (
        ("train[:2]", slice(2)),
        ("train[2:5]", slice(2, 5)),
        ("train[4:]", slice(4, None)),
        ("train[50%:]", slice(3, None)),
        ("train[:33%]", slice(2)),
    ):
        source = pickle.loads(pickle.dumps(IdxSource(str(tmp_path), split)))
        np.testing.assert_array_equal(source.images, whole.images[rows], split)
        np.testing.assert_array_equal(source.labels, whole.labels[rows], split)
        assert source.classes == whole.classes
        assert source.fingerprint != whole.fingerprint
        assert split in source[0]["name"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("train[2]", r"'train\[2\]' is no slice; give it as train\[:500\]"),
        ("train[:-1]", "is no slice"),
        ("train[%:]", "is no slice"),
        ("train[:2]x", "is no slice"),
        ("train[3:3]", r"train has 6 records, so \[3:3\] stands for none"),
        ("train[:7]", r"give a slice within \[0:6\]"),
        ("val[:2]", r"no split 'val\[:2\]'"),
    ],
)
def test_a_slice_that_is_none_is_refused(tmp_path, split, message):
    write(tmp_path, "train-images-idx3-ubyte", idx(IMAGES))
    with pytest.raises(InputError, match=message):
        IdxSource(str(tmp_path), split)
