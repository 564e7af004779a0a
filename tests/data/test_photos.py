import pickle

import numpy as np
import pytest

from vq_jax.data.sources import photos
from vq_jax.data.sources.photos import PhotosSource
from vq_jax.errors import InputError


def test_no_photograph_is_in_both_splits():
    train, test = photos.PHOTOGRAPHS["train"], photos.PHOTOGRAPHS["test"]
    assert set(train).isdisjoint(test)
    assert set(train.values()).isdisjoint(test.values())
    # Pinned: with another split, numbers from before and after do not compare.
    assert set(test) == {"astronaut", "china", "chelsea"}


def test_no_test_tile_occurs_in_a_training_photograph():
    # Unaligned copies too: a window of 12 pixels in a row is as good as unique, unless
    # it is flat (black sky), so flat ones are left out.
    def rows(image: np.ndarray, step: int) -> set[bytes]:
        windows = np.lib.stride_tricks.sliding_window_view(image, 12, axis=1)
        windows = windows[:, ::step].reshape(-1, 3 * 12)
        return {w.tobytes() for w in windows[np.ptp(windows, axis=1) > 40]}

    held_out = set()
    for record in PhotosSource("test", 64):
        held_out |= rows(record["image"][::32], 24)
    assert len(held_out) > 500
    for name in photos.PHOTOGRAPHS["train"]:
        image = photos.photograph(name)[:512, :512]
        assert held_out.isdisjoint(rows(image, 1)), name


@pytest.mark.parametrize("size", [32, 100, 128])
def test_test_tiles_cover_what_fits_and_do_not_overlap(size):
    source = PhotosSource("test", size)
    seen = {name: np.zeros(im.shape[:2], int) for name, im in held_out().items()}
    for record in source:
        name, corner = record["name"].rstrip("]").split("[")
        top, left = map(int, corner.split(","))
        window = np.s_[top : top + size, left : left + size]
        np.testing.assert_array_equal(record["image"], held_out()[name][window])
        assert record["image"].shape == (size, size, 3)
        seen[name][window] += 1
    for count in seen.values():
        height, width = (side // size * size for side in count.shape)
        assert (count[:height, :width] == 1).all()
        assert count.sum() == height * width


def held_out() -> dict[str, np.ndarray]:
    return photos.held_out_photographs()


def test_first_records_show_all_held_out_photographs():
    source = PhotosSource("test", 64)
    names = [source[i]["name"].split("[")[0] for i in range(6)]
    assert names == [*photos.PHOTOGRAPHS["test"]] * 2


def test_training_is_proportional_to_area_up_to_the_median():
    source = PhotosSource("train", 64, random_crops=True)
    counts: dict[str, int] = {}
    for record in source:
        counts[record["name"]] = counts.get(record["name"], 0) + 1
        assert record["image"] is photos.photograph(record["name"])
    assert set(counts) == set(photos.PHOTOGRAPHS["train"])
    assert counts["rocket"] == (427 // 64) * (640 // 64)
    assert counts["retina"] == counts["hubble_deep_field"] == max(counts.values())
    assert counts["retina"] < (1411 // 64) ** 2


def test_photograph_smaller_than_a_tile_is_one_record():
    source = PhotosSource("test", 400)
    whole = [r for r in source if "[" not in r["name"]]
    assert [(r["name"], r["image"].shape) for r in whole] == [
        ("chelsea", (300, 451, 3))
    ]


def test_records_are_read_only_and_survive_pickling():
    source = PhotosSource("test", 64)
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy[5]["image"], source[5]["image"])
    assert len(pickle.dumps(source)) < 50_000
    with pytest.raises(ValueError, match="read-only"):
        source[0]["image"][0, 0, 0] = 1


def test_unknown_split():
    with pytest.raises(InputError, match=r"'photos' has no split 'val'.*train.*test"):
        PhotosSource("val", 64)
