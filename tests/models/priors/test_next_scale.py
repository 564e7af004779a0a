"""Next-scale prediction: what sees what, the cache, the tokenizer's running sum."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict
from scipy import stats

from vq_jax import InputError
from vq_jax.models.build import build_prior
from vq_jax.models.priors.base import NO_CLASS, STREAMS, TOKENIZER, Known
from vq_jax.ops.sampling import Sampling
from vq_jax.testing import priors, tiny
from vq_jax.testing.priors import scales_layout
from vq_jax.testing.reference import nearest_code

SCALES = (1, 2, 3)  # 3 is no multiple of 2: areas overlap
AREAS = (1, 4, 9)
CASES = [case for case in priors.TINY if case.startswith("next_scale")]


@functools.cache
def _random(case="next_scale", scales=SCALES, size=5, **fields):
    """A prior of random parameters."""
    fields = {"num_classes": 3, "class_dropout": 0.5, **fields}
    prior = priors.build(case, scales_layout(scales, size), **fields)
    return prior, priors.variables(prior, random=0.5)


def _codes(count, size=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, size, (count, sum(AREAS)), dtype=np.int32)


@functools.partial(jax.jit, static_argnums=0)
def _logits(prior, variables, codes, labels):
    return prior.apply(variables, codes, labels, train=False, method="logits")


@functools.partial(jax.jit, static_argnums=0)
def _log_prob(prior, variables, codes, labels):
    return prior.apply(variables, codes, labels, method="log_prob")


@functools.partial(jax.jit, static_argnums=0)
def _logits_by_scale(prior, variables, codes, labels):
    """Those of the steps of sampling, when the draws are these codes."""
    call = functools.partial(prior.apply, variables)
    grids = call(labels, len(codes), method="start")
    logits, first = [], 0
    for number, area in enumerate(AREAS):
        part, grids = call(grids, number, method="predict")
        logits.append(part)
        codes_here = codes[:, first : first + area]
        grids = call(grids, codes_here, number, method="accept")
        first += area
    return jnp.concatenate(logits, axis=1)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 3])
def test_scale_by_scale_gives_the_logits_of_one_masked_pass(case, count):
    prior, variables = _random(case)
    codes, labels = _codes(count), np.arange(count, dtype=np.int32)
    with_class = _logits(prior, variables, codes, labels)
    without = _logits(prior, variables, codes, np.full_like(labels, NO_CLASS))
    assert np.abs(with_class - without).max() > 0.1
    # As guidance asks for them, with and without the class in one batch.
    both = np.concatenate([labels, np.full_like(labels, NO_CLASS)])
    found = _logits_by_scale(prior, variables, codes, both)
    wanted = np.concatenate([with_class, without])
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("case", CASES)
def test_a_code_changes_the_logits_of_all_finer_scales_and_no_other_bit(case):
    prior, variables = _random(case)
    tokens = sum(AREAS)
    codes = _codes(1)
    changed = np.repeat(codes, tokens, axis=0)
    index = np.arange(tokens)
    changed[index, index] = (changed[index, index] + 1) % 5
    # Compared in the same row: products may round one row of a batch another way.
    unchanged = np.repeat(codes, tokens, axis=0)
    labels = np.ones(tokens, np.int32)
    before, after = (
        np.asarray(_logits(prior, variables, batch, labels))
        for batch in (unchanged, changed)
    )
    level = np.repeat(np.arange(len(AREAS)), AREAS)
    for i in range(tokens):
        same = (after[i] == before[i]).all(axis=-1)
        np.testing.assert_array_equal(same, level <= level[i], err_msg=f"code {i}")


def test_inputs_are_the_running_sum_that_the_tokenizer_quantises_against():
    model = tiny.model("multi_scale_vq")  # scales 1, 3, 4
    images = jnp.asarray(tiny.images(3), jnp.float32) / 127.5 - 1
    variables = model.init(jax.random.key(0), images, train=False)
    variables["params"]["quantizer"]["codebook"]["codes"] = jax.random.normal(
        jax.random.key(1), (16, 4)
    )
    quantizer, own = model.quantizer, {"params": variables["params"]["quantizer"]}
    codes = np.asarray(own["params"]["codebook"]["codes"])
    z_e = jax.random.normal(jax.random.key(2), (3, 4, 4, 4))
    out = quantizer.apply(own, z_e, train=False)
    inputs = np.asarray(quantizer.apply(own, out.indices, method="prior_inputs"))
    assert inputs.shape == (3, 9 + 16, 4)
    total, first = np.zeros(z_e.shape, np.float32), 0
    for number, scale in enumerate((1, 3, 4)):
        indices = out.indices[:, first : first + scale**2]
        # What is left over from this very sum is what the encoder quantised.
        left = _area(np.asarray(z_e - total), scale).reshape(-1, 4)
        np.testing.assert_array_equal(nearest_code(left, codes), indices.ravel())
        if number:
            seen = inputs[:, first - 1 : first - 1 + scale**2]
            wanted = _area(np.asarray(total), scale).reshape(3, -1, 4)
            np.testing.assert_allclose(seen, wanted, atol=1e-6)
        total = quantizer.apply(
            own, jnp.asarray(total), indices, number, method="add_scale"
        )
        first += scale**2
    np.testing.assert_array_equal(total, out.z_q)


def _area(grid, size):
    """PyTorch's mode "area", by its definition."""
    side, result = grid.shape[1], np.zeros((len(grid), size, size, grid.shape[-1]))
    cuts = [(i * side // size, -(-(i + 1) * side // size)) for i in range(size)]
    for i, (top, bottom) in enumerate(cuts):
        for j, (left, right) in enumerate(cuts):
            result[:, i, j] = grid[:, top:bottom, left:right].mean((1, 2))
    return result


def test_known_codes_of_the_next_scale_leave_the_conditional_law():
    prior, variables = _random(scales=(1, 2), size=3)
    count, codes = 10_000, priors.all_codes(prior.layout)
    law = np.exp(_log_prob(prior, variables, codes, np.ones(len(codes), np.int32)))
    mask = np.array([True, False, True, False, True])
    fits = (codes[:, mask] == 2).all(axis=1)
    law = np.where(fits, law, 0.0) / law[fits].sum()

    @jax.jit
    def sample(seeds):
        known = Known(jnp.full((count, 5), 2), jnp.tile(mask, (count, 1)))
        keys = jax.vmap(jax.random.key)(seeds)
        labels = jnp.ones(count, jnp.int32)
        return prior.apply(variables, keys, labels, Sampling(), known, method="sample")

    drawn = np.asarray(sample(np.arange(count)))
    found = np.bincount(drawn @ 3 ** np.arange(5)[::-1], minlength=3**5)
    assert found[~fits].sum() == 0
    pvalue = stats.chisquare(found[fits], count * law[fits], sum_check=False).pvalue
    assert pvalue > 1e-3


def test_vars_guidance_is_a_linear_schedule():
    cfg, fraction = 1.5, np.arange(10) / 9
    scales = Sampling(guidance=1 + cfg, guidance_schedule="linear").scales(10)
    # (1 + t) ℓ_c - t ℓ_u with t = cfg · fraction is ℓ_u + (1 + t) (ℓ_c - ℓ_u).
    np.testing.assert_allclose(scales, 1 + cfg * fraction, rtol=1e-6)


@functools.partial(jax.jit, static_argnums=0)
def _loss_and_gradient(prior, variables, codes):
    rngs = dict(zip(STREAMS, jax.random.split(jax.random.key(0), 3), strict=True))

    def loss(params):
        labels = jnp.zeros(len(codes), jnp.int32)
        given = {**variables, "params": params}
        return prior.apply(given, codes, labels, method="loss", rngs=rngs).loss

    return jax.value_and_grad(loss)(variables["params"])


def test_remat_changes_neither_loss_nor_gradient():
    plain, variables = _random(num_layers=3, drop_path=0.5)
    remat, _ = _random(num_layers=3, drop_path=0.5, remat=True)
    found = [
        _loss_and_gradient(prior, variables, _codes(4)) for prior in (plain, remat)
    ]
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-6)
    for new, old in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-5 * np.abs(old).max() + 1e-8)


