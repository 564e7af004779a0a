"""MaskGIT beyond the contract: its bound, its loss, and the laws of its samples."""

import functools
import importlib
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import stats

from vq_jax import InputError
from vq_jax.config.tables import from_table
from vq_jax.models.build import PRIORS
from vq_jax.models.priors.base import STREAMS, Known
from vq_jax.ops.halton import halton_order
from vq_jax.ops.sampling import Sampling, guided, tempered
from vq_jax.testing import priors
from vq_jax.testing.priors import grid_layout, levels_layout

SQUARE = grid_layout(2, 2, 3)
CODES = priors.all_codes(SQUARE).reshape(-1, 4)
NUM_SAMPLES = 20_000
PLAIN = Sampling()


def _build(layout=SQUARE, **fields):
    return priors.build("maskgit", layout, num_classes=2, class_dropout=0.5, **fields)


@functools.cache
def _variables(layout=SQUARE):
    """All random, and far from uniform; fields that are no shapes may change."""
    return priors.variables(_build(layout), random=0.7)


@functools.partial(jax.jit, static_argnums=0)
def _log_prob(prior, variables, codes, labels):
    return prior.apply(variables, codes, labels, method="log_prob")


@functools.partial(jax.jit, static_argnums=0)
def _loss(prior, variables, codes, labels, seed=0):
    keys = jax.random.split(jax.random.key(seed), len(STREAMS))
    rngs = dict(zip(STREAMS, keys, strict=True))
    return prior.apply(variables, codes, labels, method="loss", rngs=rngs)


@functools.partial(jax.jit, static_argnums=(0, 3))
def _steps(prior, variables, labels, sampling=PLAIN, known=None, seed=0):
    keys = jax.random.split(jax.random.key(seed), len(labels))
    return prior.apply(variables, keys, labels, sampling, known, method="sample_steps")


@functools.cache
def _conditionals(sampling=PLAIN):
    """p(code of each token | the tokens that are not masked), of class 1.

    For all masks [16, 4] and all codes [81, 4]: log-probabilities [16, 81, 4].
    """
    prior, variables = _build(), _variables()
    masks = np.asarray(list(itertools.product((False, True), repeat=4)))
    tokens = np.where(masks[:, None], 3, CODES[None]).reshape(-1, 4)

    @jax.jit
    def logits(tokens, classes):
        return prior.apply(
            variables,
            method=lambda m: m.transformer(tokens, classes, train=False),
        )

    ones = np.ones(len(tokens), np.int32)
    of_law = tempered(
        guided(logits(tokens, ones), logits(tokens, 2 * ones), sampling.guidance),
        sampling,
    )
    log_probs = np.asarray(jax.nn.log_softmax(of_law)).reshape(16, 81, 4, 3)
    found = np.take_along_axis(log_probs, CODES[None, :, :, None], axis=-1)[..., 0]
    return {tuple(mask): found[i].astype(np.float64) for i, mask in enumerate(masks)}


@pytest.mark.parametrize("layout", [grid_layout(2, 3, 3), levels_layout(1, 3, 2, 3)])
def test_nats_of_a_code_are_those_given_all_others_but_its_group(layout):
    prior, variables = _build(layout), _variables(layout)
    codes = np.random.default_rng(0).integers(0, 3, (5, *layout.shape), dtype=np.int32)
    labels = np.ones(5, np.int32)

    @functools.partial(jax.jit, static_argnums=0)
    def apply(method, codes):
        return prior.apply(variables, codes, jnp.asarray(labels), method=method)

    groups = prior.token_groups
    np.testing.assert_array_equal(groups.sum(axis=0), 1)
    assert [group.sum() for group in groups] == [4, 2]
    sequence = np.asarray(layout.to_sequence(jnp.asarray(codes)))
    expected = np.zeros(sequence.shape)
    for token in range(6):
        (group,) = groups[groups[:, token]]
        logits = apply("_sequence_logits", np.where(group[None], 3, sequence))
        nats = -np.asarray(jax.nn.log_softmax(logits))
        expected[:, token] = nats[np.arange(5), token, sequence[:, token]]
    found = layout.to_sequence(apply("token_nats", codes))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def _law_of_order(order, sampling=PLAIN):
    """Probabilities of all codes, drawn one by one in this order of tokens."""
    masked, total = [True] * 4, 0.0
    for token in range(4):
        if token not in order:
            masked[token] = False
    for token in order:
        total = total + _conditionals(sampling)[tuple(masked)][:, token]
        masked[token] = False
    return np.exp(total)


