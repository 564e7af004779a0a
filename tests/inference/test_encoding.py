"""Reading, encoding and writing at the same time, with a tokenizer that only counts."""

import threading
import types

import numpy as np
import pytest
from ml_collections import ConfigDict

from configs.parts import data
from vq_jax.data.code_writer import CodeWriter
from vq_jax.data.records import Records
from vq_jax.errors import InputError
from vq_jax.inference.encoding import encode_views, write_codes
from vq_jax.inference.fit import Fit
from vq_jax.inference.tokenizer import Tokenizer
from vq_jax.inference.views import Views
from vq_jax.testing import tiny

SECONDS = 60  # until a test that hangs fails


class _Source:
    name, split, classes = "numbers", "train", ()
    description = fingerprint = "images that a test gives"

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def label(self, index):
        return index

    def __getitem__(self, index):
        image = self.images[index]
        return {"image": image, "label": index, "name": f"in/{index}"}


class _Tokenizer(Tokenizer):
    """Its code of an image is the sum of the pixels."""

    def __init__(self, most=3, begins=lambda: None):
        sizes = types.SimpleNamespace(tokens_shape=lambda height, width: (1,))
        self.model, self._most, self._begins = sizes, most, begins

    def most_at_once(self, height, width):
        return self._most

    def encode_each(self, batches):
        self._begins()
        for batch in batches:
            assert len(batch) <= self._most
            yield batch.sum(axis=(1, 2, 3), dtype=np.int32)[:, None]


class _Writer(CodeWriter):
    """Three shards of four records."""

    num_shards, finished = 3, False

    def __init__(self, write=lambda number: None):
        self._write, self.written = write, {}

    def missing(self):
        return range(self.num_shards)

    def records(self, number):
        return range(4 * number, 4 * number + 4)

    def write(self, number, images, skipped):
        self._write(number)
        self.written[number] = images

    def finish(self):
        self.finished = True


def _write(writer, tokenizer, said=None):
    config = ConfigDict({**data.photos(), "image_size": 16, "resize": "none"})
    write_codes(
        writer,
        tokenizer,
        Records(_Source(tiny.images(12)), "raise"),
        Views(fit=Fit("crop", config, stride=4)),
        root="in/",
        say=(said if said is not None else []).append,
    )


def test_every_shard_has_its_records_in_order():
    writer, said = _Writer(), []
    _write(writer, _Tokenizer(), said)
    assert writer.finished
    assert said == [f"shard {n} of 3" for n in (1, 2, 3)]
    images = [image for number in range(3) for image in writer.written[number]]
    assert [image.name for image in images] == [*map(str, range(12))]
    sums = tiny.images(12).sum(axis=(1, 2, 3), dtype=np.int32)
    np.testing.assert_array_equal([image.codes[0] for image in images], sums)


def test_a_shard_is_written_while_the_next_is_encoded():
    second = threading.Event()
    begun = []

    def begins():
        begun.append(1)
        if len(begun) == 2:
            second.set()

    def write(number):
        if number == 0:
            assert second.wait(SECONDS)

    writer = _Writer(write)
    _write(writer, _Tokenizer(begins=begins))
    assert writer.finished


@pytest.mark.parametrize("bad", [0, 2])
def test_an_error_of_writing_is_raised_and_ends_it(bad):
    def write(number):
        if number == bad:
            raise InputError("the disk is full")

    writer = _Writer(write)
    with pytest.raises(InputError, match="the disk is full"):
        _write(writer, _Tokenizer())
    assert not writer.finished
    assert sorted(writer.written) == [*range(bad)]


def test_shards_before_an_error_of_encoding_are_written():
    begun = []

    def begins():
        begun.append(1)
        if len(begun) == 3:
            raise InputError("broken image")

    writer = _Writer()
    with pytest.raises(InputError, match="broken image"):
        _write(writer, _Tokenizer(begins=begins))
    assert sorted(writer.written) == [0, 1]


def test_neighbours_of_one_size_are_encoded_together():
    sizes = [(8, 8)] * 4 + [(8, 12)] + [(8, 8)] * 2
    config = ConfigDict({**data.photos(), "image_size": 16})
    views, shapes = Views(fit=Fit("whole", config, stride=4)), []

    class Noting(_Tokenizer):
        def encode_each(self, batches):
            return super().encode_each(self._noted(batches))

        def _noted(self, batches):
            for batch in batches:
                shapes.append(batch.shape[:3])
                yield batch

    records = _Source([tiny.images(1)[0, :h, :w] for h, w in sizes])
    made = [views(index, records[index]) for index in range(len(sizes))]
    found = [*encode_views(Noting(), made, "in/")]
    assert [image.size for image in found] == sizes
    assert shapes == [(3, 8, 8), (1, 8, 8), (1, 8, 12), (2, 8, 8)]
