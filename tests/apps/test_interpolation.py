"""Paths between images: their ends, their order, and what a prior draws anew."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from vq_jax import InputError, Sampler, Tokenizer
from vq_jax.apps.interpolation import Interpolator, cross_fade
from vq_jax.apps.refinement import Refiner
from vq_jax.inference.padding import pad_to_few
from vq_jax.testing import trained


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("interpolation")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    for case in ("maskgit", "autoregressive"):
        trained.write_prior(root / case, root / "tokenizer", root / "images", case)
    return root


@pytest.fixture(scope="module")
def tokenizer(root):
    return Tokenizer.load(root / "tokenizer", chunk_size=1)


@pytest.fixture(scope="module")
def refiner(root):
    return Refiner(Sampler.load(root / "maskgit", batch_size=2), share=0.25)


def _ends(height=16, width=16):
    rng = np.random.default_rng(3)
    return [*rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)]


def _round_trip(tokenizer, image):
    padded = pad_to_few(image, tokenizer.stride)
    return tokenizer.reconstruct(padded[None])[0, : image.shape[0], : image.shape[1]]


@pytest.mark.parametrize("size", [(16, 16), (21, 35)])
def test_ends_are_the_round_trips(tokenizer, size):
    ends = _ends(*size)
    interpolator = Interpolator(tokenizer)
    for found in (interpolator.latents(*ends, 4), interpolator.codes(*ends, 4)):
        assert found.shape == (4, *size, 3)
        for image, end in zip(ends, (found[0], found[-1]), strict=True):
            np.testing.assert_array_equal(end, _round_trip(tokenizer, image))
        assert (found[1] != found[0]).any()
        assert (found[1] != found[2]).any()


def test_latents_are_those_of_the_encoder_and_linear_between(tokenizer):
    ends = _ends()
    path = Interpolator(tokenizer).latent_path(*ends, 5)
    np.testing.assert_allclose(path[1], 0.75 * path[0] + 0.25 * path[4], atol=1e-6)
    z_e, variables = jnp.asarray(path), tokenizer.variables
    codes = tokenizer.model.apply(variables, z_e, method="quantize").indices
    codes = np.asarray(codes)
    np.testing.assert_array_equal(codes[[0, -1]], tokenizer.encode(np.stack(ends)))
    pictures = Interpolator(tokenizer).latents(*ends, 5)
    for found, expected in zip(codes, pictures, strict=True):
        of_codes = tokenizer.decode(found[None])[0].astype(int)
        assert np.abs(of_codes - expected).max() <= 1  # of another program


def test_codes_are_swapped_once_each_in_the_order_of_a_seed(tokenizer):
    ends, interpolator = _ends(), Interpolator(tokenizer)
    path = interpolator.code_path(*ends, 9, seed=4)
    first, last = tokenizer.encode(np.stack(ends))
    apart = first != last
    swapped = path[:, apart] == last[apart]
    assert ((path == first) | (path == last)).all()
    assert not (swapped[:-1] & ~swapped[1:]).any()
    # 16 positions in 8 steps; those that are equal do not count.
    assert (np.diff(swapped.sum(axis=1)) <= 2).all()
    np.testing.assert_array_equal(path, interpolator.code_path(*ends, 9, seed=4))
    assert (path != interpolator.code_path(*ends, 9, seed=5)).any()


def test_pixels_fade():
    ends = [np.full((2, 3, 1), value, np.uint8) for value in (0, 200)]
    found = cross_fade(*ends, 5)
    np.testing.assert_array_equal(found[:, 0, 0, 0], [0, 50, 100, 150, 200])


def test_what_surprises_most_is_drawn_anew_and_the_rest_is_kept(refiner, tokenizer):
    path = Interpolator(tokenizer).code_path(*_ends(), 4)[1:-1]
    chosen = refiner.chosen(path)
    assert (chosen.sum(axis=(1, 2)) == 4).all()
    surprise = refiner.surprise(path)
    for each, own in zip(chosen, surprise, strict=True):
        assert own[each].min() >= own[~each].max()
    refined = refiner.refine(path, seed=1)
    np.testing.assert_array_equal(refined[~chosen], path[~chosen])
    assert (refined != path).any()
    np.testing.assert_array_equal(refined, refiner.refine(path, seed=1))
    assert (refined != refiner.refine(path, seed=2)).any()
    assert refiner.refine(path[:0]).shape == (0, 4, 4)


def test_surprise_has_mean_0_under_the_prior(refiner):
    codes = refiner.sampler.sample_codes(64, "none", 3, num_steps=16, order="random")
    surprise = refiner.surprise(codes)
    error = surprise.std() / np.sqrt(surprise.size)
    assert abs(surprise.mean()) < 5 * error
    shuffled = np.random.default_rng(0).permutation(codes.ravel()).reshape(codes.shape)
    assert refiner.surprise(shuffled).mean() > surprise.mean() + 5 * error


def test_larger_codes_are_refined_in_windows_and_smaller_ones_refused(
    refiner, tokenizer
):
    path = Interpolator(tokenizer).code_path(*_ends(24, 36), 4)[1:-1]
    chosen = refiner.chosen(path)
    refined = refiner.refine(path)
    np.testing.assert_array_equal(refined[~chosen], path[~chosen])
    assert (refined != path).any()
    with pytest.raises(InputError, match=r"refines images of 16x16 and larger"):
        refiner.refine(path[:, :3])
    shape = Interpolator(tokenizer).tokens_shape(_ends(13, 21)[0])
    assert shape == (4, 6)
    refiner.check_tokens(shape)
    with pytest.raises(InputError, match=r"codes are \(4, 3\) and those of the prior"):
        refiner.check_tokens((4, 3))


def test_what_cannot_be_is_named(root, tokenizer):
    interpolator, (first, last) = Interpolator(tokenizer), _ends()
    with pytest.raises(InputError, match=r"first image is 16x16 and the last 16x12"):
        interpolator.latents(first, last[:12])
    with pytest.raises(InputError, match=r"steps=1 must be in \[2, "):
        interpolator.codes(first, last, 1)
    with pytest.raises(InputError, match=r"keeps the first codes only.* take maskgit"):
        Refiner(Sampler.load(root / "autoregressive"))
    with pytest.raises(InputError, match=r"refined_share=1.5 must be in"):
        Refiner(Sampler.load(root / "maskgit"), share=1.5)


def test_the_command_takes_tokenizers_and_priors(call, root, tokenizer, tmp_path):
    ends = _ends(21, 18)
    for name, image in zip("ab", ends, strict=True):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    Image.fromarray(ends[0][:20]).save(tmp_path / "small.png")

    def interpolate(workdir, out, *flags, last="b"):
        return call(
            "interpolate",
            f"--workdir={root / workdir}",
            f"--from={tmp_path / 'a.png'}",
            f"--to={tmp_path / last}.png",
            f"--out={tmp_path / out}",
            *flags,
        )

    for workdir in ("tokenizer", "maskgit"):
        code, printed = interpolate(workdir, workdir, "--steps=4")
        assert code == 0, printed
        ways = {path.name for path in (tmp_path / workdir).iterdir() if path.is_dir()}
        refined = {"refined"} & ways
        assert ways - refined == {"pixels", "latents", "codes"}
        assert bool(refined) == (workdir == "maskgit")
        for way in ways - {"pixels"}:
            found = np.asarray(Image.open(tmp_path / workdir / way / "3.png"))
            np.testing.assert_array_equal(found, _round_trip(tokenizer, ends[1]))
    for workdir, flags, text in (
        ("tokenizer", {"last": "small"}, "first image is 18x21 and the last 18x20"),
        ("tokenizer", {"flag": "--steps=1"}, "--steps=1 must be in"),
        ("tokenizer", {"flag": "--seed=-1"}, "--seed=-1 must be in"),
        ("maskgit", {"flag": "--refined_share=2"}, "--refined_share=2.0 must be in"),
        ("maskgit", {"flag": "--temperature=-1"}, "--temperature=-1"),
        ("autoregressive", {}, "keeps the first codes only"),
        ("tokenizer", {"flag": "--temperature=0.5"}, "--temperature is for a prior, "),
        (
            "tokenizer",
            {"flag": "--refined_share=0.1"},
            "--refined_share is for a prior",
        ),
        ("tokenizer", {"flag": "--tokenizer=x"}, "--tokenizer is for a prior, and "),
    ):
        flag = [flags.pop("flag")] if "flag" in flags else []
        code, printed = interpolate(workdir, "new", *flag, **flags)
        assert code == 2
        assert text in printed
        assert not (tmp_path / "new").exists()


def test_the_command_checks_sizes_and_its_folder_before_any_work(
    call, root, tmp_path, monkeypatch
):
    def work(*args):
        raise AssertionError("work before checks")

    monkeypatch.setattr(Interpolator, "latents", work)
    (tmp_path / "file").write_text("mine")
    for size, out, text in (
        ((12, 16), "new", "it refines images of 16x16 and larger ones; enlarge them."),
        ((16, 16), "file", f"--out={tmp_path / 'file'}"),
    ):
        Image.fromarray(_ends(*size)[0]).save(tmp_path / "a.png")
        code, printed = call(
            "interpolate",
            f"--workdir={root / 'maskgit'}",
            f"--from={tmp_path / 'a.png'}",
            f"--to={tmp_path / 'a.png'}",
            f"--out={tmp_path / out}",
        )
        assert code == 2
        assert text in printed
        assert not (tmp_path / "new").exists()
