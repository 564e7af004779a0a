"""The contract of `models/priors/base.py`, over all families."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from vq_jax import InputError
from vq_jax.inference.code_frequencies import CodeFrequencies
from vq_jax.models.priors.base import NO_CLASS, STREAMS, Known
from vq_jax.ops.frequencies import TOTAL
from vq_jax.ops.sampling import Sampling
from vq_jax.testing import priors
from vq_jax.testing.priors import TINY, grid_layout, levels_layout, scales_layout

LAYOUTS = {
    "grid": grid_layout(2, 3, 3),
    "levels": levels_layout(1, 2, 2, 3),
    "scales": scales_layout((1, 2), 3),
}
# Families that are not for codes of every layout.
ONLY = {"next_scale": ("scales",), "next_scale_shared": ("scales",)}
CASES = [(case, layout) for case in TINY for layout in ONLY.get(case, LAYOUTS)]
EXACT = [
    (case, layout)
    for case, layout in CASES
    if priors.build(case, LAYOUTS[layout]).likelihood == "exact"
]
# Families that know how codes depend on each other.
LEARNING = [pair for pair in CASES if pair[1] == "grid" and pair[0] != "independent"]
# Families that draw the order of positions, so that cold samples differ, too.
ORDER_IS_DRAWN = ("maskgit",)
# Of random parameters, where others would leave one likely grid.
DEVIATION = {"gpt": 0.4, "next_scale": 0.4, "next_scale_shared": 0.4, "pixelcnn": 0.5}
NUM_SAMPLES = 20_000
PLAIN = Sampling()


def _build(case, layout, **fields):
    fields = {"num_classes": 2, "class_dropout": 0.5, **fields}
    return priors.build(case, LAYOUTS[layout], **fields)


def _codes(prior, count, seed=0):
    shape = (count, *prior.layout.shape)
    rng = np.random.default_rng(seed)
    return rng.integers(0, prior.layout.codebook_size, shape, dtype=np.int32)


def _rngs(key):
    keys = jax.random.split(key, len(STREAMS))
    return dict(zip(STREAMS, keys, strict=True))


@functools.partial(jax.jit, static_argnums=0)
def _log_prob(prior, variables, codes, labels):
    return prior.apply(variables, codes, labels, method="log_prob")


@functools.partial(jax.jit, static_argnums=(0, 4))
def _sample(prior, variables, seeds, labels, sampling=PLAIN, known=None):
    """Each row's key is that of its seed."""
    keys = jax.vmap(jax.random.key)(seeds)
    return prior.apply(variables, keys, labels, sampling, known, method="sample")


@functools.partial(jax.jit, static_argnums=0)
def _loss(prior, variables, codes, labels):
    rngs = _rngs(jax.random.key(0))
    return prior.apply(variables, codes, labels, method="loss", rngs=rngs)


@functools.cache
def _random(case, layout, **fields):
    """A prior whose parameters are all random, so that no law is uniform."""
    prior = _build(case, layout, **fields)
    return prior, priors.variables(prior, random=DEVIATION.get(case, 0.7))


def _p_value(counts, law):
    """Of Pearson's test that `counts` were drawn from `law`; rare cells together."""
    expected = law * counts.sum()
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    kept = expected > 0
    assert not counts[~kept].any()
    return stats.chisquare(counts[kept], expected[kept], sum_check=False).pvalue


@pytest.mark.parametrize(("case", "layout"), CASES)
def test_the_loss_begins_at_log_k(case, layout):
    prior = _build(case, layout)
    codes, labels = _codes(prior, 64), np.zeros(64, np.int32)
    output = _loss(prior, priors.variables(prior), codes, labels)
    assert abs(output.loss - np.log(prior.layout.codebook_size)) < 0.1
    assert all(m.dtype == jnp.float32 and m.ndim == 0 for m in output.metrics.values())


@pytest.mark.parametrize(("case", "layout"), EXACT)
def test_probabilities_of_all_codes_add_up_to_one(case, layout):
    prior, variables = _random(case, layout)
    codes = priors.all_codes(prior.layout)
    for label in (0, 1, NO_CLASS):
        labels = np.full(len(codes), label, np.int32)
        probs = np.exp(np.asarray(_log_prob(prior, variables, codes, labels), "f8"))
        assert abs(probs.sum() - 1.0) < 1e-5
        assert probs.max() > 2 * probs.mean()


