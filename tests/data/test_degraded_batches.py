"""Pairs of clean and degraded images: order, determinism, resumption, processes."""

import contextlib
import itertools

import numpy as np
import pytest
from ml_collections import ConfigDict

from configs.parts.data import photos
from vq_jax.data import degraded_batches, pipeline
from vq_jax.data.degradations.degradation import enlarge, evaluation_rng
from vq_jax.data.degradations.presets import DEGRADATIONS
from vq_jax.testing import trained


@pytest.fixture
def data():
    return ConfigDict({**photos(), "image_size": 32, "resize": "none"})


def _take(data, count, name="blind", **kwargs):
    kwargs = {"seed": 0, "batch_size": 4, **kwargs}
    batches = degraded_batches.train_batches(data, DEGRADATIONS[name], **kwargs)
    with contextlib.closing(batches):
        return [*itertools.islice(batches, count)]


def test_the_clean_images_are_those_of_other_runs(data):
    (pair,) = _take(data, 1)
    with contextlib.closing(
        pipeline.train_batches(data, seed=0, batch_size=4)
    ) as plain:
        np.testing.assert_array_equal(pair["image"], next(plain)["image"])
    assert pair["degraded"].shape == pair["image"].shape
    assert not np.array_equal(pair["degraded"], pair["image"])


def test_it_resumes_with_exactly_the_next_batch(data):
    made = DEGRADATIONS["blind"]
    batches = degraded_batches.train_batches(data, made, seed=0, batch_size=4)
    other = degraded_batches.train_batches(data, made, seed=0, batch_size=4)
    with contextlib.closing(batches), contextlib.closing(other):
        next(batches)
        other.set_state(batches.get_state())
        for _ in range(2):
            wanted, found = next(batches), next(other)
            for name in ("image", "degraded"):
                np.testing.assert_array_equal(found[name], wanted[name])


def test_another_epoch_does_another_thing_to_the_same_image(data, tmp_path):
    trained.write_images(tmp_path)
    data.update(source=f"folder:{tmp_path}", eval_split="train", image_size=16)
    data.update(crop="center", flip=False)
    whole, again = _take(data, 2, name="denoise", batch_size=30)
    seen = {
        image.tobytes(): degraded
        for image, degraded in zip(whole["image"], whole["degraded"], strict=True)
    }
    assert len(seen) == 30
    for image, degraded in zip(again["image"], again["degraded"], strict=True):
        assert not np.array_equal(degraded, seen[image.tobytes()])


def test_processes_share_the_batches_of_one(data):
    (whole,) = _take(data, 1)
    parts = [_take(data, 1, process_index=i, process_count=2)[0] for i in range(2)]
    found = np.concatenate([part["degraded"] for part in parts])
    both = sorted(image.tobytes() for image in whole["degraded"])
    assert sorted(image.tobytes() for image in found) == both


def test_evaluation_does_the_same_to_an_image_whatever_the_batch_and_the_seed(data):
    def read(name, seed, batch_size, limit=6):
        batches = degraded_batches.eval_batches(
            data,
            DEGRADATIONS[name],
            "test",
            seed=seed,
            batch_size=batch_size,
            limit=limit,
        )
        joined = [*batches]
        rows = np.concatenate([batch["mask"] for batch in joined]) > 0
        return tuple(
            np.concatenate([batch[key] for batch in joined])[rows]
            for key in ("image", "degraded")
        )

    np.testing.assert_array_equal(read("denoise", 1, 4)[1], read("denoise", 1, 6)[1])
    assert not np.array_equal(read("denoise", 1, 4)[1], read("denoise", 2, 4)[1])
    clean, degraded = read("bicubic_x4", 0, 4)
    small = DEGRADATIONS["bicubic_x4"].draw(evaluation_rng(0, 5))(clean[5])
    wanted = enlarge(small, 4)
    np.testing.assert_array_equal(degraded[5], wanted)
