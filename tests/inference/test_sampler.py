"""Images and probabilities from the workdir of a trained prior."""

import functools
import math
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax import InputError, Sampler
from vq_jax.inference.labels import sample_labels
from vq_jax.models.priors.base import NO_CLASS
from vq_jax.testing import tiny, trained
from vq_jax.testing.priors import TINY

FAMILIES = {TINY[case]["name"]: case for case in reversed(TINY)}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    trained.write_images(folder)
    return folder


@pytest.fixture(scope="module")
def workdirs(images, tmp_path_factory):
    """`workdirs(family)`: those of a prior and of its tokenizer."""

    @functools.cache
    def made(family):
        root = tmp_path_factory.mktemp(family)
        quantizer = trained.QUANTIZERS.get(family, "fsq")
        trained.write_tokenizer(root / "tokenizer", images, quantizer)
        case = FAMILIES[family]
        trained.write_prior(root / "prior", root / "tokenizer", images, case)
        return root / "prior", root / "tokenizer"

    return made


@pytest.fixture(scope="module")
def sampler(workdirs):
    return Sampler.load(workdirs("independent")[0], batch_size=4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_size_of_batches_and_of_the_sample_change_no_image(workdirs, family):
    load = functools.partial(Sampler.load, workdirs(family)[0])
    expected = load(batch_size=64).sample(64, seed=3, temperature=0.9)
    assert expected.shape == (64, 16, 16, 3)
    assert expected.dtype == np.uint8
    assert len(np.unique(expected, axis=0)) > 32
    for batch_size, count in ((1, 3), (7, 64)):
        found = load(batch_size=batch_size).sample(count, seed=3, temperature=0.9)
        np.testing.assert_array_equal(found, expected[:count])
    assert not np.array_equal(load().sample(64, seed=4, temperature=0.9), expected)


def test_one_compilation_serves_all_seeds_labels_and_numbers(sampler):
    sampler._draw.clear_cache()
    sampler.sample_codes(9, seed=1)
    sampler.sample_codes(1, labels=2, seed=2)
    assert sampler._draw._cache_size() == 1
    sampler.sample_codes(1, top_k=2)
    assert sampler._draw._cache_size() == 2


def test_images_are_those_of_the_codes(sampler):
    codes = sampler.sample_codes(5, seed=1)
    assert codes.dtype == np.int32
    np.testing.assert_array_equal(
        sampler.sample(5, seed=1), sampler.tokenizer.decode(codes)
    )
    assert sampler.sample(0).shape == (0, 16, 16, 3)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, [0, 1, 2, 0, 1]),
        ("all", [0, 1, 2, 0, 1]),
        ("none", [-1] * 5),
        (-1, [-1] * 5),
        (2, [2] * 5),
        ("2", [2] * 5),
        ("coat", [1] * 5),
        (["shirt", 0, "1", "none", "boot"], [2, 0, 1, -1, 0]),
        (np.arange(5) % 3, [0, 1, 2, 0, 1]),
    ],
    ids=str,
)
def test_labels_by_number_by_name_and_in_turn(sampler, wanted, expected):
    found = [part for _, part in sampler.code_batches(5, wanted)]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    codes = sampler.sample_codes(5, wanted, seed=1)
    np.testing.assert_array_equal(codes, sampler.sample_codes(5, expected, seed=1))


def test_a_class_has_its_own_law(sampler):
    logits = np.asarray(sampler._variables["params"]["logits"])
    for label in range(3):
        cold = sampler.sample_codes(2, labels=label, temperature=0)
        expected = logits[label].argmax(-1).reshape(4, 4)
        np.testing.assert_array_equal(cold, [expected, expected])


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (None, [-1] * 5),
        (1, [1] * 5),
        ("coat", [1] * 5),
        ([0, 1, 2, -1, "boot"], [0, 1, 2, -1, 0]),
    ],
)
def test_log_prob_is_that_of_the_prior_in_any_batch(sampler, labels, numbers):
    codes = sampler.sample_codes(5, seed=1)
    expected = sampler.prior.apply(
        sampler._variables,
        jnp.asarray(codes),
        jnp.asarray(numbers, jnp.int32),
        method="log_prob",
    )
    found = sampler.log_prob(codes, labels)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert sampler.likelihood == "exact"
    assert (found < 0).all()