@pytest.mark.parametrize(("case", "layout"), EXACT)
def test_nats_of_a_code_are_those_given_the_codes_before(case, layout):
    prior, variables = _random(case, layout)
    codes = priors.all_codes(prior.layout)
    labels = np.ones(len(codes), np.int32)
    apply = jax.jit(functools.partial(prior.apply, method="token_nats"))
    nats = apply(variables, codes, labels)
    assert nats.dtype == jnp.float32
    found = np.asarray(prior.layout.to_sequence(nats))
    law = np.exp(np.asarray(_log_prob(prior, variables, codes, labels), "f8"))
    sequence = np.asarray(prior.layout.to_sequence(jnp.asarray(codes)))
    before = np.ones(len(codes))
    for token in range(prior.layout.num_tokens):
        # p of a prefix is the sum over all images that begin with it.
        _, prefix = np.unique(sequence[:, : token + 1], axis=0, return_inverse=True)
        own = np.bincount(prefix.ravel(), weights=law)[prefix.ravel()]
        np.testing.assert_allclose(np.exp(-found[:, token]), own / before, atol=2e-5)
        before = own
    np.testing.assert_allclose(-found.sum(axis=1), np.log(law), rtol=1e-5)


@pytest.mark.parametrize(("case", "layout"), EXACT)
def test_samples_follow_the_law_of_log_prob(case, layout):
    prior, variables = _random(case, layout)
    codes = priors.all_codes(prior.layout)
    law = np.exp(_log_prob(prior, variables, codes, np.ones(len(codes), np.int32)))
    labels = np.ones(NUM_SAMPLES, np.int32)
    drawn = np.asarray(_sample(prior, variables, np.arange(NUM_SAMPLES), labels))
    size, tokens = prior.layout.codebook_size, prior.layout.num_tokens
    weights = size ** np.arange(tokens)[::-1]
    cells = drawn.reshape(NUM_SAMPLES, tokens) @ weights
    assert _p_value(np.bincount(cells, minlength=size**tokens), law) > 1e-3
    flat = codes.reshape(len(codes), tokens)
    for i in range(tokens):
        for j in range(i):
            # Of pairs, which no rare cell hides.
            pair = size * flat[:, j] + flat[:, i]
            expected = np.bincount(pair, weights=law, minlength=size**2)
            found = np.bincount(
                size * drawn.reshape(NUM_SAMPLES, tokens)[:, j]
                + drawn.reshape(NUM_SAMPLES, tokens)[:, i],
                minlength=size**2,
            )
            assert _p_value(found, expected / expected.sum()) > 1e-4


@pytest.mark.parametrize(("case", "layout"), EXACT)
def test_samples_with_a_known_first_code_follow_the_conditional_law(case, layout):
    prior, variables = _random(case, layout)
    size, tokens = prior.layout.codebook_size, prior.layout.num_tokens
    codes = priors.all_codes(prior.layout)
    law = np.exp(_log_prob(prior, variables, codes, np.ones(len(codes), np.int32)))
    first = np.asarray(prior.layout.to_sequence(jnp.asarray(codes)))[:, 0] == 2
    law = np.where(first, law, 0.0) / law[first].sum()
    mask = np.zeros((NUM_SAMPLES, tokens), bool)
    mask[:, 0] = True
    known = Known(
        codes=np.full((NUM_SAMPLES, *prior.layout.shape), 2, np.int32),
        mask=prior.layout.from_sequence(jnp.asarray(mask)),
    )
    labels = np.ones(NUM_SAMPLES, np.int32)
    drawn = _sample(prior, variables, np.arange(NUM_SAMPLES), labels, PLAIN, known)
    weights = size ** np.arange(tokens)[::-1]
    cells = np.asarray(drawn).reshape(NUM_SAMPLES, tokens) @ weights
    assert _p_value(np.bincount(cells, minlength=size**tokens), law) > 1e-3


@pytest.mark.parametrize(("case", "layout"), CASES)
def test_the_passes_of_coding_have_a_law_of_all_codes(case, layout):
    prior, variables = _random(case, layout)
    tokens = np.concatenate(prior.coding_passes)
    np.testing.assert_array_equal(np.sort(tokens), np.arange(prior.layout.num_tokens))
    codes = priors.all_codes(prior.layout)
    labels = np.ones(len(codes), np.int32)
    given = np.asarray(prior.layout.to_sequence(jnp.asarray(codes)))
    nats = np.zeros(len(codes))

    def choose(table, tokens):
        chosen = np.take_along_axis(table, given[:, tokens, None], axis=-1)
        nats[:] -= np.log(chosen / TOTAL).sum(axis=(1, 2))
        return given[:, tokens]

    walked = CodeFrequencies(prior, variables).walk(labels, choose)
    np.testing.assert_array_equal(walked, codes)
    assert abs(np.exp(-nats).sum() - 1.0) < 1e-5
    if prior.likelihood == "exact":
        found = _log_prob(prior, variables, codes, labels)
        # A code that hardly ever comes is a little cheaper: no frequency is 0.
        np.testing.assert_allclose(np.exp(-nats), np.exp(found), atol=1e-5)


