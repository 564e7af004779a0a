import errno
import json
import multiprocessing
import os
import pathlib
import signal

import numpy as np
import pytest
from etils import epath

from vq_jax.data import pipeline
from vq_jax.errors import InputError


def take(batches, count: int) -> list[dict]:
    return [next(batches) for _ in range(count)]


def numbers(batches: list[dict]) -> list[int]:
    """Which images of `numbered_folder` are in the batches."""
    return [int(image[0, 0, 0]) for batch in batches for image in batch["image"]]


def assert_same(left: list[dict], right: list[dict]) -> None:
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


def break_images(spec: str, broken: list[int]) -> None:
    for number in broken:
        path = pathlib.Path(spec.removeprefix("folder:")) / f"{number:04d}.png"
        path.write_bytes(path.read_bytes()[:40])


def test_batches_have_the_declared_form(data_config):
    batch = next(pipeline.train_batches(data_config(), seed=0, batch_size=4))
    assert {k: (v.shape, v.dtype) for k, v in batch.items()} == {
        "image": ((4, 8, 8, 3), np.uint8),
        "label": ((4,), np.int32),
    }
    (batch,) = pipeline.eval_batches(data_config(), "test", batch_size=4, limit=3)
    assert batch["mask"].dtype == np.float32
    assert batch["image"].shape == (4, 8, 8, 3)


def test_seed_decides_everything(data_config):
    def draw(seed: int, **changes) -> list[dict]:
        config = data_config(image_size=16, resize="none", **changes)
        return take(pipeline.train_batches(config, seed=seed, batch_size=4), 3)

    assert_same(draw(1), draw(1))
    # Threads overtake each other; the order must not notice.
    assert_same(draw(1), draw(1, num_threads=0, prefetch=0))
    assert_same(draw(1), draw(1, num_threads=8, prefetch=64))
    assert not np.array_equal(draw(1)[0]["image"], draw(2)[0]["image"])