def test_log_prob_of_images_is_that_of_their_codes(sampler):
    images = tiny.images(6)
    codes = sampler.tokenizer.encode(images)
    found = sampler.log_prob(images, "boot")
    np.testing.assert_array_equal(found, sampler.log_prob(codes, 0))
    assert sampler.log_prob(images[:0]).shape == (0,)
    size = sampler.tokenizer.codebook_size
    assert (found > -3 * 16 * math.log(size)).all()


def test_nats_of_codes_add_up_to_log_prob_in_any_batch(workdirs, sampler):
    images = tiny.images(6)
    nats = sampler.token_nats(images, "coat")
    assert nats.shape == (6, 4, 4, *nats.shape[3:])
    total = nats.reshape(6, -1).sum(axis=1)
    np.testing.assert_allclose(-total, sampler.log_prob(images, "coat"), rtol=1e-5)
    assert sampler.token_nats(images[:0]).shape == (0, *nats.shape[1:])


def test_codes_are_drawn_anew_where_asked_whatever_other_images_are(workdirs):
    # Left to right, so that gaps are refused elsewhere.
    sampler = Sampler.load(workdirs("autoregressive")[0], batch_size=4)
    codes = sampler.sample_codes(3, "none", seed=1)
    again = np.random.default_rng(0).random(codes.shape) < 0.5
    found = sampler.redraw(codes, again, count=5, seed=7)
    assert found.shape == (3, 5, *codes.shape[1:])
    kept = np.broadcast_to(~again[:, None], found.shape)
    np.testing.assert_array_equal(found[kept], codes[:, None].repeat(5, 1)[kept])
    assert len(np.unique(found[0], axis=0)) > 1
    alone = sampler.redraw(codes[2:], again[2:], count=2, seed=7)
    np.testing.assert_array_equal(alone[0], found[2, :2])
    other = sampler.redraw(codes, again, count=5, seed=8)
    assert (other != found).any()
    of_one = sampler.redraw(codes[:1].repeat(3, 0), again[0], seed=7)
    np.testing.assert_array_equal(of_one[0, 0], found[0, 0])
    with pytest.raises(InputError, match="the mask is int64; give bool"):
        sampler.redraw(codes, again.astype(int))


def test_known_codes_are_kept(sampler):
    codes = sampler.sample_codes(6, seed=1)
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    found = sampler.sample_codes(6, seed=2, known=(codes, mask))
    np.testing.assert_array_equal(found[:, :2], codes[:, :2])
    assert not np.array_equal(found[:, 2:], codes[:, 2:])
    one = sampler.sample_codes(6, seed=2, known=(codes[0], mask))
    np.testing.assert_array_equal(one[:, :2], np.stack([codes[0, :2]] * 6))


GAPS = np.eye(4, dtype=bool)
ZEROS = np.zeros((4, 4), np.int32)
BAD = {
    "label beyond": ({"labels": 3}, r"labels=3: the prior has classes 0 to 2"),
    "label below": ({"labels": -2}, r"labels=-2: the prior has classes 0 to 2"),
    "label 1.0": ({"labels": np.full(5, 1.5)}, r"labels=1.5 must be numbers or names"),
    "no such name": ({"labels": "hat"}, r"'hat' is no class .* boot, coat, shirt"),
    "labels": ({"labels": [0, 1]}, r"labels are 2 and samples 5"),
    "top_k": ({"top_k": 10**6}, r"top_k=1000000 is more than the \d+ codes"),
    "temperature": ({"temperature": -1.0}, r"sampling.temperature=-1.0 must be in"),
    "top_p": ({"top_p": 0.0}, r"sampling.top_p=0.0 must be in"),
    "unknown": ({"temprature": 1.0}, r"did you mean sampling.temperature\?"),
    "seed": ({"seed": -1}, r"seed=-1 must be in"),
    "mask": ({"known": (ZEROS, ZEROS)}, r"the mask is int32; give bool"),
    "shape": ({"known": (ZEROS[:3], GAPS)}, r"\(3, 4\) and the mask \(4, 4\); give"),
    "codes": ({"known": (ZEROS - 1, GAPS)}, r"known codes range over \[-1, 0\]"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_the_prior_has_not_is_one_error_before_any_work(
    sampler, monkeypatch, case
):
    given, message = BAD[case]
    monkeypatch.setattr(Sampler, "_draw", None)
    with pytest.raises(InputError, match=message):
        sampler.code_batches(5, **given)


@pytest.mark.parametrize(
    ("given", "labels", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), None, r"the prior is one of images \[n, 16"),
        (np.zeros((2, 4, 5), np.int32), None, r"the prior is one of integers \[n, 4"),
        (np.zeros((2, 4, 4)), None, r"codes are float64"),
        (np.full((2, 4, 4), 10**6), None, r"codes range over"),
        (np.zeros((2, 4, 4), int), [0], r"labels are 1 and images 2"),
        (np.zeros((2, 4, 4), int), 7, r"classes 0 to 2"),
    ],
)
def test_log_prob_refuses_what_is_no_image_of_the_prior(
    sampler, given, labels, message
):
    with pytest.raises(InputError, match=message):
        sampler.log_prob(given, labels)


