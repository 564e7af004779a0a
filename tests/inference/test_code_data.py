"""What a prior learns from is the same, encoded as it trains or read from disk."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from etils import epath
from ml_collections import ConfigDict
from PIL import Image

from vq_jax.cli import tokenize
from vq_jax.errors import InputError
from vq_jax.inference import load
from vq_jax.inference.code_data import open_code_data
from vq_jax.testing import tiny
from vq_jax.testing.tokenizers import untrained

DATA = {
    "train_split": "train",
    "eval_split": "test",
    "data_dir": "",
    "image_size": 16,
    "channels": 3,
    "resize": "none",
    "kernel": "bicubic",
    "crop": "center",
    "flip": False,
    "color_prob": 0.0,
    "exclude_labels": (),
    "white_point": 0.0,
    "on_error": "raise",
    "num_threads": 2,
    "prefetch": 4,
    "num_workers": 0,
}


def _tokenizer(source: str, **options):
    return untrained(ConfigDict({**DATA, "source": source}), **options)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Images of two classes: 22 to train on, 10 held out."""
    folder = tmp_path_factory.mktemp("images")
    for split, count in (("train", 22), ("test", 10)):
        for i, image in enumerate(tiny.images(count, seed=count)):
            path = folder / split / ("cats", "dogs")[i % 2] / f"{i:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return f"folder:{folder}"


@pytest.fixture(scope="module")
def tokenizer(source):
    return _tokenizer(source)


@pytest.fixture(scope="module")
def codes(tokenizer, tmp_path_factory):
    """A folder with the codes of both splits."""
    folder = tmp_path_factory.mktemp("codes")
    with pytest.MonkeyPatch.context() as patch:
        for split in ("train", "test"):
            opened = dataclasses.replace(
                tokenizer, config=ConfigDict(tokenizer.config.to_dict())
            )
            patch.setattr(load, "open_workdir", lambda _, opened=opened: opened)
            arguments = ["--workdir=x", f"--split={split}", f"--out={folder / split}"]
            tokenize.main(["tokenize", *arguments, "--shard_size=8"])
    return folder


def _open(codes, tokenizer, **changes):
    data = ConfigDict({**tokenizer.config.data.to_dict(), **changes})
    return open_code_data(str(codes), tokenizer, data)


def _codes(data, batches, count):
    nets = {name: net.load() for name, net in data.nets.items()}
    to_codes = jax.jit(lambda batch: data.codes(batch, nets))
    return [
        (
            np.asarray(to_codes({k: v for k, v in batch.items() if k != "mask"})),
            *(batch["label"], batch.get("mask")),
        )
        for batch, _ in zip(batches, range(count), strict=False)
    ]


def _pair(codes, tokenizer):
    return _open("online", tokenizer), _open(codes, tokenizer)


def test_evaluation_sees_the_codes_that_it_would_encode(codes, tokenizer):
    online, saved = (
        _codes(data, data.eval_batches("test", batch_size=4, limit=9), 9)
        for data in _pair(codes, tokenizer)
    )
    assert len(online) == len(saved) == 3
    for left, right in zip(online, saved, strict=True):
        rows = left[2] > 0
        np.testing.assert_array_equal(left[2], right[2])
        np.testing.assert_array_equal(left[0][rows], right[0][rows])
        np.testing.assert_array_equal(left[1], right[1])


def test_training_takes_the_same_codes_in_the_same_order(codes, tokenizer):
    fields = {"batch_size": 16, "process_index": 0, "process_count": 1}
    online, saved = (
        _codes(data, data.train_batches(seed=3, **fields), 4)
        for data in _pair(codes, tokenizer)
    )
    for left, right in zip(online, saved, strict=True):
        np.testing.assert_array_equal(left[0], right[0])
        np.testing.assert_array_equal(left[1], right[1])


def test_batches_are_as_announced(codes, tokenizer):
    for data in _pair(codes, tokenizer):
        fields = {"batch_size": 16, "process_index": 0, "process_count": 1}
        batch = next(data.train_batches(seed=0, **fields))
        wanted = data.abstract_batch(16)
        found = {name: (batch[name].shape, batch[name].dtype) for name in wanted}
        assert found == {name: (x.shape, x.dtype) for name, x in wanted.items()}


