"""Families without a table: FSQ, LFQ, BSQ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.testing.quantizers import apply, make


def _gradient(module, variables, z_e, weights):
    return jax.grad(
        lambda z: jnp.sum(weights * apply(module, variables, z, train=True).z_q)
    )(z_e)


def _weights(z_e):
    return jax.random.normal(jax.random.key(5), z_e.shape)


def test_fsq_is_the_listing_of_its_paper():
    module, variables, z_e = make("fsq")
    levels = np.asarray([4, 3, 5, 8])
    half = (levels - 1) * (1 - 1e-3) / 2
    offset = np.where(levels % 2 == 1, 0.0, 0.5)
    z = np.asarray(z_e, np.float64)
    rounded = np.round(np.tanh(z + np.tan(offset / half)) * half - offset)
    basis = np.asarray([1, 4, 12, 60])
    out = apply(module, variables, z_e, train=True)
    np.testing.assert_allclose(out.z_q, rounded / (levels // 2), rtol=1e-6)
    np.testing.assert_array_equal(
        out.indices, ((rounded + levels // 2) * basis).sum(-1)
    )


def test_the_gradient_of_fsq_is_that_of_its_bound():
    module, variables, z_e = make("fsq")
    levels = np.asarray([4, 3, 5, 8])
    half = (levels - 1) * (1 - 1e-3) / 2
    shift = np.tan(np.where(levels % 2 == 1, 0.0, 0.5) / half)
    weights = _weights(z_e)
    slope = 1 - np.tanh(np.asarray(z_e, np.float64) + shift) ** 2
    expected = np.asarray(weights) * slope * half / (levels // 2)
    found = _gradient(module, variables, z_e, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_codes_of_lfq_are_signs_in_the_order_named():
    z_e = jnp.asarray([1.0, -2.0, -0.1, -3.0]).reshape(1, 1, 1, 4)
    for case, index, scale in (("lfq", 1, 1.0), ("lfq_big", 8, 0.5), ("bsq", 8, 0.5)):
        module, variables, _ = make(case)
        out = apply(module, variables, z_e, train=False)
        assert int(out.indices[0, 0, 0]) == index
        np.testing.assert_array_equal(
            out.z_q.ravel(), scale * np.sign(np.asarray(z_e)).ravel()
        )


@pytest.mark.parametrize(("case", "scale"), [("lfq", 1.0), ("bsq", 0.5)])
def test_the_loss_of_binary_codes_is_that_of_their_whole_table(case, scale):
    module, variables, z_e = make(case)
    z = np.asarray(z_e, np.float64).reshape(-1, 4)
    if case == "bsq":
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
    table = scale * (2.0 * ((np.arange(16)[:, None] >> np.arange(4)) & 1) - 1)
    logits = 200.0 * z @ table.T
    probs = np.exp(logits - logits.max(1, keepdims=True))
    probs /= probs.sum(1, keepdims=True)
    mean = probs.mean(0)
    sample = -(probs * np.log(np.maximum(probs, 1e-300))).sum(1).mean()
    diversity = -(mean * np.log(np.maximum(mean, 1e-300))).sum()
    commitment = ((z - scale * np.where(z > 0, 1, -1)) ** 2).mean()
    out = apply(module, variables, z_e, train=True)
    expected = 0.25 * commitment + 0.1 * (sample - diversity)
    np.testing.assert_allclose(out.loss, expected, rtol=1e-4)


def test_the_gradient_of_bsq_passes_through_the_sphere():
    module, variables, z_e = make("bsq")
    weights = _weights(z_e)
    z, g = np.asarray(z_e, np.float64), np.asarray(weights, np.float64)
    length = np.linalg.norm(z, axis=-1, keepdims=True)
    direction = z / length
    expected = (g - (direction * g).sum(-1, keepdims=True) * direction) / length
    found = _gradient(module, variables, z_e, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_groups_of_lfq_have_two_to_the_32_codes_without_a_table():
    inner = {"name": "lfq", "num_bits": 8}
    module, variables, _ = make("product_lfq", inner=inner, num_heads=4)
    z_e = jax.random.normal(jax.random.key(1), (2, 4, 4, 32))
    out = apply(module, variables, z_e, train=True)
    assert out.indices.shape == (2, 4, 4, 4)
    assert module.codebook_size**module.num_codebooks == 2**32
    np.testing.assert_array_equal(out.z_q, jnp.where(z_e > 0, 1.0, -1.0))
    looked_up = module.apply(variables, out.indices, method="lookup")
    np.testing.assert_array_equal(looked_up, out.z_q)


@pytest.mark.parametrize(
    ("case", "fields", "message"),
    [
        ("fsq", {"levels": (8, 1)}, r"levels=1 must be in \[2"),
        ("fsq", {"levels": (256,) * 4}, "product"),
        ("lfq", {"num_bits": 25}, r"num_bits=25 must be in \[1, 24\]"),
        ("bsq", {"scale": 2.0}, "must be 1 for 'bsq'"),
    ],
)
def test_bad_fields_are_named(case, fields, message):
    with pytest.raises(InputError, match=message):
        make(case, **fields)


@pytest.mark.parametrize("case", ["fsq", "lfq", "bsq"])
def test_other_channels_than_the_levels_are_named(case):
    module, variables, _ = make(case)
    with pytest.raises(InputError, match="z_e has 5 channels"):
        apply(module, variables, jnp.zeros((1, 2, 2, 5)), train=False)