def test_known_codes_with_gaps_are_refused_by_a_prior_of_prefixes(sampler, monkeypatch):
    monkeypatch.setattr(type(sampler.prior), "keeps", "prefix")
    with pytest.raises(InputError, match="the mask has gaps"):
        sampler.sample_codes(2, known=(ZEROS, GAPS))
    rows = np.zeros((4, 4), bool)
    rows[:2] = True
    assert (sampler.sample_codes(2, known=(ZEROS, rows))[:, :2] == 0).all()


@pytest.mark.parametrize(
    ("fields", "given", "message"),
    [
        ({"class_dropout": 0.0}, {"labels": "none"}, r"config.prior.class_dropout=0"),
        ({"class_dropout": 0.0}, {"guidance": 2.0}, r"guidance=2.0 needs a prior"),
        ({"num_classes": 0}, {"labels": 1}, r"the prior knows no classes"),
        ({"num_classes": 0}, {"labels": "all"}, r"the prior knows no classes"),
    ],
)
def test_priors_without_classes_or_with_nothing_else(sampler, fields, given, message):
    other = Sampler.__new__(Sampler)
    other.__dict__ |= {**sampler.__dict__, "prior": sampler.prior.clone(**fields)}
    with pytest.raises(InputError, match=message):
        other.code_batches(5, **given)
    if not other.prior.num_classes:
        assert (sample_labels(None, 5, other.prior, list) == NO_CLASS).all()


def test_a_tokenizer_that_moved_is_named_and_another_is_refused(
    workdirs, images, tmp_path
):
    prior, tokenizer = workdirs("independent")
    expected = Sampler.load(prior, batch_size=4).sample(4)
    shutil.copytree(tokenizer, tmp_path / "moved")
    moved = Sampler.load(prior, tokenizer=tmp_path / "moved", batch_size=4)
    np.testing.assert_array_equal(moved.sample(4), expected)
    trained.write_tokenizer(tmp_path / "other", images, seed=1)
    with pytest.raises(InputError, match="was made with another tokenizer"):
        Sampler.load(prior, tokenizer=tmp_path / "other")
    with pytest.raises(InputError, match=r"config.tokenizer=.*none does not exist"):
        Sampler.load(prior, tokenizer=tmp_path / "none")


def test_only_the_workdir_of_a_prior_is_one(workdirs, tmp_path):
    with pytest.raises(InputError, match=r"'autoencoder', which trains no prior"):
        Sampler.load(workdirs("independent")[1])
    with pytest.raises(InputError, match="holds no checkpoint"):
        Sampler.load(tmp_path)
    with pytest.raises(InputError, match=r"batch_size=0 must be in"):
        Sampler.load(workdirs("independent")[0], batch_size=0)


def test_averaged_parameters_are_those_that_it_draws_with(images, workdirs, tmp_path):
    _, tokenizer = workdirs("independent")
    config = trained.prior_config("independent", tokenizer, images)
    config.ema_decay, config.num_steps = 0.999, 4
    trained.run.train(config, tmp_path, trained.Console(quiet=True))
    drawn_with = Sampler.load(tmp_path)._variables["params"]["logits"]
    config.ema_decay = 0.0
    trained.run.train(config, tmp_path / "plain", trained.Console(quiet=True))
    last = Sampler.load(tmp_path / "plain")._variables["params"]["logits"]
    # Both begin at 0, and an average lags behind.
    assert 0 < np.abs(drawn_with).mean() < 0.95 * np.abs(last).mean()