def test_saved_codes_say_what_they_are(codes, tokenizer):
    data = _open(codes, tokenizer)
    train, test = data.describe().splitlines()
    assert train.startswith(f"codes:{codes}/train: ")
    assert test.endswith("images, the 16x16 pixels in the centre of each image")
    assert len(data.classes("train")) == 2
    assert not data.nets


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (
            "no folder",
            "codes of split 'train' are missing; write them with: vq-jax tok",
        ),
        ("no split", "codes of split 'test' are missing; .*--split=test --out=.*/test"),
        ("no card", "codes of split 'test' are unfinished; write them with"),
        ("no shard", r"shard-00000/codes.npy is damaged \(No such file"),
        ("cut", r"shard-00000/codes.npy is damaged \(mmap length is greater"),
        (
            "digest",
            "digest is abc, and the configuration, with the tokenizer runs/tiny",
        ),
        ("codebook_size", "codebook_size is 999, and .* stands for 16"),
        ("split", "split is dev, and .* stands for test"),
        ("source", "config.data.source is idx:x, and .* stands for folder:"),
        ("exclude_labels", r"exclude_labels is \[1\], and .* stands for \[\]"),
        ("classes", r"have other classes: \['cats', 'dogs'\] …, 2, and \['a"),
    ],
)
def test_other_codes_are_refused(codes, tokenizer, tmp_path, harm, message):
    folder = epath.Path(tmp_path) / "codes"
    if harm != "no folder":
        shutil.copytree(codes / "train", folder / "train")
        if harm != "no split":
            shutil.copytree(codes / "test", folder / "test")
    test = folder / "test"
    shard = test / "shard-00000"
    if harm == "no card":
        (test / "codes.json").unlink()
    elif harm == "no shard":
        shard.rmtree()
    elif harm == "cut":
        (shard / "codes.npy").write_bytes((shard / "codes.npy").read_bytes()[:-2])
    elif not harm.startswith("no "):
        values = {"digest": "abc", "codebook_size": 999, "split": "dev"}
        values |= {"source": "idx:x", "classes": ["a", "b"]}
        values |= {"exclude_labels": [1]}
        card = json.loads((test / "codes.json").read_text())
        card[harm] = values[harm]
        (test / "codes.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=message):
        _open(folder, tokenizer).describe()
    with pytest.raises(InputError, match=message):
        _open(folder, tokenizer).train_batches(
            seed=0, batch_size=4, process_index=0, process_count=1
        )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"seed": 1},
            "other codes: the tokenizer's digest is .* at step 7, stands",
        ),
        ({"quantizer": "product"}, "the tokenizer's digest is"),
    ],
)
def test_codes_of_another_tokenizer_are_refused(codes, source, other, message):
    with pytest.raises(InputError, match=message):
        _open(codes, _tokenizer(source, **other)).describe()


def test_codes_of_another_shape_are_refused(codes, tokenizer):
    config = ConfigDict(tokenizer.config.to_dict())
    config.data.image_size = 8
    smaller = dataclasses.replace(tokenizer, config=config)
    with pytest.raises(InputError, match=r"tokens is \[\(4, 4\)\], .* \[\(2, 2\)\]"):
        _open(codes, smaller, image_size=8).describe()


def test_labels_beyond_the_classes_are_refused(codes, tokenizer, tmp_path):
    shutil.copytree(codes, tmp_path / "codes")
    labels = tmp_path / "codes" / "test" / "shard-00000" / "labels.npy"
    np.save(labels, np.load(labels) + 2)
    with pytest.raises(InputError, match=r"test is damaged \(label 3 of 2 classes\)"):
        _open(tmp_path / "codes", tokenizer).describe()


def test_no_codes_are_named(tokenizer):
    with pytest.raises(InputError, match=r"config\.codes is empty; give 'online', or"):
        _open("", tokenizer)
