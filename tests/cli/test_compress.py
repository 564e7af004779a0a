"""`vq-jax compress` and `decompress`: files and folders, there and back."""

import numpy as np
import pytest
from PIL import Image

from vq_jax.apps.compression.compressor import Compressor
from vq_jax.testing import trained

SIZES = {"a": (16, 16), "b/c": (30, 17)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A tokenizer, a prior, and images of two sizes, one of which is broken."""
    root = tmp_path_factory.mktemp("compress")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    trained.write_prior(
        root / "prior", root / "tokenizer", root / "images", "independent"
    )
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        path = root / "given" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return root


def _flags(root, workdir="prior", images="given"):
    return f"--workdir={root / workdir}", f"--images={root / images}"


@pytest.mark.parametrize("out", ["folder", "all.vqj"])
def test_images_come_back_in_a_new_process(call, run, root, tmp_path, out):
    code, printed = call("compress", *_flags(root), f"--out={tmp_path / out}")
    assert code == 0, printed
    assert "cross-entropy of the prior" in printed
    found = sorted(path.name for path in tmp_path.rglob("*.vqj"))
    assert found == (["all.vqj"] if out == "all.vqj" else ["a.vqj", "c.vqj"])
    code, printed = run(
        "decompress",
        f"--workdir={root / 'prior'}",
        f"--files={tmp_path / out}",
        f"--out={tmp_path / 'images'}",
    )
    assert code == 0, printed
    for name, (height, width) in SIZES.items():
        with Image.open(tmp_path / "images" / f"{name}.png") as picture:
            assert picture.size == (width, height)


def test_a_tokenizer_codes_by_histogram_and_sizes_add_up(call, root, tmp_path):
    flags = (*_flags(root, "tokenizer"), f"--out={tmp_path / 'x.vqj'}", "--compare")
    code, printed = call("compress", *flags)
    assert code == 0, printed
    size = len((tmp_path / "x.vqj").read_bytes())
    assert f"({size} bytes)" in printed
    assert f"{size} bytes  {8 * size / (256 + 510):.4f} bits a pixel" in printed
    assert all(kind in printed for kind in ("PNG", "JPEG at quality", "WEBP at"))
    found = Compressor.load(root / "tokenizer").decompress(
        (tmp_path / "x.vqj").read_bytes(), "x"
    )
    assert [image.name for image in found] == ["a", "b/c"]


def test_broken_images_are_left_out_and_named(call, root, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    (images / "0.png").write_bytes(b"nothing")
    Image.new("L", (16, 16)).save(images / "1.png")
    code, printed = call(
        "compress",
        *_flags(root, "tokenizer", images),
        f"--out={tmp_path / 'out'}",
    )
    assert code == 2
    assert "left out 0:" in printed
    assert "error: 1 of 2 images are left out, as said above: 0." in printed
    assert (tmp_path / "out" / "1.vqj").exists()


def test_bad_input_is_one_line(call, root, tmp_path):
    def error(command, *flags):
        code, printed = call(command, f"--out={tmp_path / 'o'}", *flags)
        assert code == 2
        return printed.splitlines()[-1]

    text = error("compress", *_flags(root, "tokenizer"), "--coder=prior")
    assert "trains no prior" in text
    assert "--coder='zip' is unknown" in error("compress", *_flags(root), "--coder=zip")
    assert "--label" in error("compress", *_flags(root), "--label=7")
    workdir = f"--workdir={root / 'prior'}"
    text = error("decompress", workdir, f"--files={tmp_path}")
    assert "has no *.vqj" in text
    text = error("decompress", workdir, f"--files={tmp_path / 'x'}")
    assert "does not exist" in text
    (tmp_path / "y.vqj").write_bytes(b"\x89VQJ\1")
    text = error("decompress", workdir, f"--files={tmp_path / 'y.vqj'}")
    assert "y.vqj is damaged or cut off (5 bytes are less" in text
