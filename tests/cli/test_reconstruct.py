"""What `vq-jax reconstruct` writes, with a tokenizer that returns negatives."""

import errno
import types

import numpy as np
import pytest
from etils import epath
from ml_collections import ConfigDict
from PIL import Image

from vq_jax.cli import image_files, reconstruct
from vq_jax.inference import load
from vq_jax.inference import tokenizer as inference

PHOTOGRAPHS = {
    "wide": np.full((6, 9, 3), 10, np.uint8),
    "high": np.full((11, 4, 3), 20, np.uint8),
}


@pytest.fixture
def sizes(monkeypatch):
    """The sizes of images that the tokenizer is called with, and so compiled for."""
    met = set()

    def negative(images):
        met.add(images.shape[1:3])
        return 255 - images

    tokenizer = types.SimpleNamespace(channels=3, stride=4, reconstruct=negative)
    data = ConfigDict({"channels": 3, "white_point": 0.0})
    config = ConfigDict({"data": data})
    trained = types.SimpleNamespace(model=None, variables={}, config=config)
    monkeypatch.setattr(load, "load_workdir", lambda workdir: trained)
    monkeypatch.setattr(inference, "Tokenizer", lambda *args, chunk_size: tokenizer)
    return met


@pytest.fixture
def written(monkeypatch, tmp_path, sizes):
    """`written(*flags)`: {name: pixels} of what the photographs become."""
    monkeypatch.setattr(image_files.photos, "held_out_photographs", lambda: PHOTOGRAPHS)

    def run(*flags: str) -> dict[str, np.ndarray]:
        arguments = ("--workdir=none", "--images=photos", f"--out={tmp_path}")
        reconstruct.main(["reconstruct", *arguments, *flags])
        return {
            path.name: np.array(Image.open(path)) for path in tmp_path.glob("*.png")
        }

    return run


def test_the_closing_picture_has_photographs_left_of_reconstructions(written):
    pictures = written("--compare")
    assert set(pictures) == {"wide.png", "high.png", "together.png"}
    together, top = pictures["together.png"], 0
    for image in PHOTOGRAPHS.values():
        height, width = image.shape[:2]
        shown = together[top : top + height]
        np.testing.assert_array_equal(shown[:, :width], image)
        # Two white pixels between pictures.
        assert (shown[:, width : width + 2] == 255).all()
        np.testing.assert_array_equal(shown[:, width + 2 : 2 * width + 2], 255 - image)
        top += height + 2
    assert top == len(together)


def test_without_compare_there_are_reconstructions_only(written):
    pictures = written()
    assert set(pictures) == {"wide.png", "high.png"}
    np.testing.assert_array_equal(pictures["wide.png"], 255 - PHOTOGRAPHS["wide"])


@pytest.fixture
def folder(tmp_path, sizes):
    """A folder of three pictures, of which the second is broken."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        Image.fromarray(PHOTOGRAPHS["wide"]).save(folder / f"{name}[x].png")
    (folder / "b[x].png").write_bytes(b"broken")
    return folder


def test_a_broken_picture_does_not_stop_the_others(call, folder, tmp_path):
    out = tmp_path / "out"
    code, printed = call(
        "reconstruct", "--workdir=none", f"--images={folder}", f"--out={out}"
    )
    assert code == 2
    assert {path.name for path in out.iterdir()} == {"a[x].png", "c[x].png"}
    assert f"left out b[x]: {folder}/b[x].png can't be decoded" in printed
    assert printed.endswith("error: 1 of 3 images are left out, as said above: b[x].\n")


def test_a_link_in_the_folder_is_replaced_and_not_followed(call, folder, tmp_path):
    (folder / "b[x].png").unlink()
    out, target = tmp_path / "out", tmp_path / "precious"
    out.mkdir()
    target.write_text("precious")
    (out / "a[x].png").symlink_to(target)
    (out / "a[x].png.draft").symlink_to(target)
    code, printed = call(
        "reconstruct", "--workdir=none", f"--images={folder}", f"--out={out}"
    )
    assert code == 0, printed
    assert target.read_text() == "precious"
    assert {path.name for path in out.iterdir()} == {"a[x].png", "c[x].png"}
    assert not (out / "a[x].png").is_symlink()


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    call, folder, tmp_path, monkeypatch
):
    def full(path, content):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(epath.Path(tmp_path)), "write_bytes", full)
    out = tmp_path / "out"
    code, printed = call(
        "reconstruct", "--workdir=none", f"--images={folder}", f"--out={out}"
    )
    assert code == 2
    assert printed == (
        f"error: {out}/a[x].png: No space left on device; make room there, or name "
        "another place.\n"
    )
    assert not list(out.iterdir())


def test_pictures_of_many_sizes_are_padded_to_few(call, tmp_path, sizes):
    folder = tmp_path / "in"
    folder.mkdir()
    for side in range(33, 64):
        Image.new("RGB", (side, 64)).save(folder / f"{side}.png")
    code, printed = call(
        "reconstruct", "--workdir=none", f"--images={folder}", f"--out={tmp_path}/out"
    )
    assert code == 0, printed
    fitting = {36, 40, 44, 48, 52, 56, 60}
    assert sizes == {(64, width) for width in {40, 48, 56, 64} | fitting}
    for side in (33, 63):
        with Image.open(tmp_path / "out" / f"{side}.png") as picture:
            assert picture.size == (side, 64)
    assert "(41x64, padded to 48x64 by repeating the edge, then cropped" in printed


@pytest.mark.parametrize(
    ("images", "out", "message"),
    [
        (
            "{tmp}/none",
            "{tmp}/out",
            "error: --images: folder {tmp}/none does not exist",
        ),
        ("{tmp}", "{tmp}/file/out", "{tmp}/file/out cannot be written to (Not a dir"),
        ("", "{tmp}/out", "argument --images: it is empty"),
    ],
)
def test_bad_folders_are_one_line(call, sizes, tmp_path, images, out, message):
    (tmp_path / "file").write_text("in the way")
    code, printed = call(
        "reconstruct",
        "--workdir=none",
        f"--images={images.format(tmp=tmp_path)}",
        f"--out={out.format(tmp=tmp_path)}",
    )
    assert code == 2
    assert message.format(tmp=tmp_path) in printed
    assert "config." not in printed
    assert not sizes
