"""A PixelCNN sees what comes before, all of it and nothing else, however it is run."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.models.priors import pixelcnn
from vq_jax.models.priors.base import NO_CLASS, STREAMS
from vq_jax.ops.sampling import Sampling, draw, guided
from vq_jax.ops.token_layout import TokenLayout
from vq_jax.testing import priors

TOP_AND_BOTTOM = TokenLayout((30,), ((2, 3), (4, 6)), 5)
LAYOUTS = {
    "grid": priors.grid_layout(3, 5, 5),
    "tall": priors.grid_layout(5, 2, 5),
    "levels": priors.levels_layout(2, 3, 2, 5),
    "top_and_bottom": TOP_AND_BOTTOM,
    "not_multiples": TokenLayout((14,), ((1, 2), (3, 4)), 5),
}


@functools.cache
def _random(layout, **fields):
    # As many layers as the way from one corner of a grid to the other needs, and so
    # many channels that not all ReLUs of a position are 0.
    sizes = {"num_layers": 5, "first_kernel_size": 3, "channels": 16, "head_dim": 32}
    fields = {**sizes, **fields}
    prior = priors.build(
        "pixelcnn", LAYOUTS[layout], num_classes=2, class_dropout=0.5, **fields
    )
    return prior, priors.variables(prior, random=0.3)


@functools.partial(jax.jit, static_argnums=0)
def _logits(prior, variables, codes, labels):
    """Of all codes in their order, [b, t, k]."""
    levels = prior.apply(variables, codes, labels, train=False, method="logits")
    rows = [level.reshape(len(codes), -1, level.shape[-1]) for level in levels]
    return jnp.concatenate(rows, axis=1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_code_changes_all_logits_after_it_in_its_grid_and_none_before(layout):
    prior, variables = _random(layout)
    layout = prior.layout
    tokens, size = layout.num_tokens, layout.codebook_size
    base = np.random.default_rng(0).integers(0, size, tokens, dtype=np.int32)
    same = np.tile(base, (tokens, 1))
    changed = (same + np.eye(tokens, dtype=np.int32)) % size
    found = [
        np.asarray(
            _logits(
                prior,
                variables,
                layout.from_sequence(jnp.asarray(sequence)),
                np.ones(tokens, np.int32),
            )
        )
        for sequence in (same, changed)
    ]
    differs = (found[0] != found[1]).any(axis=-1)
    np.testing.assert_array_equal(np.tril(differs), np.zeros_like(differs))
    first = 0
    for height, width in layout.grids:
        level = slice(first, first + height * width)
        seen = differs[level, level]
        np.testing.assert_array_equal(seen, np.triu(np.ones_like(seen), 1))
        finer = differs[level, level.stop :]
        assert finer.any(axis=1).all() or not finer.size
        first = level.stop


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_class_changes_all_logits(layout):
    prior, variables = _random(layout)
    codes = np.zeros((1, *prior.layout.shape), np.int32)
    labels = [np.full(1, label, np.int32) for label in (0, 1, NO_CLASS)]
    zero, one, none = (_logits(prior, variables, codes, label) for label in labels)
    for other in (one, none):
        assert (zero != other).any(axis=-1).all()


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize(
    ("layout", "batch"),
    [("grid", 1), ("grid", 3), ("levels", 3), ("not_multiples", 3)],
)
def test_logits_of_sampling_are_those_of_a_pass_over_all_codes(
    layout, batch, scale, monkeypatch
):
    prior, _ = _random(layout)
    # Small logits, as those of a trained prior, whose rounding is far below 1e-5.
    variables = priors.variables(prior, random=0.1)
    seen = []

    def recording(keys, logits, sampling):
        jax.debug.callback(seen.append, logits, ordered=True)
        return draw(keys, logits, sampling)

    monkeypatch.setattr(pixelcnn, "draw", recording)
    keys = jax.random.split(jax.random.key(0), batch)
    labels = jnp.arange(batch) % 2
    sampling = Sampling(guidance=scale, guidance_schedule="linear")

    @jax.jit
    def sample(keys):
        return prior.apply(variables, keys, labels, sampling, method="sample")

    codes = jax.block_until_ready(sample(keys))
    jax.effects_barrier()
    conditional = _logits(prior, variables, codes, labels)
    unconditional = _logits(prior, variables, codes, jnp.full_like(labels, NO_CLASS))
    scales = sampling.scales(prior.layout.num_tokens)[None, :, None]
    expected = guided(conditional, unconditional, scales)
    np.testing.assert_allclose(np.stack(seen, axis=1), expected, rtol=0, atol=1e-5)


def test_remat_changes_no_gradient():
    plain, variables = _random("levels", dropout=0.5)
    saving = plain.clone(remat=True)
    codes = jnp.ones((3, *plain.layout.shape), jnp.int32)

    def gradients(prior):
        keys = jax.random.split(jax.random.key(0), len(STREAMS))
        rngs = dict(zip(STREAMS, keys, strict=True))

        def loss(variables):
            labels = jnp.zeros(3, jnp.int32)
            out = prior.apply(variables, codes, labels, method="loss", rngs=rngs)
            return out.loss

        return jax.jit(jax.grad(loss))(variables)

    found = [gradients(prior) for prior in (plain, saving)]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), *found
    )


def test_losses_of_levels_add_up():
    prior, variables = _random("top_and_bottom", dropout=0.5)
    keys = dict(zip(STREAMS, jax.random.split(jax.random.key(0), 3), strict=True))
    codes = jnp.ones((3, 30), jnp.int32)
    out = prior.apply(variables, codes, jnp.zeros(3, int), method="loss", rngs=keys)
    levels = [out.metrics[f"level_{i}_loss"] for i in range(2)]
    together = (6 * levels[0] + 24 * levels[1]) / 30
    np.testing.assert_allclose(together, out.loss, rtol=1e-5)
    assert levels[0] != levels[1]
