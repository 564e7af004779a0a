"""Transformers that predict one code after the other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax import InputError
from vq_jax.models.priors.base import NO_CLASS, STREAMS, Known
from vq_jax.ops.sampling import Sampling, guided
from vq_jax.testing import priors
from vq_jax.testing.priors import grid_layout, levels_layout, scales_layout

FAMILIES = ("autoregressive", "gpt")
LAYOUTS = {
    "grid": grid_layout(2, 3, 5),
    "levels": levels_layout(1, 2, 2, 5),
    "scales": scales_layout((1, 2), 5),
}


@functools.cache
def _random(case, layout="grid", **fields):
    fields = {"num_classes": 2, "class_dropout": 0.5, **fields}
    prior = priors.build(case, LAYOUTS[layout], **fields)
    return prior, priors.variables(prior, random=0.5)


def _codes(prior, count, seed=0):
    shape = (count, *prior.layout.shape)
    size = prior.layout.codebook_size
    return jnp.asarray(np.random.default_rng(seed).integers(0, size, shape, np.int32))


@functools.partial(jax.jit, static_argnums=0)
def _logits(prior, variables, codes, labels):
    return prior.apply(variables, codes, labels, method="logits")


@functools.partial(jax.jit, static_argnums=0)
def _begin(prior, variables, labels, codes):
    return prior.apply(variables, labels, codes, method="begin")


@functools.partial(jax.jit, static_argnums=0)
def _advance(prior, variables, codes, caches, index):
    return prior.apply(variables, codes, caches, index, method="advance")


@functools.partial(jax.jit, static_argnums=0)
def _loss(prior, variables, codes, labels):
    rngs = dict(zip(STREAMS, jax.random.split(jax.random.key(0), 3), strict=True))
    return prior.apply(variables, codes, labels, method="loss", rngs=rngs).loss


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", FAMILIES)
def test_no_code_sees_itself_or_a_later_one(case, layout):
    """Bit for bit; and every later one may see it."""
    prior, variables = _random(case, layout)
    sequence = prior.layout.to_sequence(_codes(prior, 1))
    count = sequence.shape[1]
    other = jnp.where(jnp.eye(count, dtype=bool), (sequence + 1) % 5, sequence)
    rows = prior.layout.from_sequence(jnp.concatenate([sequence, other]))
    found = _logits(prior, variables, rows, jnp.ones(count + 1, jnp.int32))
    for i in range(count):
        same = np.all(np.asarray(found[1 + i]) == np.asarray(found[0]), axis=-1)
        assert same[: i + 1].all()
        assert not same[i + 1 :].any()


@pytest.mark.parametrize("case", FAMILIES)
def test_all_codes_see_the_class(case):
    prior, variables = _random(case)
    codes = jnp.tile(_codes(prior, 1), (3, 1, 1))
    found = _logits(prior, variables, codes, jnp.array([0, 1, NO_CLASS]))
    assert jnp.all(found[0] != found[1])
    assert jnp.all(found[0] != found[2])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("case", FAMILIES)
def test_the_cache_changes_no_logits(case, batch_size, layout):
    """At every step, after a first pass over each possible number of codes."""
    prior, variables = _random(case, layout)
    codes = _codes(prior, batch_size)
    labels = jnp.arange(batch_size, dtype=jnp.int32) - 1
    expected = _logits(prior, variables, codes, labels)
    sequence = prior.layout.to_sequence(codes)
    count = sequence.shape[1]
    for prefix in range(0, count, 2):
        logits, caches = _begin(prior, variables, labels, sequence[:, :prefix])
        for i in range(prefix, count):
            np.testing.assert_allclose(logits, expected[:, i], rtol=1e-5, atol=1e-5)
            if i < count - 1:
                # A traced index: one program for all of them.
                logits, caches = _advance(
                    prior, variables, sequence[:, i], caches, jnp.int32(i)
                )


@pytest.mark.parametrize("case", FAMILIES)
def test_a_code_after_the_last_is_an_error(case):
    prior, variables = _random(case)
    labels = jnp.zeros(1, jnp.int32)
    sequence = prior.layout.to_sequence(_codes(prior, 1))
    _, caches = _begin(prior, variables, labels, sequence[:, :-1])
    with pytest.raises(InputError, match="position 6 does not fit into a cache of 6"):
        prior.apply(variables, sequence[:, -1], caches, 5, method="advance")
    with pytest.raises(InputError, match="position 6 does not fit into a cache of 6"):
        prior.apply(variables, labels, sequence, method="begin")


@pytest.mark.parametrize("case", FAMILIES)
def test_cold_samples_follow_guided_teacher_forced_logits(case):
    prior, variables = _random(case)
    labels = jnp.array([0, 1, 1], jnp.int32)
    sampling = Sampling(temperature=0.0, guidance=3.0, guidance_schedule="linear")
    keys = jax.random.split(jax.random.key(0), 3)
    sample = functools.partial(prior.apply, method="sample")
    drawn = jax.jit(sample, static_argnums=3)(variables, keys, labels, sampling)
    conditional = _logits(prior, variables, drawn, labels)
    hidden = jnp.full_like(labels, NO_CLASS)
    unconditional = _logits(prior, variables, drawn, hidden)
    scales = jnp.asarray(sampling.scales(6))[None, :, None]
    expected = jnp.argmax(guided(conditional, unconditional, scales), axis=-1)
    np.testing.assert_array_equal(prior.layout.to_sequence(drawn), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", FAMILIES)
def test_a_prefix_read_in_one_pass_gives_the_same_samples(case, layout):
    prior, variables = _random(case, layout)
    codes, labels = _codes(prior, 8), jnp.zeros(8, jnp.int32)
    seeds = jnp.arange(8)
    count = prior.layout.num_tokens

    @functools.partial(jax.jit, static_argnums=1)
    def draw(mask, prefix):
        known = Known(codes, prior.layout.from_sequence(mask), prefix)
        keys = jax.vmap(jax.random.key)(seeds)
        sampling = Sampling(guidance=2.0)
        return prior.apply(variables, keys, labels, sampling, known, method="sample")

    first = jnp.tile(jnp.arange(count)[None] < 2, (8, 1))
    expected = draw(first, 0)
    np.testing.assert_array_equal(draw(first, 2), expected)
    np.testing.assert_array_equal(draw(jnp.zeros_like(first), 2), expected)
    np.testing.assert_array_equal(draw(jnp.zeros_like(first), count), codes)


@pytest.mark.parametrize("case", FAMILIES)
def test_codes_known_later_are_kept(case):
    prior, variables = _random(case)
    codes, labels = _codes(prior, 8), jnp.zeros(8, jnp.int32)
    mask = jnp.asarray(np.random.default_rng(1).random(codes.shape) < 0.5)
    keys = jax.random.split(jax.random.key(0), 8)
    sample = functools.partial(prior.apply, method="sample")
    drawn = jax.jit(sample, static_argnums=3)(
        variables, keys, labels, Sampling(), Known(codes, mask)
    )
    np.testing.assert_array_equal(drawn[mask], codes[mask])
    assert jnp.any(drawn != codes)


def _num_equations(jaxpr):
    inner = sum(
        _num_equations(getattr(value, "jaxpr", value))
        for equation in jaxpr.eqns
        for value in equation.params.values()
        if hasattr(getattr(value, "jaxpr", value), "eqns")
    )
    return len(jaxpr.eqns) + inner


@pytest.mark.parametrize("case", FAMILIES)
def test_the_program_of_sampling_does_not_grow_with_the_number_of_codes(case):
    def size(height, width):
        prior = priors.build(case, grid_layout(height, width, 5))
        variables = priors.variables(prior)

        def sample(seed):
            keys = jax.random.split(jax.random.key(seed), 2)
            labels = jnp.zeros(2, jnp.int32)
            return prior.apply(variables, keys, labels, Sampling(), method="sample")

        return _num_equations(jax.make_jaxpr(sample)(0).jaxpr)

    assert size(2, 3) == size(4, 5)


@pytest.mark.parametrize("case", FAMILIES)
def test_remat_changes_no_gradients(case):
    plain, variables = _random(case, dropout=0.5, token_dropout=0.5)
    saving, _ = _random(case, dropout=0.5, token_dropout=0.5, remat=True)
    codes, labels = _codes(plain, 2), jnp.zeros(2, jnp.int32)
    found, expected = (
        jax.jit(jax.grad(functools.partial(_loss, prior)))(variables, codes, labels)
        for prior in (saving, plain)
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        found,
        expected,
    )


@pytest.mark.parametrize("field", ["dropout", "token_dropout"])
def test_dropout_acts_in_training_alone(field):
    with_dropout, variables = _random("autoregressive", **{field: 0.5})
    without, _ = _random("autoregressive")
    codes, labels = _codes(without, 2), jnp.zeros(2, jnp.int32)
    losses = [
        _loss(prior, variables, codes, labels) for prior in (with_dropout, without)
    ]
    assert losses[0] != losses[1]
    found = [_logits(p, variables, codes, labels) for p in (with_dropout, without)]
    np.testing.assert_array_equal(*found)


def test_heads_that_do_not_divide_are_an_error():
    with pytest.raises(InputError, match=r"num_heads=3 must divide .*hidden_dim=16"):
        priors.variables(priors.build("gpt", LAYOUTS["grid"], num_heads=3))
    with pytest.raises(InputError, match=r"head_dim=2 .* multiple of 4 \* num_heads"):
        priors.variables(priors.build("autoregressive", LAYOUTS["grid"], num_heads=8))
