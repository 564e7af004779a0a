"""Quantizers of quantizers: heads, residuals, scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.models.build import build_quantizer
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.multi_scale import refiner_of
from vq_jax.ops.resample import bicubic_matrix
from vq_jax.testing.quantizers import apply, make, update
from vq_jax.testing.reference import nearest_code

VQ = {"name": "vq", "codebook_size": 16}
EMA = {"name": "vq_ema", "codebook_size": 16}


def _codes(variables, name):
    return np.asarray(variables[base.STATE][name]["state"].codes, np.float64)


def test_heads_quantise_their_own_channels():
    module, variables, z_e = make("product")
    out = apply(module, variables, z_e, train=False)
    for head in range(2):
        part = np.asarray(z_e[..., 2 * head : 2 * head + 2]).reshape(-1, 2)
        codes = _codes(variables, f"heads_{head}")
        indices = nearest_code(part, codes)
        np.testing.assert_array_equal(out.indices[..., head].ravel(), indices)


def test_a_shared_codebook_learns_from_all_heads():
    inner = {**EMA, "decay": 0.0, "restart_threshold": 0.0}
    module, variables, z_e = make("product_shared", inner=inner)
    out, updated = update(module, variables, z_e)
    parts = np.asarray(z_e).reshape(-1, 2)  # of both heads, as the indices lie
    indices = np.asarray(out.indices).ravel()
    counts = np.asarray(updated[base.STATE]["heads_0"]["state"].counts)
    np.testing.assert_array_equal(counts, np.bincount(indices, minlength=16))
    codes = _codes(updated, "heads_0")
    for k in np.unique(indices):
        np.testing.assert_allclose(codes[k], parts[indices == k].mean(0), rtol=1e-4)


def test_residual_levels_quantise_what_is_left():
    module, variables, z_e = make("residual")
    out = apply(module, variables, z_e, train=False)
    residual = np.asarray(z_e, np.float64).reshape(-1, 4)
    losses = []
    for level in range(3):
        codes = _codes(variables, f"levels_{level}")
        indices = nearest_code(residual, codes)
        np.testing.assert_array_equal(out.indices[..., level].ravel(), indices)
        residual = residual - codes[indices]
        losses.append((residual**2).mean())
    np.testing.assert_allclose(out.loss, 0.25 * np.mean(losses), rtol=1e-5)
    np.testing.assert_allclose(
        np.asarray(z_e - out.z_q).reshape(-1, 4), residual, atol=1e-5
    )
    assert losses == sorted(losses, reverse=True)


def test_later_residual_levels_are_initialised_from_what_earlier_ones_leave():
    _, variables, _ = make("residual")
    sizes = [np.abs(_codes(variables, f"levels_{i}")).mean() for i in range(3)]
    assert sizes[0] > 2 * sizes[1]


def test_the_scalar_grid_gets_finer_with_the_residual_level():
    module, variables, z_e = make("residual_fsq")
    z_e = jnp.clip(z_e, -1.0, 1.0)
    out = apply(module, variables, z_e, train=False)
    # Four levels of 3 and 5 values: cells of 2/2/27 and 2/4/125.
    error = np.abs(np.asarray(z_e - out.z_q)).max(axis=(0, 1, 2))
    assert np.all(error <= np.asarray([1, 0.5, 1, 0.5]) / [27, 125, 27, 125] + 1e-6)


def test_dropped_residual_levels_are_the_last_ones_and_add_nothing():
    module, variables, _ = make("residual_dropout", level_dropout=1.0)
    z_e = jax.random.normal(jax.random.key(1), (400, 2, 2, 4))
    out = jax.jit(lambda z: apply(module, variables, z, train=True))(z_e)
    kept = np.asarray(out.indices >= 0)
    per_image = kept.reshape(400, 4, 4)
    assert np.all(per_image == per_image[:, :1])  # one number of levels an image
    assert np.all(per_image[..., :-1] >= per_image[..., 1:])
    numbers = np.bincount(per_image[:, 0].sum(-1), minlength=5)
    assert numbers[0] == 0
    np.testing.assert_allclose(numbers[1:] / 400, 0.25, atol=4 * (0.1875 / 400) ** 0.5)
    full = apply(module, variables, z_e, train=False)
    assert np.all(np.asarray(full.indices) >= 0)
    first = jnp.where(jnp.arange(4) < 1, full.indices.reshape(-1, 4), -1)
    coarse = module.apply(variables, first.reshape(full.indices.shape), method="lookup")
    codes = _codes(variables, "levels_0")
    np.testing.assert_allclose(coarse, codes[full.indices[..., 0]], rtol=1e-6)


@pytest.mark.parametrize("name", ["ibq", "gumbel", "soft"])
def test_families_that_learn_from_z_q_cannot_be_residual_levels(name):
    with pytest.raises(InputError, match="learn from its own loss"):
        make("residual", inner={"name": name, "codebook_size": 16})


def test_the_gradient_of_a_residual_passes_once_not_once_a_level():
    module, variables, z_e = make("residual")
    grad = jax.grad(lambda z: jnp.sum(apply(module, variables, z, train=True).z_q))(z_e)
    np.testing.assert_allclose(grad, np.ones(z_e.shape), rtol=1e-6)


def test_multi_scale_without_refiners_is_the_algorithm():
    module, variables, z_e = make(
        "multi_scale_vq", scales=(1, 2, 4), num_refiners=0, inner=VQ
    )
    codes = np.asarray(variables["params"]["codebook"]["codes"], np.float64)
    z = np.asarray(z_e, np.float64)
    out = apply(module, variables, z_e, train=True)
    total, loss, first = np.zeros_like(z), 0.0, 0
    for scale in (1, 2, 4):
        side = 4 // scale
        rest = (z - total).reshape(2, scale, side, scale, side, 4).mean((2, 4))
        indices = nearest_code(rest.reshape(-1, 4), codes).reshape(2, -1)
        np.testing.assert_array_equal(out.indices[:, first : first + scale**2], indices)
        first += scale**2
        grid = codes[indices].reshape(2, scale, scale, 4)
        matrix = np.asarray(_bicubic(4, scale), np.float64)
        total += np.einsum("ih,jw,bhwd->bijd", matrix, matrix, grid)
        loss += 1.25 * ((z - total) ** 2).mean() / 3
    np.testing.assert_allclose(out.z_q, total, atol=1e-5)
    np.testing.assert_allclose(out.loss, loss, rtol=1e-5)


def _bicubic(out_size, in_size):
    return np.eye(4) if out_size == in_size else bicubic_matrix(out_size, in_size)


def test_multi_scale_losses_move_codes_refiners_and_encoder_as_documented():
    module, variables, z_e = make("multi_scale_vq", commitment_weight=0.0)

    def loss(params, z):
        return apply(module, {**variables, "params": params}, z, train=True).loss

    grads, encoder = jax.grad(loss, argnums=(0, 1))(variables["params"], z_e)
    np.testing.assert_array_equal(encoder, np.zeros_like(encoder))
    for leaf in jax.tree.leaves({k: grads[k] for k in ("codebook", "refiners_0")}):
        assert np.abs(leaf).max() > 0


def test_scales_share_refiners_by_nearness():
    # VAR's ten scales and four convolutions.
    assert [refiner_of(i, 10, 4) for i in range(10)] == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]
    assert refiner_of(0, 1, 1) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scales": (1, 2, 3)}, "ends at 3"),
        ({"scales": (2, 1, 4)}, "must grow"),
    ],
)
def test_scales_that_do_not_fit_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        make("multi_scale", **fields)


def test_a_wrong_number_of_tokens_is_named():
    module, variables, _ = make("multi_scale")
    with pytest.raises(InputError, match=r"20 tokens an image but .* need 21"):
        module.apply(variables, jnp.zeros((1, 20), jnp.int32), method="lookup")


@pytest.mark.parametrize(
    ("case", "inner", "message"),
    [
        ("product", {"name": "none"}, "cannot be built on IdentityQuantizer"),
        ("residual", {"name": "multi_scale", "inner": EMA}, "cannot be built on Multi"),
        ("multi_scale", {"name": "product", "inner": EMA}, "one code a position"),
        ("multi_scale", {"name": "ibq", "codebook_size": 16}, "one code a position"),
    ],
)
def test_what_cannot_be_composed_is_named(case, inner, message):
    with pytest.raises(InputError, match=message):
        make(case, inner=inner)


def test_composition_needs_an_inner_quantizer_and_heads_that_divide():
    with pytest.raises(InputError, match="inner is missing"):
        build_quantizer(ConfigDict({"name": "residual"}), 4, "float32")
    with pytest.raises(InputError, match="num_heads=3 must divide"):
        make("product", num_heads=3)


@pytest.mark.parametrize(
    "case",
    ["product", "residual", "grouped_residual", "multi_scale", "residual_shared"],
)
def test_there_are_no_variables_but_those_of_the_parts(case):
    _, variables, _ = make(case)
    names = {str(k.key) for path, _ in _leaves(variables) for k in path if _named(k)}
    assert not any(name == "inner" for name in names)


def _leaves(variables):
    return jax.tree_util.tree_leaves_with_path(variables)


def _named(key):
    return isinstance(key, jax.tree_util.DictKey)
