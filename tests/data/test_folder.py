import os
import pathlib
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from vq_jax.data.sources import open_source
from vq_jax.data.sources.folder import FolderSource
from vq_jax.errors import InputError


def write(path: pathlib.Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(path)


def touch(path: pathlib.Path) -> None:
    """A file that is listed but never read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def names(source: FolderSource) -> set[str]:
    root = pathlib.Path(source.name.removeprefix("folder:"))
    return {str(pathlib.Path(record["name"]).relative_to(root)) for record in source}


def described(path: pathlib.Path, split: str = "all") -> str:
    return FolderSource(str(path), split).description


@pytest.mark.parametrize("count", [2, 10, 300])
def test_hold_out_is_a_partition(tmp_path, count):
    for i in range(count):
        touch(tmp_path / f"{i % 3}" / f"{i}.png")
    train, test, both = (
        set(FolderSource(str(tmp_path), split).files)
        for split in ("train", "test", "all")
    )
    # Of 300, 15 are expected, with a deviation of 4.
    assert 1 <= len(test) <= (1 if count <= 10 else 27)
    assert train.isdisjoint(test)
    assert train | test == both
    assert len(both) == count


def test_a_held_out_image_stays_held_out_as_the_folder_grows(tmp_path):
    held_out, start = set(), 0
    for count in (3, 40, 60, 200):
        for i in range(start, count):
            touch(tmp_path / f"img_{i:05}.png")
        now = set(FolderSource(str(tmp_path), "test").files)
        assert held_out <= now
        held_out, start = now, count
    assert len(held_out) > 1


def test_hold_out_depends_on_relative_paths_only(tmp_path):
    for i in range(20):
        write(tmp_path / "a" / "x" / f"{i}.png")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    parts = [names(FolderSource(str(tmp_path / d), "test")) for d in "ab"]
    assert parts[0] == parts[1]


def test_labels_number_the_sorted_top_level_folders(tmp_path):
    write(tmp_path / "zebra" / "deep" / "er" / "1.png", 1)
    write(tmp_path / "ant" / "2.PNG", 2)
    write(tmp_path / "3.jpg", 3)
    source = FolderSource(str(tmp_path), "all")
    labels = {int(r["image"][0, 0, 0]): r["label"] for r in source}
    assert labels == {1: 1, 2: 0, 3: -1}
    assert source.classes == ["ant", "zebra"]
    assert "3 images in 2 classes" in source.description


def test_a_name_has_one_label_in_every_split(tmp_path):
    for file in ("train/bee", "valid/ant", "valid/bee", "Test/bee", "night/bee"):
        write(tmp_path / file / "1.png")
    write(tmp_path / "night" / "aardvark" / "1.png")
    # A name that only a folder of an own name has moves no other.
    for split in ("train", "valid", "Test", "night", "all"):
        source = FolderSource(str(tmp_path), split)
        assert source.classes == ["ant", "bee", "aardvark"]
    labels = [r["label"] for r in FolderSource(str(tmp_path), "night")]
    assert labels == [2, 1]


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("Train", "train"),
        ("training", "train"),
        ("valid", "validation"),
        ("dev", "val"),
        ("TESTING", "test"),
        ("night", "night"),
    ],
)
def test_a_split_is_found_in_any_usual_spelling(tmp_path, folder, split):
    touch(tmp_path / folder / "cat" / "1.png")
    touch(tmp_path / "beside" / "2.png")
    touch(tmp_path / "3.png")
    source = FolderSource(str(tmp_path), split)
    assert source.files == [f"{folder}/cat/1.png"]
    assert "beside" in source.description
    assert len(FolderSource(str(tmp_path), "all")) == 3


def test_two_folders_of_one_split_have_to_be_told_apart(tmp_path):
    touch(tmp_path / "val" / "1.png")
    touch(tmp_path / "dev" / "2.png")
    assert FolderSource(str(tmp_path), "val").files == ["val/1.png"]
    with pytest.raises(
        InputError, match=r"'validation' may be any of \['dev', 'val'\]"
    ):
        FolderSource(str(tmp_path), "validation")


def test_class_folders_that_look_like_splits_are_pointed_out(tmp_path):
    for i in range(2):
        touch(tmp_path / "train2017" / f"{i}.png")
        touch(tmp_path / "cat" / f"{i}.png")
    assert "classes ['train2017'] look like splits" in described(tmp_path, "train")
    (tmp_path / "train2017").rename(tmp_path / "trainer")
    assert "look like" not in described(tmp_path, "train")


def test_pickle_and_channels(tmp_path):
    write(tmp_path / "1.png", 9)
    source = pickle.loads(pickle.dumps(FolderSource(str(tmp_path), "all", channels=1)))
    np.testing.assert_array_equal(source[0]["image"], np.full((4, 5, 1), 9))


def test_what_is_missing_is_named(tmp_path):
    write(tmp_path / "one" / "1.png")
    (tmp_path / "empty").mkdir()
    file = tmp_path / "one" / "1.png"
    for path, split, message in [
        (tmp_path / "gone", "train", r"gone does not exist"),
        (file, "train", r"1\.png is a file"),
        (tmp_path / "empty", "train", r"no images below .*empty; looked for .*\.webp"),
        (tmp_path / "one", "train", r"has 1 image: too few .* 'all'"),
        (tmp_path / "one", "val", r"no split 'val'; .*'train', 'test', 'all'"),
    ]:
        with pytest.raises(InputError, match=message):
            FolderSource(str(path), split)


def test_missing_split_folder_names_the_others(tmp_path):
    for folder in ("train", "Valid", "night"):
        touch(tmp_path / folder / "1.png")
    message = (
        r"no split 'test'; its split folders are \['Valid', 'train'\], and beside .*"
    )
    with pytest.raises(InputError, match=rf"{message}\['night'\]\. Set config"):
        FolderSource(str(tmp_path), "test")


@pytest.mark.parametrize("kind", ["folder", "idx", "tfds"])
@pytest.mark.parametrize("url", ["http://x.org/images", "foo://images"])
def test_a_url_that_nothing_opens(kind, url):
    with pytest.raises(InputError, match=rf"{url} can't be opened .*download"):
        open_source(f"{kind}:{url}", "train", image_size=8)


def test_names_that_are_no_utf8(tmp_path):
    folder = os.fsencode(tmp_path / "caf") + b"\xe9"
    os.mkdir(folder)
    for i in range(3):
        write(tmp_path / "x.png")
        os.rename(tmp_path / "x.png", folder + b"/\xe9%d.png" % i)
    source = FolderSource(str(tmp_path), "train")
    assert len(source) == 2
    assert source[0]["label"] == 0
    assert source[0]["name"].isprintable()
    assert r"caf\xe9/\xe9" in source[0]["name"]
    (tmp_path / source.files[0]).write_bytes(b"")
    with pytest.raises(InputError, match=r"caf\\xe9") as caught:
        source[0]
    str(caught.value).encode()


def test_fingerprint_is_that_of_the_list(tmp_path):
    for i in range(30):
        touch(tmp_path / "cat" / f"{i}.png")
    first = FolderSource(str(tmp_path), "train").fingerprint
    touch(tmp_path / "notes.txt")
    assert FolderSource(str(tmp_path), "train").fingerprint == first
    (tmp_path / "cat" / "7.png").rename(tmp_path / "cat" / "new.png")
    assert FolderSource(str(tmp_path), "all").fingerprint != first
