"""Variations: what is kept, what is drawn, and what both depend on."""

import dataclasses
import itertools

import numpy as np
import pytest
from PIL import Image

from vq_jax import InputError, Sampler
from vq_jax.apps.variation import Varier
from vq_jax.inference.padding import pad_to_few
from vq_jax.testing import trained

SHARES = (0.0, 0.3, 0.5, 1.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("variation")
    trained.write_images(root / "images")
    for case in ("maskgit", "autoregressive", "next_scale"):
        quantizer = trained.QUANTIZERS.get(case, "fsq")
        tokenizer = root / f"tokenizer_{quantizer}"
        if not tokenizer.exists():
            trained.write_tokenizer(tokenizer, root / "images", quantizer)
        trained.write_prior(root / case, tokenizer, root / "images", case)
    return root


@pytest.fixture(scope="module")
def sampler(root):
    return Sampler.load(root / "maskgit", batch_size=2)


def _image(height=16, width=16, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _round_trip(tokenizer, image):
    """As `vq-jax reconstruct` takes it."""
    padded = pad_to_few(image, tokenizer.stride)
    return tokenizer.reconstruct(padded[None])[0, : image.shape[0], : image.shape[1]]


@pytest.mark.parametrize("choice", ["random", "blocks", "last"])
def test_codes_of_a_smaller_share_are_among_those_of_a_larger(sampler, choice):
    varier = Varier(sampler, choice)
    found = [varier.chosen((36, 44), s, count=2, seed=7) for s in SHARES]
    for share, chosen in zip(SHARES, found, strict=True):
        assert (chosen.sum(axis=(1, 2)) == round(share * 99)).all()
    for fewer, more in itertools.pairwise(found):
        assert not (fewer & ~more).any()
    # The choice of a variation does not depend on how many there are.
    np.testing.assert_array_equal(found[2][:1], varier.chosen((36, 44), 0.5, seed=7))
    other = varier.chosen((36, 44), 0.5, count=2, seed=8)
    assert (choice == "last") == (other == found[2]).all()
    assert (choice == "last") == (found[2][0] == found[2][1]).all()


@pytest.mark.parametrize("size", [(16, 16), (29, 35), (13, 11)])
def test_share_0_is_the_round_trip_and_kept_codes_are_kept(sampler, size):
    varier, image = Varier(sampler), _image(*size)
    plain = varier.vary(image, 0.0, count=2, seed=3)
    expected = _round_trip(sampler.tokenizer, image)
    np.testing.assert_array_equal(plain, np.stack([expected, expected]))

    padded = pad_to_few(image, sampler.tokenizer.stride)
    given = sampler.tokenizer.encode(padded[None])
    codes = varier.codes(image, 0.5, count=2, seed=3)
    chosen = varier.chosen(padded.shape[:2], 0.5, count=2, seed=3)
    assert codes.shape == chosen.shape
    np.testing.assert_array_equal(codes[~chosen], np.repeat(given, 2, 0)[~chosen])
    assert (codes[chosen] != np.repeat(given, 2, 0)[chosen]).any()

    again = varier.codes(image, 0.5, count=2, seed=3)
    np.testing.assert_array_equal(codes, again)
    assert (codes != varier.codes(image, 0.5, count=2, seed=4)).any()
    assert varier.vary(image, 0.5, seed=3).shape == (1, *size, 3)


@pytest.mark.parametrize("size", [(16, 16), (20, 32), (13, 11)])
def test_share_1_owes_nothing_to_the_image(sampler, size):
    found = [
        Varier(sampler).codes(_image(*size, seed=s), 1.0, count=2, seed=9)
        for s in (0, 1)
    ]
    np.testing.assert_array_equal(*found)
    assert (found[0][0] != found[0][1]).any()


def test_a_raster_prior_draws_the_last_codes_of_its_own_size(root):
    sampler = Sampler.load(root / "autoregressive", batch_size=2)
    varier, image = Varier(sampler), _image()
    assert varier.chosen_by == "last"
    given = sampler.tokenizer.encode(image[None])
    codes = varier.codes(image, 0.4, count=2, seed=1).reshape(2, 16)
    np.testing.assert_array_equal(
        codes[:, :10], given.reshape(1, 16)[:, :10].repeat(2, 0)
    )
    assert (codes[0] != codes[1]).any()
    with pytest.raises(InputError, match=r"its own size only, 16x16 .* maskgit"):
        varier.vary(_image(16, 20), 0.4)
    with pytest.raises(
        InputError, match=r"choice='blocks' .* one code after the other"
    ):
        Varier(sampler, "blocks")


def test_the_default_choice_is_that_of_the_prior_it_has_now(root, sampler):
    varier = Varier(sampler)
    assert varier.chosen_by == "random"
    raster = Sampler.load(root / "autoregressive", batch_size=2)
    assert dataclasses.replace(varier, sampler=raster).chosen_by == "last"


def test_scales_are_drawn_anew_from_the_finest(root):
    sampler = Sampler.load(root / "next_scale", batch_size=1)
    varier, image = Varier(sampler), _image()
    finest = sampler.prior.layout.grids[-1][0] ** 2
    tokens = sampler.prior.layout.num_tokens
    codes = varier.codes(image, finest / tokens, seed=2)
    given = sampler.tokenizer.encode(image[None])
    np.testing.assert_array_equal(codes[:, :-finest], given[:, :-finest])
    assert (codes[:, -finest:] != given[:, -finest:]).any()
    np.testing.assert_array_equal(
        varier.vary(image, 0.0)[0], _round_trip(sampler.tokenizer, image)
    )
    with pytest.raises(InputError, match=r"choice='random' .* has no single grid"):
        Varier(sampler, "random")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 1.1}, r"share=1.1 must be in \[0.0, 1.0\]"),
        ({"share": -0.1}, r"share=-0.1 must be in"),
        ({"count": 0}, r"num=0 must be in"),
        ({"seed": -1}, r"seed=-1 must be in"),
        ({"label": 5}, r"labels=5: the prior has classes 0 to 2"),
        ({"share": 0.0, "temperature": -1.0}, r"sampling.temperature=-1"),
    ],
)
def test_bad_arguments_are_named_whatever_the_share(sampler, arguments, message):
    with pytest.raises(InputError, match=message):
        Varier(sampler).vary(_image(), **arguments)


