"""Compressed files: codes back bit for bit, sizes as promised, damage refused."""

import dataclasses
import sys

import numpy as np
import pytest

from vq_jax import InputError
from vq_jax.apps.compression import coders, file_format, range_coder, rates
from vq_jax.apps.compression.compressor import Compressor, NamedImage
from vq_jax.apps.compression.file_format import CompressedFile, ImageEntry
from vq_jax.ops import frequencies
from vq_jax.testing import tiny, trained

SIZES = [(16, 16), (16, 16), (20, 35), (5, 3), (16, 16)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Images, two tokenizers, and below a name that of a prior."""
    root = tmp_path_factory.mktemp("compression")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    trained.write_tokenizer(root / "other", root / "images", seed=1)
    for case in ("autoregressive", "maskgit"):
        trained.write_prior(root / case, root / "tokenizer", root / "images", case)
    return root


@pytest.fixture(scope="module")
def load(root):
    """`load("maskgit")`: a compressor, made once."""
    made = {}

    def loaded(name, **options):
        key = name, *options.values()
        if key not in made:
            made[key] = Compressor.load(root / name, **options)
        return made[key]

    return loaded


def _images(count=5):
    rng = np.random.default_rng(0)
    return [
        NamedImage(f"a/{i:02d}", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        for i, size in enumerate(SIZES[:count])
    ]


def _compressor(load, case):
    if case in ("fixed", "order0"):
        return load("tokenizer", coder=case)
    return load(case)


@pytest.mark.parametrize("case", ["fixed", "order0", "autoregressive", "maskgit"])
def test_codes_names_and_sizes_come_back(load, case):
    compressor = _compressor(load, case)
    codes = [*compressor.encode(_images())]
    content = compressor.compress(codes)
    found = compressor.decompress(content, "x")
    assert len(found) == len(SIZES)
    for one, other, size in zip(codes, found, SIZES, strict=True):
        assert (one.name, one.size) == (other.name, other.size)
        assert other.size == size
        np.testing.assert_array_equal(one.codes, other.codes)
    for (name, image), named in zip(compressor.decode(found), _images(), strict=True):
        assert (name, image.shape) == (named.name, named.image.shape)


@pytest.mark.parametrize("case", ["fixed", "autoregressive", "maskgit"])
def test_the_stream_takes_what_the_frequencies_promise(load, case):
    compressor = _compressor(load, case)
    codes = [*compressor.encode(_images())]
    units = compressor.windows(codes)
    bits = 0.0

    def count(table, given):
        nonlocal bits
        chosen = np.take_along_axis(table, given[:, None], axis=-1)
        bits -= np.log2(chosen / frequencies.TOTAL).sum()
        return given

    compressor._coder(len(units), 0, -1).run(count, units)
    file = CompressedFile.from_bytes(compressor.compress(codes), "x")
    assert 0 <= len(file.stream) - bits / 8 < 9  # a word of the coder, and padding
    if case == "fixed":
        # Of a codebook that is no power of two.
        size = compressor.tokenizer.codebook_size
        assert abs(bits - units.size * np.log2(size)) < 1e-3 * units.size


def test_the_promise_of_an_exact_prior_is_its_cross_entropy(load):
    compressor = load("autoregressive")
    codes = [*compressor.encode(_images())]
    file = CompressedFile.from_bytes(compressor.compress(codes), "x")
    rows = {row.name: row for row in rates.ladder(compressor, codes, 1000)}
    promised = rows["cross-entropy of the prior"].num_bytes
    assert 0 <= len(file.stream) - promised < 9
    assert rows["files"].bits_per_pixel == 8000 / sum(h * w for h, w in SIZES)
    assert rows["fixed length"].num_bytes > promised


def test_a_histogram_that_is_counted_comes_near_that_of_all_codes():
    rng = np.random.default_rng(0)
    law = rng.dirichlet(np.full(16, 0.3))
    codes = rng.choice(16, 5000, p=law).astype(np.int32)
    writer = range_coder.RangeWriter()
    coders.OrderZero(16).run(writer, codes)
    counts = np.bincount(codes, minlength=16) / len(codes)
    entropy = -np.sum(counts[counts > 0] * np.log2(counts[counts > 0]))
    size = 8 * len(writer.to_bytes()) / len(codes)
    # (K - 1) / 2 · log2 n bits for what both ends learn.
    assert entropy < size < entropy + 16 / 2 * np.log2(5000) / 5000 + 64 / 5000
    reader = range_coder.RangeReader(writer.to_bytes())
    found = coders.OrderZero(16).run(reader, np.zeros_like(codes))
    np.testing.assert_array_equal(found, codes)


def test_windows_of_larger_images_are_those_of_the_prior(load):
    compressor = load("autoregressive")
    (image,) = compressor.encode(_images()[2:3])
    assert image.codes.shape == (8, 12)  # 20x35 grown to 32x48, stride 4
    windows = compressor.windows([image])
    assert windows.shape == (6, 4, 4)
    np.testing.assert_array_equal(windows[4], image.codes[4:, 4:8])


def test_damaged_files_are_refused(load):
    """60 with one bit flipped, 40 cut off."""
    compressor, rng = load("autoregressive"), np.random.default_rng(0)
    content = compressor.compress([*compressor.encode(_images(2))])
    files = []
    for place in rng.permutation(8 * len(content))[:60]:
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        files.append(bytes(flipped))
    files += [content[: rng.integers(len(content))] for _ in range(40)]
    for file in files:
        with pytest.raises(InputError, match=r"^x (is|has) [^\n]*(damaged|no file)"):
            compressor.decompress(file, "x")


def test_files_of_other_models_and_coders_are_refused(load, root):
    first, other = load("tokenizer", coder="order0"), load("other", coder="order0")
    content = first.compress([*first.encode(_images(1))])
    with pytest.raises(InputError, match="x was made with another model: "):
        other.decompress(content, "x")
    with pytest.raises(InputError, match=r"made with coder=order0, and this is fixed"):
        load("tokenizer", coder="fixed").decompress(content, "x")
    prior = load("autoregressive")
    content = prior.compress([*prior.encode(_images(1))])
    with pytest.raises(InputError, match="x was made with another model: "):
        load("maskgit").decompress(content, "x")


def test_codes_that_come_out_different_are_refused(load):
    compressor = load("autoregressive")
    file = CompressedFile.from_bytes(
        compressor.compress([*compressor.encode(_images(1))]), "x"
    )
    elsewhere = dataclasses.replace(
        file, codes_checksum=file.codes_checksum ^ 1, environment="jax 0.1 abacus"
    )
    with pytest.raises(
        InputError, match=r"other codes .* with jax 0.1 abacus, and thi"
    ):
        compressor.decompress(elsewhere.to_bytes(), "x")


def test_a_missing_package_is_named(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(InputError, match=r"pip install 'vq_jax\[compress\]'"):
        Compressor.load(root / "tokenizer")


def test_what_cannot_be_loaded_is_said(root):
    with pytest.raises(InputError, match="coder='zip' is unknown"):
        Compressor.load(root / "tokenizer", coder="zip")
    with pytest.raises(InputError, match="trains no prior"):
        Compressor.load(root / "tokenizer", coder="prior")


@pytest.mark.parametrize(
    "names",
    [
        [""],
        ["0", "1", "2"],
        ["08", "09", "10", "b/7x", "b/8x", "b/8y", "9", "10"],
        ["a", "a1", "a3", "x\udcff"],
    ],
)
def test_names_come_back(names):
    images = tuple(ImageEntry(name, (300, 5), (75, 2)) for name in names)
    file = CompressedFile("prior", b"12345678", 64, 9, "jax", images, 7, b"abc")
    assert CompressedFile.from_bytes(file.to_bytes(), "x") == file


def test_numbered_names_cost_nothing():
    def size(count):
        images = tuple(ImageEntry(f"{i:05d}", (28, 28), (7, 7)) for i in range(count))
        file = CompressedFile("prior", b"12345678", 64, -1, "", images, 0, b"")
        return len(file.to_bytes())

    assert size(2000) < size(2) + 16
    assert size(2) < file_format.HEAD.size + 30


def test_other_formats_are_no_worse_than_the_tokenizer():
    images = [NamedImage(str(i), image) for i, image in enumerate(tiny.images(3))]
    noise = np.random.default_rng(0).normal(0, 12, (3, *images[0].image.shape))
    decoded = [
        NamedImage(name, np.clip(image + part, 0, 255).astype(np.uint8))
        for (name, image), part in zip(images, noise, strict=True)
    ]
    png, *lossy = rates.other_formats(images, decoded)
    assert png.psnr == np.inf
    wanted = rates.mean_psnr(images, decoded)
    assert {row.name.split()[0] for row in lossy} == {"JPEG", "WEBP"}
    assert all(row.psnr >= wanted for row in lossy)