def _law_of_random_orders():
    return np.mean([_law_of_order(o) for o in itertools.permutations(range(4))], axis=0)


def _assert_drawn_from(drawn, law):
    """Pearson's test of whole images, of single tokens and of pairs."""
    kept = law > 1e-9
    cells = np.asarray(drawn) @ 3 ** np.arange(4)[::-1]
    counts = np.bincount(cells, minlength=81)
    assert not counts[~kept].any()
    rare = kept & (law * len(drawn) < 5)
    common = kept & ~rare
    found = np.append(counts[common], counts[rare].sum())
    expected = np.append(law[common], law[rare].sum() + 1e-12) * len(drawn)
    assert stats.chisquare(found, expected, sum_check=False).pvalue > 1e-3
    for i, j in itertools.product(range(4), repeat=2):  # i = j: a single token
        pairs = 3 * CODES[:, i] + CODES[:, j]
        expected = np.bincount(pairs, law, minlength=9) * len(drawn)
        found = np.bincount(3 * drawn[:, i] + drawn[:, j], minlength=9)
        some = expected > 1
        assert not found[expected == 0].any()
        if some.sum() > 1:
            test = stats.chisquare(found[some], expected[some], sum_check=False)
            assert test.pvalue > 1e-4


def _draw(sampling=PLAIN, known=None, **fields):
    """20,000 images of class 1, one token a step."""
    prior = _build(num_steps=4, **fields)
    labels = np.ones(NUM_SAMPLES, np.int32)
    return np.asarray(_steps(prior, _variables(), labels, sampling, known)[-1])


@pytest.mark.parametrize(
    "sampling",
    [PLAIN, Sampling(guidance=2.0, temperature=0.7), Sampling(top_k=2, top_p=0.9)],
    ids=["plain", "guided", "cut"],
)
def test_token_by_token_in_halton_order_is_a_product_of_conditionals(sampling):
    law = _law_of_order(tuple(halton_order(2, 2)), sampling)
    assert abs(law.sum() - 1) < 1e-5
    _assert_drawn_from(_draw(sampling, order="halton"), law)


def test_token_by_token_in_random_order_is_the_mean_over_orders():
    law = _law_of_random_orders()
    in_raster_order = _law_of_order((0, 1, 2, 3))
    assert np.abs(law - in_raster_order).sum() > 0.1  # orders have other laws
    _assert_drawn_from(_draw(order="random"), law)


def test_rolled_halton_is_the_mean_over_starts():
    order = tuple(halton_order(2, 2))
    law = np.mean([_law_of_order(np.roll(order, -i)) for i in range(4)], axis=0)
    _assert_drawn_from(_draw(order="halton_rolled"), law)


def test_known_tokens_are_given_wherever_they_are():
    """Of the law of the others in their order, given a hole at both ends."""
    codes = np.broadcast_to(np.asarray([[[-1, 2], [0, 99]]], np.int32), (20_000, 2, 2))
    mask = np.broadcast_to([[[False, True], [True, False]]], codes.shape)
    drawn = _draw(order="halton", known=Known(codes=codes, mask=mask))
    order = [token for token in halton_order(2, 2) if token in (0, 3)]
    given = (CODES[:, 1] == 2) & (CODES[:, 2] == 0)
    law = np.where(given, _law_of_order(order), 0.0)
    assert abs(law.sum() - 1) < 1e-5
    _assert_drawn_from(drawn, law)