@pytest.mark.parametrize(("case", "layout"), CASES)
def test_known_codes_stay_and_all_are_codes(case, layout):
    prior, variables = _random(case, layout)
    rng = np.random.default_rng(0)
    keep = rng.random((16, prior.layout.num_tokens)) < 0.5
    if prior.keeps == "prefix":
        keep = np.sort(keep, axis=1)[:, ::-1]
    mask = np.asarray(prior.layout.from_sequence(jnp.asarray(keep)))
    codes, labels = _codes(prior, 16), np.zeros(16, np.int32)
    # What is not known may be any number.
    given = np.where(mask, codes, -7)
    drawn = _sample(prior, variables, np.arange(16), labels, PLAIN, Known(given, mask))
    assert drawn.dtype == jnp.int32
    assert drawn.shape == codes.shape
    np.testing.assert_array_equal(np.asarray(drawn)[mask], codes[mask])
    assert 0 <= drawn.min() <= drawn.max() < prior.layout.codebook_size


@pytest.mark.parametrize(("case", "layout"), CASES)
def test_a_row_depends_on_itself_alone(case, layout):
    prior, variables = _random(case, layout)
    codes, labels = _codes(prior, 5), np.array([0, 1, NO_CLASS, 1, 0], np.int32)
    seeds, sampling = np.arange(5), Sampling(guidance=2.0, top_p=0.9)
    together = _log_prob(prior, variables, codes, labels)
    drawn = _sample(prior, variables, seeds, labels, sampling)
    for i in range(5):
        row = slice(i, i + 1)
        alone = _log_prob(prior, variables, codes[row], labels[row])
        np.testing.assert_allclose(alone, together[row], rtol=1e-5)
        alone = _sample(prior, variables, seeds[row], labels[row], sampling)
        np.testing.assert_array_equal(alone, drawn[row])


@pytest.mark.parametrize(
    ("case", "layout"), [pair for pair in CASES if pair[0] not in ORDER_IS_DRAWN]
)
def test_cold_samples_do_not_depend_on_the_key(case, layout):
    prior, variables = _random(case, layout)
    labels = np.zeros(4, np.int32)
    cold = [
        _sample(prior, variables, np.arange(4) + seed, labels, sampling)
        for seed in (0, 7)
        for sampling in (Sampling(temperature=0.0), Sampling(top_k=1))
    ]
    for other in cold[1:]:
        np.testing.assert_array_equal(other, cold[0])
    warm = [_sample(prior, variables, np.arange(4) + seed, labels) for seed in (0, 7)]
    assert (warm[0] != warm[1]).any()


@pytest.mark.parametrize(("case", "layout"), CASES)
def test_a_hidden_class_is_no_class_and_hidden_in_training_only(case, layout):
    hiding, variables = _random(case, layout, class_dropout=1.0)
    seeing = _build(case, layout, class_dropout=0.0)
    codes = _codes(seeing, 8)
    ones, none = np.ones(8, np.int32), np.full(8, NO_CLASS, np.int32)
    hidden = _loss(hiding, variables, codes, ones).loss
    np.testing.assert_allclose(
        hidden, _loss(seeing, variables, codes, none).loss, rtol=1e-6
    )
    found = [_log_prob(prior, variables, codes, ones) for prior in (hiding, seeing)]
    np.testing.assert_array_equal(*found)
    assert (found[0] != _log_prob(seeing, variables, codes, none)).all()


@pytest.mark.parametrize(("case", "layout"), CASES)
def test_guidance_of_one_is_none_and_zero_forgets_the_class(case, layout):
    prior, variables = _random(case, layout)
    labels, none = np.ones(64, np.int32), np.full(64, NO_CLASS, np.int32)
    draw = functools.partial(_sample, prior, variables, np.arange(64))
    linear = Sampling(guidance=1.0, guidance_schedule="linear")
    np.testing.assert_array_equal(draw(labels, linear), draw(labels))
    forgetful = draw(labels, Sampling(guidance=0.0))
    # Equal but for draws on an edge, since the sum of logits is rounded.
    assert np.mean(forgetful == draw(none)) > 0.99
    assert (draw(labels, Sampling(guidance=4.0)) != draw(labels)).any()