def test_every_epoch_has_each_image_once_in_a_new_order(data_config, numbered_folder):
    config = data_config(source=numbered_folder(12), train_split="all")
    batches = take(pipeline.train_batches(config, seed=0, batch_size=4), 9)
    epochs = [tuple(numbers(batches[i : i + 3])) for i in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert len(set(epochs)) == 3


def test_crops_differ_between_epochs_and_within_a_batch(data_config):
    config = data_config(image_size=64, resize="none", num_threads=0)
    count = len(pipeline.open_records(config, "train", random_crops=True))
    batches = pipeline.train_batches(config, seed=0, batch_size=count)
    first, second = ({i.tobytes() for i in next(batches)["image"]} for _ in range(2))
    # Whole photographs repeat within an epoch; equal crops of them are rare.
    assert len(first) > 0.95 * count
    assert len(first & second) < 0.05 * count


def test_center_crops_of_photographs_are_their_tiles(data_config):
    config = data_config(image_size=64, resize="none", crop="center", flip=False)
    tiles = pipeline.open_records(config, "train")
    batches = pipeline.train_batches(config, seed=0, batch_size=len(tiles))
    expected = sorted(tiles[i]["image"].tobytes() for i in range(len(tiles)))
    assert sorted(image.tobytes() for image in next(batches)["image"]) == expected


def test_fewer_images_than_the_batch(data_config, numbered_folder):
    config = data_config(source=numbered_folder(3), train_split="all")
    found = numbers(take(pipeline.train_batches(config, seed=0, batch_size=8), 3))
    assert np.bincount(found).tolist() == [8, 8, 8]


@pytest.mark.parametrize("stop", [0, 1, 5])
def test_resumed_iterator_goes_on_exactly(data_config, stop):
    config = data_config(image_size=16, resize="none", num_threads=4, prefetch=16)
    batches = pipeline.train_batches(config, seed=0, batch_size=4)
    take(batches, stop)
    state = json.loads(json.dumps(batches.get_state()))
    expected = take(batches, 4)
    fresh = pipeline.train_batches(config, seed=0, batch_size=4)
    take(fresh, 2)
    fresh.set_state(state)
    assert_same(take(fresh, 4), expected)
    assert len(json.dumps(state)) < 200


def test_a_position_in_other_records_is_warned_of(data_config, numbered_folder, caplog):
    spec = numbered_folder(12)
    config = data_config(source=spec, train_split="all")
    state = pipeline.train_batches(config, seed=0, batch_size=4).get_state()
    same = pipeline.train_batches(config, seed=0, batch_size=4)
    same.set_state(state)
    same.set_state({"next_index": 4})  # of a version that kept no fingerprint
    assert not caplog.records
    folder = pathlib.Path(spec.removeprefix("folder:"))
    (folder / "0003.png").rename(folder / "new.png")
    other = pipeline.train_batches(config, seed=0, batch_size=4)
    other.set_state(state)
    (warning,) = caplog.records
    assert "has changed since the checkpoint: then 12 images" in warning.getMessage()
    assert len(next(other)["image"]) == 4


def test_a_position_of_a_version_that_divided_otherwise_is_warned_of(
    data_config, numbered_folder, caplog
):
    config = data_config(source=numbered_folder(40), train_split="train")
    batches = pipeline.train_batches(config, seed=0, batch_size=4)
    batches.set_state({"next_index": 4})
    (warning,) = caplog.records
    assert "images that it held out may be trained on now" in warning.getMessage()


@pytest.mark.parametrize("process_count", [2, 3])
def test_processes_share_an_epoch(data_config, numbered_folder, process_count):
    config = data_config(source=numbered_folder(12), train_split="all")
    shares = [
        numbers(
            take(
                pipeline.train_batches(
                    config,
                    seed=0,
                    batch_size=6,
                    process_index=index,
                    process_count=process_count,
                ),
                2,
            )
        )
        for index in range(process_count)
    ]
    assert {len(share) for share in shares} == {12 // process_count}
    assert sorted(n for share in shares for n in share) == list(range(12))


def test_global_batch_does_not_depend_on_the_number_of_processes(data_config):
    config = data_config(image_size=16, resize="none")

    def images(count: int) -> list[set[bytes]]:
        parts = [
            take(
                pipeline.train_batches(
                    config, seed=3, batch_size=8, process_index=i, process_count=count
                ),
                3,
            )
            for i in range(count)
        ]
        return [
            {image.tobytes() for batch in step for image in batch["image"]}
            for step in zip(*parts, strict=True)
        ]

    # The same images and the same crops; so no two processes draw alike.
    assert images(1) == images(2) == images(4)


@pytest.mark.parametrize("process_count", [1, 2, 4])
@pytest.mark.parametrize(("count", "limit"), [(10, None), (8, None), (10, 3), (3, 99)])
def test_eval_covers_every_record_once(
    data_config, numbered_folder, count, limit, process_count
):
    config = data_config(source=numbered_folder(count))
    expected = min(count, limit or count)
    parts = [
        list(
            pipeline.eval_batches(
                config,
                "all",
                batch_size=4,
                process_index=index,
                process_count=process_count,
                limit=limit,
            )
        )
        for index in range(process_count)
    ]
    assert {len(part) for part in parts} == {-(-expected // 4)}
    # Process after process, batch after batch: the order of the records.
    in_order = [batch for step in zip(*parts, strict=True) for batch in step]
    images = np.concatenate([batch["image"] for batch in in_order])
    mask = np.concatenate([batch["mask"] for batch in in_order])
    np.testing.assert_array_equal(mask, np.arange(len(mask)) < expected)
    np.testing.assert_array_equal(images[mask > 0][:, 0, 0, 0], np.arange(expected))
    assert not images[mask == 0].any()


def test_first_images(data_config, numbered_folder):
    config = data_config(source=numbered_folder(5))
    images = pipeline.first_images(config, "all", 8)
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.arange(5))


def test_first_images_are_those_that_are_not_broken(data_config, numbered_folder):
    spec = numbered_folder(5)
    break_images(spec, [0, 2])
    config = data_config(source=spec, on_error="skip")
    images = pipeline.first_images(config, "all", 2)
    np.testing.assert_array_equal(images[:, 0, 0, 0], [1, 3])
    break_images(spec, [1, 3, 4])
    with pytest.raises(InputError, match="all 5 images are broken"):
        pipeline.first_images(config, "all", 2)


@pytest.mark.parametrize(("count", "found"), [(3, [0, 4, 8]), (20, [*range(9)])])
def test_spread_images_reach_from_the_first_to_the_last(
    data_config, numbered_folder, count, found
):
    config = data_config(source=numbered_folder(9))
    images = pipeline.spread_images(config, "all", count)
    np.testing.assert_array_equal(images[:, 0, 0, 0], found)


def test_spread_images_leave_out_broken_ones(data_config, numbered_folder):
    spec = numbered_folder(9)
    break_images(spec, [4])
    config = data_config(source=spec, on_error="skip")
    images = pipeline.spread_images(config, "all", 3)
    np.testing.assert_array_equal(images[:, 0, 0, 0], [0, 8])
    break_images(spec, [0, 8])
    with pytest.raises(InputError, match="all 3 images looked at are broken"):
        pipeline.spread_images(config, "all", 3)


@pytest.mark.parametrize("num_threads", [0, 3])
def test_broken_image_is_raised_with_its_name(
    data_config, numbered_folder, num_threads
):
    spec = numbered_folder(6)
    break_images(spec, [2])
    config = data_config(source=spec, train_split="all", num_threads=num_threads)
    with pytest.raises(InputError, match=r"0002\.png can't be decoded"):
        take(pipeline.train_batches(config, seed=0, batch_size=3), 2)
    with pytest.raises(InputError, match=r"0002\.png can't be decoded"):
        list(pipeline.eval_batches(config, "all", batch_size=3))


def test_skipped_images_are_counted_and_logged_once(
    data_config, numbered_folder, caplog
):
    spec = numbered_folder(6)
    break_images(spec, [2, 4])
    config = data_config(source=spec, train_split="all", on_error="skip")
    records = pipeline.open_records(config, "all")
    batches = pipeline.train_batches(config, seed=0, batch_size=4, records=records)
    found = numbers(take(batches, 6))
    assert set(found) == {0, 1, 3, 5}
    assert set(records.skipped) == {2, 4}
    assert "0002.png" in records.skipped[2]
    warnings = [r.getMessage() for r in caplog.records if "Skipped" in r.getMessage()]
    assert len(warnings) == 2


def test_skipped_images_are_masked_in_evaluation(data_config, numbered_folder):
    spec = numbered_folder(6)
    break_images(spec, [0, 4])
    config = data_config(source=spec, on_error="skip")
    batches = list(pipeline.eval_batches(config, "all", batch_size=4))
    mask = np.concatenate([batch["mask"] for batch in batches])
    np.testing.assert_array_equal(mask, [0, 1, 1, 1, 0, 1, 0, 0])


def test_a_folder_of_broken_images_ends(data_config, numbered_folder):
    spec = numbered_folder(3)
    break_images(spec, [0, 1, 2])
    config = data_config(source=spec, train_split="all", on_error="skip")
    with pytest.raises(InputError, match="all 3 images are broken"):
        next(pipeline.train_batches(config, seed=0, batch_size=2))


@pytest.mark.parametrize("error", [OSError(errno.ESTALE, "Stale"), MemoryError()])
def test_what_goes_wrong_in_reading_is_skipped(
    data_config, numbered_folder, monkeypatch, error
):
    config = data_config(source=numbered_folder(4), on_error="skip")

    def read_bytes(path):
        if path.name == "0002.png":
            raise error
        with open(path, "rb") as file:
            return file.read()

    monkeypatch.setattr(type(epath.Path("x")), "read_bytes", read_bytes)
    (batch,) = pipeline.eval_batches(config, "all", batch_size=4)
    np.testing.assert_array_equal(batch["mask"], [1, 1, 0, 1])


@pytest.mark.slow
def test_worker_processes_resume_and_name_broken_images(data_config, numbered_folder):
    spec = numbered_folder(12)
    config = data_config(source=spec, train_split="all", num_workers=2)
    batches = pipeline.train_batches(config, seed=0, batch_size=3)
    epoch = take(batches, 4)
    assert sorted(numbers(epoch)) == list(range(12))
    state = batches.get_state()
    expected = take(batches, 8)
    batches.set_state(state)
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:  # as a scheduler tells all processes of a job
        os.kill(worker.pid, signal.SIGTERM)
    assert_same(take(batches, 8), expected)
    batches.close()
    break_images(spec, list(range(12)))
    batches = pipeline.train_batches(config, seed=0, batch_size=3)
    with pytest.raises(InputError, match=r"\.png can't be decoded"):
        next(batches)
    batches.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 6, "process_count": 4}, "batch_size=6 .* by 4 processes"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 4, "process_index": 1}, r"process_index=1 .* \[0, 1\)"),
    ],
)
def test_batches_that_do_not_divide(data_config, arguments, message):
    with pytest.raises(InputError, match=message):
        pipeline.train_batches(data_config(), seed=0, **arguments)
    with pytest.raises(InputError, match=message):
        pipeline.eval_batches(data_config(), "test", **arguments)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("source", "photo", r"source='photo' is unknown; .*'folder:PATH'"),
        ("source", "folder:", r"source='folder:' is unknown"),
        ("source", "photos:x", r"source='photos:x' is unknown"),
        ("on_error", "ignore", r"on_error='ignore' .*\['raise', 'skip'\]"),
        ("crop", "middle", r"crop='middle'"),
        ("num_threads", -1, r"num_threads=-1 must be in"),
        ("train_split", "dev", r"no split 'dev'"),
    ],
)
def test_wrong_field_is_named(data_config, field, value, message):
    with pytest.raises(InputError, match=message):
        pipeline.train_batches(data_config(**{field: value}), seed=0, batch_size=4)