def _enumerated_bound():
    """-E over masks of the weighted cross-entropies, of all codes: the definition."""
    total = 0.0
    for mask, log_probs in _conditionals().items():
        size = sum(mask)
        if size:
            share = 1 / (4 * math.comb(4, size))
            total += share * 4 / size * log_probs[:, np.asarray(mask)].sum(axis=1)
    return total


def test_the_bound_is_one():
    """exp of it adds up to less than 1, and it is below log p of the random order."""
    bound = _enumerated_bound()
    assert 0.1 < np.exp(bound).sum() <= 1.0
    assert (bound <= np.log(_law_of_random_orders()) + 1e-6).all()


def test_log_prob_estimates_the_enumerated_bound():
    labels = np.ones(81, np.int32)
    codes = CODES.reshape(-1, 2, 2).astype(np.int32)
    bound = _enumerated_bound()
    errors = [
        _log_prob(_build(num_bound_masks=masks), _variables(), codes, labels) - bound
        for masks in (8, 8_192)
    ]
    assert np.abs(errors[1]).max() < 0.02 * np.abs(bound).mean()
    assert np.abs(errors[1]).mean() < np.abs(errors[0]).mean()


def test_the_loss_of_the_linear_schedule_is_the_bound_a_token():
    codes = np.tile(CODES[[5, 29, 70]], (8_000, 1)).reshape(-1, 2, 2).astype(np.int32)
    prior = _build(mask_schedule="linear", label_smoothing=0.0).clone(class_dropout=0.0)
    loss = _loss(prior, _variables(), codes, np.ones(len(codes), np.int32)).loss
    np.testing.assert_allclose(loss, -_enumerated_bound()[[5, 29, 70]].mean() / 4, 0.02)


def test_smoothing_mixes_the_target_with_all_codes_in_the_loss_alone():
    codes, labels = CODES.reshape(-1, 2, 2).astype(np.int32), np.ones(81, np.int32)
    found = {
        smoothing: _loss(_build(label_smoothing=smoothing), _variables(), codes, labels)
        for smoothing in (0.0, 0.1, 1.0)
    }
    mixed = 0.9 * found[0.0].loss + 0.1 * found[1.0].loss
    np.testing.assert_allclose(found[0.1].loss, mixed, rtol=1e-5)
    np.testing.assert_allclose(found[0.1].metrics["masked_nats"], found[0.0].loss)
    np.testing.assert_array_equal(
        _log_prob(_build(label_smoothing=0.1), _variables(), codes, labels),
        _log_prob(_build(label_smoothing=0.0), _variables(), codes, labels),
    )


@pytest.mark.parametrize("order", ["confidence", "random", "halton", "halton_rolled"])
@pytest.mark.parametrize("num_steps", [3, 20])
def test_steps_unmask_as_scheduled_and_never_touch_what_is_there(order, num_steps):
    layout = levels_layout(2, 3, 2, 5)
    prior = _build(layout, order=order, num_steps=num_steps)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, (16, 2, 3, 2), dtype=np.int32)
    known = rng.random(codes.shape) < np.linspace(0, 1, 16)[:, None, None, None]
    variables = _variables(layout)
    steps = _steps(
        prior, variables, np.ones(16, np.int32), PLAIN, Known(codes=codes, mask=known)
    )
    kept = np.asarray(layout.to_sequence(jnp.asarray(known)))
    start = np.where(kept, layout.to_sequence(jnp.asarray(codes)), 5)
    steps = np.concatenate([start[None], steps])
    left = (steps == 5).sum(axis=-1)
    np.testing.assert_array_equal(left[0], 12 - kept.sum(axis=-1))
    assert (left[-1] == 0).all()
    assert ((steps >= 0) & (steps <= 5)).all()
    fraction = np.cos(np.pi / 2 * np.arange(1, num_steps) / num_steps)
    for row in range(16):
        before = left[0, row]
        for step in range(1, num_steps):
            wanted = max(1, min(int(fraction[step - 1] * left[0, row]), before - 1))
            before = min(before, wanted)
            assert left[step, row] == before
    settled = steps[:-1] != 5
    np.testing.assert_array_equal(steps[1:][settled], steps[:-1][settled])