def test_paths_are_dropped_in_training_only_and_never_in_the_first_block():
    codes, labels = _codes(8), np.zeros(8, np.int32)

    def found(num_layers, drop_path):
        prior, variables = _random(num_layers=num_layers, drop_path=drop_path)
        nats = _log_prob(prior, variables, codes, labels)
        return _loss_and_gradient(prior, variables, codes)[0], nats

    (plain, plain_nats), (dropped, nats) = found(2, 0.0), found(2, 0.9)
    np.testing.assert_allclose(nats, plain_nats, rtol=1e-6)
    assert plain != dropped
    np.testing.assert_allclose(found(1, 0.0)[0], found(1, 0.9)[0], rtol=1e-6)


def test_the_tokenizer_is_read_and_has_no_parameters_in_the_prior():
    prior, variables = _random()
    assert set(variables) == {"params", TOKENIZER}
    assert not {"quantizer", "codebook"} & set(variables["params"])
    other = jax.tree.map(lambda x: x + 1.0, variables[TOKENIZER])
    codes, labels = _codes(1), np.zeros(1, np.int32)
    before = _logits(prior, variables, codes, labels)
    after = _logits(prior, {**variables, TOKENIZER: other}, codes, labels)
    # The first code is predicted from the class alone.
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert (after[:, 1:] != before[:, 1:]).any(axis=-1).all()