@pytest.mark.parametrize(("case", "layout"), CASES)
def test_without_classes_labels_say_nothing(case, layout):
    prior, variables = _random(case, layout, num_classes=0, class_dropout=0.0)
    codes = _codes(prior, 4)
    found = [
        _log_prob(prior, variables, codes, np.full(4, label, np.int32))
        for label in (NO_CLASS, 0, 3)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize(("case", "layout"), CASES)
def test_bfloat16_computes_nearly_the_same(case, layout):
    prior, variables = _random(case, layout)
    half = _build(case, layout, dtype="bfloat16")
    codes, labels = _codes(prior, 16), np.ones(16, np.int32)
    found = _log_prob(half, variables, codes, labels)
    assert found.dtype == jnp.float32
    exact = _log_prob(prior, variables, codes, labels)
    assert np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize("case", TINY)
def test_what_cannot_be_sampled_is_named(case):
    layout = ONLY.get(case, list(LAYOUTS))[0]
    with pytest.raises(InputError, match="top_k=4 is more than the 3 codes"):
        _build(case, layout).check_sampling(Sampling(top_k=4))
    for fields in ({"num_classes": 0}, {"class_dropout": 0.0}):
        with pytest.raises(InputError, match=r"guidance=2.0 needs a prior that was"):
            _build(case, layout, **fields).check_sampling(Sampling(guidance=2.0))
    _build(case, layout).check_sampling(Sampling(top_k=3, guidance=2.0))


@pytest.mark.slow
@pytest.mark.parametrize(("case", "layout"), LEARNING)
def test_a_markov_source_is_learnt_to_its_entropy_and_no_further(case, layout):
    """Held-out nats a token: within 2 % of the entropy rate, never below it."""
    source = _MarkovSource(size=4, height=2, width=4)
    prior = priors.build(case, grid_layout(2, 4, 4))
    variables = priors.variables(prior)
    schedule = optax.cosine_decay_schedule(1e-2, 600)
    tx = optax.adam(schedule)

    @jax.jit
    def step(params, opt_state, codes, key):
        labels = jnp.zeros(len(codes), jnp.int32)

        def loss(params):
            out = prior.apply(params, codes, labels, method="loss", rngs=_rngs(key))
            return out.loss

        updates, opt_state = tx.update(jax.grad(loss)(params), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    opt_state = tx.init(variables)
    for i in range(600):
        codes = source.draw(128, seed=i)
        variables, opt_state = step(variables, opt_state, codes, jax.random.key(i))
    held_out = source.draw(8_192, seed=10**6)
    labels = np.zeros(len(held_out), np.int32)
    nats = -np.asarray(_log_prob(prior, variables, held_out, labels)) / 8
    # Against these very codes, so that the luck of their draw is taken out.
    excess = nats - source.nats(held_out) / 8
    error = excess.std() / np.sqrt(len(excess))
    assert excess.mean() > -3 * error
    margin = 0.02 if prior.likelihood == "exact" else 0.1
    assert excess.mean() < margin * source.entropy / 8


class _MarkovSource:
    """Codes of which each depends on the one before, row by row."""

    def __init__(self, size, height, width):
        rng = np.random.default_rng(0)
        self.shape = (height, width)
        self.first = rng.dirichlet(np.ones(size))
        self.next = rng.dirichlet(np.full(size, 0.5), size=size)

    def draw(self, count, seed):
        rng = np.random.default_rng(seed)
        codes = [rng.choice(len(self.first), count, p=self.first)]
        ends = np.cumsum(self.next, axis=1)
        for _ in range(self.shape[0] * self.shape[1] - 1):
            past = ends[codes[-1]]
            drawn = (rng.random((count, 1)) > past).sum(axis=1)
            codes.append(np.minimum(drawn, len(self.first) - 1))
        return np.stack(codes, axis=1).astype(np.int32).reshape(count, *self.shape)

    def nats(self, codes):
        """-log p of each image."""
        rows = codes.reshape(len(codes), -1)
        steps = self.next[rows[:, :-1], rows[:, 1:]]
        return -np.log(self.first[rows[:, 0]]) - np.log(steps).sum(axis=1)

    @property
    def entropy(self):
        """Of an image, in nats."""
        law, total = self.first, stats.entropy(self.first)
        for _ in range(self.shape[0] * self.shape[1] - 1):
            total += law @ stats.entropy(self.next, axis=1)
            law = law @ self.next
        return total