def test_confidence_keeps_the_likeliest_of_the_drawn_first():
    """Without noise the first token kept is that of the largest log p."""
    prior = _build(choice_temperature=0.0, num_steps=4)
    greedy = Sampling(temperature=0.0)
    first = _steps(prior, _variables(), np.ones(1, np.int32), greedy)[0, 0]
    log_probs = _conditionals()[(True,) * 4]  # [81, 4], the same for all tokens' codes
    best = np.asarray([log_probs[:, token].max() for token in range(4)])
    np.testing.assert_array_equal(np.flatnonzero(first != 3), [best.argmax()])


def test_with_much_noise_any_token_is_kept_first():
    prior = _build(choice_temperature=1e4, num_steps=4)
    first = _steps(prior, _variables(), np.ones(4_000, np.int32))[0]
    np.testing.assert_allclose((first != 3).mean(axis=0), 1 / 4, atol=0.03)


def test_the_head_of_the_original_does_not_begin_at_log_k():
    """Its logits are products of normalised features and embeddings, not 0."""
    layout = grid_layout(2, 2, 1_024)
    fields = {"hidden_dim": 768, "num_layers": 1, "norm": "post", "head": "tied"}
    prior = _build(layout, **fields)
    codes = np.random.default_rng(0).integers(0, 1_024, (64, 2, 2), dtype=np.int32)
    loss = _loss(prior, priors.variables(prior), codes, np.zeros(64, np.int32)).loss
    # The logits' variance is 768 · 0.02² · 0.77, of a normal truncated at 2; half of it
    # is added to the log of a sum of exponentials.
    excess = 768 * 0.02**2 * 0.77 / 2
    assert abs(loss - math.log(1_024) - excess) < 0.05


def test_remat_changes_no_gradient():
    codes, labels = CODES.reshape(-1, 2, 2).astype(np.int32), np.ones(81, np.int32)

    def gradient(remat):
        prior = _build(remat=remat, dropout=0.3)
        grads = jax.grad(lambda v: _loss(prior, v, codes, labels).loss)(_variables())
        return ravel_pytree(grads)[0]

    np.testing.assert_allclose(gradient(True), gradient(False), rtol=1e-4, atol=1e-5)


def test_the_model_of_imagenet_has_the_parameters_of_the_original():
    """Counted from its released code; it has no row for a hidden class."""
    config = importlib.import_module("configs.maskgit_imagenet256").get_config()
    layout = grid_layout(16, 16, 1_024)
    prior = from_table(PRIORS, config.prior, "config.prior", layout=layout)
    made = jax.eval_shape(lambda: priors.variables(prior))
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(made))
    dim, mlp = 768, 3_072
    layer = 4 * (dim * dim + dim) + 2 * dim * mlp + mlp + dim + 2 * 2 * dim
    vocabulary, positions = 1_024 + 1_000 + 1, 1 + 256
    head = dim * dim + dim + 2 * dim
    original = 24 * layer + (vocabulary + positions + 2) * dim + head + vocabulary
    assert count == original + dim - 1_001  # a row more, biases of codes alone


def test_dropout_is_part_of_training_alone():
    prior = _build(dropout=0.5, attention_dropout=0.5)
    codes, labels = CODES.reshape(-1, 2, 2).astype(np.int32), np.ones(81, np.int32)
    still = _build(dropout=0.0, attention_dropout=0.0)
    assert (
        _loss(prior, _variables(), codes, labels).loss
        != _loss(still, _variables(), codes, labels).loss
    )
    np.testing.assert_array_equal(
        _log_prob(prior, _variables(), codes, labels),
        _log_prob(still, _variables(), codes, labels),
    )


def test_heads_that_do_not_divide_the_channels_are_named():
    with pytest.raises(InputError, match=r"num_heads=3 must divide .*hidden_dim=16"):
        priors.variables(_build(num_heads=3))