def test_only_tokenizers_of_growing_grids_have_a_next_scale():
    config = ConfigDict({"name": "next_scale", "num_layers": 1})
    build_prior(config, tiny.model("multi_scale"), 16)
    for name in ("vq_ema", "residual", "product"):
        with pytest.raises(InputError, match=r"name='multi_scale'"):
            build_prior(config, tiny.model(name), 16)


def test_heads_that_do_not_divide_the_channels_are_named():
    prior = priors.build("next_scale", scales_layout(SCALES, 5), num_heads=3)
    with pytest.raises(InputError, match=r"num_heads=3 must divide .*hidden_dim=16"):
        priors.variables(prior)


@pytest.mark.slow
def test_a_source_that_refines_its_first_code_is_learnt_to_its_entropy():
    """Held-out nats: within 2 % of the entropy, never below it."""
    rng = np.random.default_rng(0)
    first, finer = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4), size=(4, 4))

    def draw(count, seed):
        rng = np.random.default_rng(seed)
        coarse = rng.choice(4, count, p=first)
        ends = np.cumsum(finer[coarse], axis=-1)
        fine = (rng.random((count, 4, 1)) > ends).sum(axis=-1)
        return np.column_stack([coarse, np.minimum(fine, 3)]).astype(np.int32)

    def nats(codes):
        coarse, fine = codes[:, 0], codes[:, 1:]
        chosen = finer[coarse[:, None], np.arange(4)[None], fine]
        return -np.log(first[coarse]) - np.log(chosen).sum(axis=1)

    prior = priors.build("next_scale", scales_layout((1, 2), 4))
    variables = priors.variables(prior)
    tx = optax.adam(optax.cosine_decay_schedule(1e-2, 400))
    opt_state = tx.init(variables["params"])

    @jax.jit
    def step(variables, opt_state, codes):
        _, grads = _loss_and_gradient(prior, variables, codes)
        updates, opt_state = tx.update(grads, opt_state, variables["params"])
        params = optax.apply_updates(variables["params"], updates)
        return {**variables, "params": params}, opt_state

    for i in range(400):
        variables, opt_state = step(variables, opt_state, draw(256, seed=i))
    held_out = draw(20_000, seed=10**6)
    labels = np.zeros(len(held_out), np.int32)
    excess = -np.asarray(_log_prob(prior, variables, held_out, labels)) - nats(held_out)
    entropy = first @ (stats.entropy(finer, axis=-1).sum(-1)) + stats.entropy(first)
    assert excess.mean() > -3 * excess.std() / np.sqrt(len(excess))
    assert excess.mean() < 0.02 * entropy
