import os
import pathlib
import socket

import pytest
from etils import epath

from vq_jax.data.sources import listing
from vq_jax.errors import InputError


@pytest.fixture
def root(tmp_path) -> pathlib.Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def put(root: pathlib.Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def link(root: pathlib.Path, name: str, target: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(target)


def listed(root: pathlib.Path, **options) -> tuple[list[str], dict[str, int]]:
    found = listing.list_images(epath.Path(root), **options)
    return found.files, dict(found.left_out)


def test_every_image_is_listed_and_the_rest_counted_by_ending(root):
    endings = (
        "jpg",
        "JPEG",
        "jfif",
        "png",
        "webp",
        "avif",
        "jp2",
        "ppm",
        "tiff",
        "qoi",
    )
    put(root, *(f"deep/er/{ending}.{ending}" for ending in endings))
    put(root, "a.txt", "b.TXT", "c.heic", "deep/README")
    put(root, ".hidden.png", ".cache/x.png", "@eaDir/thumb.jpg", "lost+found/y.png")
    files, left_out = listed(root)
    assert files == sorted(f"deep/er/{ending}.{ending}" for ending in endings)
    assert left_out == {".txt": 2, ".heic": 1, "without ending": 1}
    text = listing.list_images(epath.Path(root)).left_out_text
    assert text == "2 .txt, 1 .heic, 1 without ending"


def test_many_kinds_are_summed_up():
    left_out = listing.Counter({f".{letter}": 1 for letter in "abcdefgh"})
    text = listing.Listing([], left_out).left_out_text
    assert text == "1 .a, 1 .b, 1 .c, 1 .d, 1 .e, 1 .f, 2 more kinds"


def test_a_folder_may_be_called_as_an_image(root):
    put(root, "1.png", "shot.png/in.png")
    assert listed(root) == (["1.png", "shot.png/in.png"], {})


def test_links_to_what_is_there_anyway_are_left_out(root):
    put(root, "cat/1.png", "dog/2.png")
    link(root, "a_copy", "cat")  # sorted before its target
    link(root, "cat/up", "..")
    link(root, "cat/self", "self")
    link(root, "cat/0.png", "1.png")
    link(root, "dog/round", "../cat/round")
    link(root, "cat/round", "../dog/round")
    files, left_out = listed(root)
    assert files == ["cat/1.png", "dog/2.png"]
    assert left_out == {listing.LINKED: 3, listing.BROKEN: 3}


def test_links_in_a_ring_of_folders_end(root):
    for a, b in ("ab", "bc", "ca"):
        put(root, f"{a}/{a}.png")
        for name in ("one", "two", "three"):
            link(root, f"{a}/{name}", f"../{b}")
    assert listed(root) == (["a/a.png", "b/b.png", "c/c.png"], {listing.LINKED: 9})


def test_links_out_of_the_folder_are_followed_once(root, tmp_path):
    put(tmp_path, "store/x.png", "store/sub/y.png", "file.png", "blob")
    put(root, "cat/1.png")
    link(root, "a", "../store")
    link(root, "b", "../store/sub")
    link(root, "cat/2.png", "../../file.png")
    link(root, "cat/3.png", "../../file.png")
    link(root, "cat/4.png", "../../blob")
    files, left_out = listed(root)
    assert files == ["a/sub/y.png", "a/x.png", "cat/1.png", "cat/2.png", "cat/4.png"]
    assert left_out == {listing.LINKED: 2}


def test_links_to_hidden_stores_are_images(root):
    put(root, ".git/annex/key.png", "objects/key")
    link(root, "cat/1.png", "../.git/annex/key.png")
    link(root, "cat/2.png", "../objects/key")
    assert listed(root) == (["cat/1.png", "cat/2.png"], {"without ending": 1})


def test_a_linked_folder_may_be_the_root(root, tmp_path):
    put(root, "1.png")
    link(tmp_path, "elsewhere", "root")
    assert listed(tmp_path / "elsewhere")[0] == ["1.png"]


def test_links_into_folders_apart_are_left_out(root):
    put(root, "train/1.png", "test/cat/2.png", "store/3.png")
    link(root, "train/cat", "../test/cat")
    link(root, "train/2.png", "../test/cat/2.png")
    link(root, "train/3.png", "../store/3.png")
    files, left_out = listed(root / "train", apart=[root / "test"])
    assert files == ["1.png", "3.png"]
    assert left_out == {listing.LINKED: 2}


def test_special_files_are_counted_and_not_opened(root, monkeypatch):
    put(root, "1.png")
    os.mkfifo(root / "pipe.png")
    link(root, "zero.png", "/dev/zero")
    link(root, "pipe2.png", "pipe.png")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        assert listed(root) == (["1.png"], {listing.SPECIAL: 4})


def test_unreadable_folders_are_errors_or_left_out(root, monkeypatch):
    put(root, "1.png", "locked/2.png")
    scandir = os.scandir

    def denied(path):
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    # The superuser may read all, whatever a folder's mode.
    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(InputError, match=r"locked can't be read \(Permission .*skip"):
        listed(root)
    assert listed(root, skip_unreadable=True) == (["1.png"], {listing.UNREADABLE: 1})
    with pytest.raises(InputError, match=r"locked can't be read"):
        listed(root / "locked", skip_unreadable=True)
    assert listing.subfolders(epath.Path(root / "locked"), True) == []


def test_no_image_names_what_there_is(root):
    put(root, "1.heic", "2.heic")
    with pytest.raises(InputError, match=r"no images below .*Left out: 2 \.heic\."):
        listed(root)
