import pathlib
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from vq_jax.data.sources.folder import FolderSource
from vq_jax.errors import InputError


def write(path: pathlib.Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(path)


def names(source: FolderSource) -> set[str]:
    root = pathlib.Path(source.name.removeprefix("folder:"))
    return {str(pathlib.Path(record["name"]).relative_to(root)) for record in source}


@pytest.mark.parametrize(("count", "num_test"), [(2, 1), (10, 1), (30, 2), (100, 5)])
def test_hold_out_is_a_partition_of_five_percent(tmp_path, count, num_test):
    for i in range(count):
        write(tmp_path / f"{i % 3}" / f"{i}.png")
    train, test, both = (
        names(FolderSource(str(tmp_path), split)) for split in ("train", "test", "all")
    )
    assert len(test) == num_test
    assert train.isdisjoint(test)
    assert train | test == both
    assert len(both) == count


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


def test_labels_agree_between_split_folders(tmp_path):
    write(tmp_path / "train" / "ant" / "1.png")
    write(tmp_path / "train" / "bee" / "2.png")
    write(tmp_path / "test" / "bee" / "3.png")
    assert [r["label"] for r in FolderSource(str(tmp_path), "train")] == [0, 1]
    assert [r["label"] for r in FolderSource(str(tmp_path), "test")] == [1]


def test_every_extension_and_linked_folders_but_nothing_hidden(tmp_path):
    for extension in ("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "JPG"):
        write(tmp_path / "data" / f"{extension}_.{extension}")
    write(tmp_path / "elsewhere" / "linked.png")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "notes.txt").write_text("no image")
    (tmp_path / "data" / "._x.png").write_text("no image either")
    (tmp_path / "data" / ".cache").mkdir()
    write(tmp_path / "data" / ".cache" / "y.png")
    source = FolderSource(str(tmp_path / "data"), "all")
    assert len(source) == 10
    assert all(record["image"].shape == (4, 5, 3) for record in source)


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
    write(tmp_path / "train" / "1.png")
    write(tmp_path / "val" / "1.png")
    message = r"no split 'test'; its split folders are \['train', 'val'\]"
    with pytest.raises(InputError, match=message):
        FolderSource(str(tmp_path), "test")