def test_a_choice_that_there_is_not_is_named(sampler):
    with pytest.raises(InputError, match=r"choice='first' is unknown; choose from"):
        Varier(sampler, "first")


def test_a_class_changes_what_is_drawn(sampler):
    found = [
        Varier(sampler).codes(_image(), 1.0, count=4, seed=0, label=label)
        for label in (None, 0, "coat")
    ]
    assert (found[1] != found[2]).any()
    assert (found[0] != found[1]).any()


def test_the_command_varies_images_of_any_size(call, root, tmp_path):
    (tmp_path / "in").mkdir()
    images = {"a": _image(21, 18), "b": _image(16, 16)}
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "c.png").write_bytes(b"no image")

    def vary(out, *flags):
        return call(
            "vary",
            f"--workdir={root / 'maskgit'}",
            f"--images={tmp_path / 'in'}",
            f"--out={tmp_path / out}",
            *flags,
        )

    code, printed = vary("out", "--num=2", "--share=0.0")
    assert code == 2
    assert "left out c" in printed
    assert "1 of 3 images are left out" in printed
    tokenizer = Sampler.load(root / "maskgit", batch_size=2).tokenizer
    for name, image in images.items():
        expected = _round_trip(tokenizer, image)
        for number in (0, 1):
            path = tmp_path / "out" / name / f"{number}.png"
            np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
        assert (tmp_path / "out" / name / "together.png").exists()
    for flags, text in (
        (["--share=2"], "--share=2.0 must be in [0.0, 1.0]"),
        (["--num=0"], "--num=0 must be in"),
        (["--label=hat"], "--label='hat' is no class"),
        (["--choice=any"], "--choice='any' is unknown; choose from"),
        (["--temperature=-1"], "--temperature=-1"),
    ):
        code, printed = vary("new", *flags)
        assert code == 2
        assert text in printed
        assert not (tmp_path / "new").exists()