def test_limit_below_one(data_config):
    with pytest.raises(InputError, match="limit=0"):
        pipeline.eval_batches(data_config(), "test", batch_size=4, limit=0)


def test_describe_has_a_line_a_split(data_config):
    train, test = pipeline.describe(data_config(image_size=64)).splitlines()
    assert train.startswith("photos/train: 13 photographs")
    assert test.startswith("photos/test: 3 photographs (held out)")


def test_each_record_comes_once_in_order_and_broken_ones_are_left_out(
    data_config, numbered_folder
):
    source = numbered_folder(5)
    broken = source.removeprefix("folder:") + "/0002.png"
    pathlib.Path(broken).write_bytes(b"broken")
    config = data_config(source=source, on_error="skip")
    records = pipeline.open_records(config, "all")
    found = pipeline.each_record(
        config, records, range(1, 5), lambda index, record: (index, record["name"])
    )
    assert [(index, name[-8:-4]) for index, name in found] == [
        *((1, "0001"), (3, "0003"), (4, "0004")),
    ]
    assert broken in records.skipped[2]
    config.on_error = "raise"
    records = pipeline.open_records(config, "all")
    with pytest.raises(InputError, match=r"0002\.png can't be decoded"):
        list(pipeline.each_record(config, records, range(5), lambda *pair: pair))
