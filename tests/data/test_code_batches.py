"""Batches of codes keep what batches of images promise."""

import json

import numpy as np
import pytest

from vq_jax.data import code_batches, pipeline
from vq_jax.data.codes import CodeSource
from vq_jax.errors import InputError
from vq_jax.testing.codes import numbered, write

SHAPE = (2, 3)


@pytest.fixture
def source(tmp_path):
    """`source(n)`: codes of n images whose codes are their numbers."""

    def make(count: int, num_views: int = 1, **settings) -> CodeSource:
        folder = tmp_path / f"codes{count}x{num_views}"
        images = numbered(count, num_views=num_views)
        write(folder, images, num_views=num_views, **settings)
        return CodeSource(folder)

    return make


def take(batches, count: int) -> list[dict]:
    return [next(batches) for _ in range(count)]


def numbers(batches: list[dict]) -> list[int]:
    """Which images of `numbered` are in the batches."""
    return [int(codes[1, 1]) for batch in batches for codes in batch["codes"]]


def views(batches: list[dict]) -> list[int]:
    return [int(codes[0, 0]) for batch in batches for codes in batch["codes"]]


def assert_same(left: list[dict], right: list[dict]) -> None:
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


def test_batches_have_the_declared_form(data_config, source):
    batch = next(
        code_batches.train_batches(source(5), data_config(), seed=0, batch_size=4)
    )
    (held_out,) = code_batches.eval_batches(source(3), data_config(), batch_size=4)
    for found in (batch, held_out):
        assert found["codes"].shape == (4, *SHAPE)
        assert found["codes"].dtype == found["label"].dtype == np.int32
        assert found["label"].shape == (4,)
    np.testing.assert_array_equal(held_out["mask"], np.float32([1, 1, 1, 0]))
    np.testing.assert_array_equal(held_out["label"], [0, 1, 2, -1])


def test_every_epoch_has_each_image_once_in_one_of_its_views(data_config, source):
    epochs = code_batches.train_batches(
        source(12, 4), data_config(), seed=0, batch_size=4
    )
    epochs = [take(epochs, 3) for _ in range(40)]
    orders = [tuple(numbers(epoch)) for epoch in epochs]
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert len(set(orders)) == 40
    # 480 draws of 4 views: 120 each, with a standard deviation of 9.5.
    drawn = np.bincount([view for epoch in epochs for view in views(epoch)])
    assert drawn.shape == (4,)
    assert abs(drawn - 120).max() < 50
    of_one = {views(e)[numbers(e).index(5)] for e in epochs}
    assert of_one == {0, 1, 2, 3}


def test_seed_decides_everything(data_config, source):
    codes = source(12, 4)

    def draw(seed: int, **changes) -> list[dict]:
        config = data_config(**changes)
        return take(
            code_batches.train_batches(codes, config, seed=seed, batch_size=4), 5
        )

    assert_same(draw(1), draw(1))
    assert_same(draw(1), draw(1, num_threads=0, prefetch=0))
    assert_same(draw(1), draw(1, num_threads=8, prefetch=64))
    assert numbers(draw(1)) != numbers(draw(2))


def test_the_order_is_that_of_images(data_config, numbered_folder, source):
    config = data_config(source=numbered_folder(9), train_split="all")
    images = take(pipeline.train_batches(config, seed=5, batch_size=3), 6)
    codes = code_batches.train_batches(source(9), config, seed=5, batch_size=3)
    of_images = [int(image[0, 0, 0]) for batch in images for image in batch["image"]]
    assert numbers(take(codes, 6)) == of_images


def test_global_batch_does_not_depend_on_the_number_of_processes(data_config, source):
    codes = source(10, 3)

    def steps(count: int) -> list[set]:
        parts = [
            take(
                code_batches.train_batches(
                    codes,
                    data_config(),
                    seed=3,
                    batch_size=4,
                    process_index=index,
                    process_count=count,
                ),
                5,
            )
            for index in range(count)
        ]
        return [
            sorted(zip(numbers(step), views(step), strict=True))
            for step in zip(*parts, strict=True)
        ]

    assert steps(1) == steps(2) == steps(4)


@pytest.mark.parametrize("stop", [0, 1, 5])
def test_resumed_iterator_goes_on_exactly(data_config, source, stop):
    codes, config = source(12, 4), data_config(num_threads=4, prefetch=16)
    batches = code_batches.train_batches(codes, config, seed=0, batch_size=4)
    take(batches, stop)
    state = json.loads(json.dumps(batches.get_state()))
    expected = take(batches, 4)
    fresh = code_batches.train_batches(codes, config, seed=0, batch_size=4)
    take(fresh, 2)
    fresh.set_state(state)
    assert_same(take(fresh, 4), expected)
    assert len(json.dumps(state)) < 200


def test_a_position_in_other_codes_is_warned_of(data_config, source, caplog):
    def batches(codes):
        return code_batches.train_batches(codes, data_config(), seed=0, batch_size=4)

    state = batches(source(12)).get_state()
    batches(source(12)).set_state(state)
    assert not caplog.records
    batches(source(13)).set_state(state)
    (warning,) = caplog.records
    assert "has changed since the checkpoint: then 12 rows" in warning.getMessage()


@pytest.mark.parametrize("process_count", [1, 2, 4])
@pytest.mark.parametrize(("count", "limit"), [(10, None), (8, None), (10, 3), (3, 99)])
def test_evaluation_has_the_first_view_of_each_image_once(
    data_config, source, count, limit, process_count
):
    expected = min(count, limit or count)
    parts = [
        list(
            code_batches.eval_batches(
                source(count, 2),
                data_config(),
                batch_size=4,
                process_index=index,
                process_count=process_count,
                limit=limit,
            )
        )
        for index in range(process_count)
    ]
    in_order = [part[i] for i in range(len(parts[0])) for part in parts]
    mask = np.concatenate([batch["mask"] for batch in in_order])
    np.testing.assert_array_equal(mask, np.arange(len(mask)) < expected)
    assert numbers(in_order)[:expected] == list(range(expected))
    assert set(views(in_order)) == {0}


@pytest.mark.slow
def test_worker_processes_resume(data_config, source):
    config = data_config(num_workers=2)
    batches = code_batches.train_batches(source(12, 2), config, seed=0, batch_size=3)
    assert sorted(numbers(take(batches, 4))) == list(range(12))
    state = batches.get_state()
    expected = take(batches, 4)
    batches.set_state(state)
    assert_same(take(batches, 4), expected)
    batches.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 6, "process_count": 4}, "batch_size=6 .* by 4 processes"),
        ({"batch_size": 4, "process_index": 1}, r"process_index=1 .* \[0, 1\)"),
    ],
)
def test_batches_that_do_not_divide(data_config, source, arguments, message):
    with pytest.raises(InputError, match=message):
        code_batches.train_batches(source(8), data_config(), seed=0, **arguments)
    with pytest.raises(InputError, match=message):
        code_batches.eval_batches(source(8), data_config(), **arguments)
