import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.models.build import build_discriminator
from vq_jax.models.layers.blur import blur_pool
from vq_jax.models.layers.norms import BATCH_STATS

RNG = np.random.default_rng(0)
CASES = {
    "patchgan": {"name": "patchgan", "base_dim": 8, "num_layers": 2},
    "patchgan_actnorm": {"name": "patchgan", "base_dim": 8, "norm": "actnorm"},
    "patchgan_spectral": {"name": "patchgan", "base_dim": 8, "norm": "spectral"},
    "stylegan": {"name": "stylegan", "base_dim": 8, "multipliers": (1, 2)},
    "blur_patch": {"name": "blur_patch", "base_dim": 32, "num_stages": 2},
}


def _make(case, size=32, dtype="float32"):
    module = build_discriminator(ConfigDict(CASES[case]), dtype)
    images = jnp.asarray(RNG.uniform(-1, 1, (4, size, size, 3)), jnp.float32)
    init = jax.jit(functools.partial(module.init, train=False))
    return module, init(jax.random.key(0), images), images


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CASES)
def test_logits_are_float32_one_or_a_grid_for_each_image(case, dtype):
    module, variables, images = _make(case, dtype=dtype)
    logits = jax.jit(functools.partial(module.apply, train=False))(variables, images)
    assert logits.dtype == jnp.float32
    assert logits.shape[0] == 4
    assert logits.ndim == (1 if case == "stylegan" else 3)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("case", CASES)
def test_gradients_reach_images_and_all_parameters(case):
    module, variables, images = _make(case)
    rest = {k: v for k, v in variables.items() if k != "params"}

    def loss(params, images):
        logits = module.apply({"params": params, **rest}, images, train=False)
        return jnp.sum(logits**2)

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))
    grads = gradients(variables["params"], images)
    for leaf in jax.tree.leaves(grads):
        assert np.isfinite(leaf).all()
        assert np.abs(leaf).max() > 0.0


def _scales(module, variables, images):
    """Whether logits of three times the images and biases are three times as large."""
    flat = traverse_util.flatten_dict(variables)
    flat = {k: leaf + 0.1 if k[-1] == "bias" else leaf for k, leaf in flat.items()}
    scaled = {k: 3 * leaf if k[-1] == "bias" else leaf for k, leaf in flat.items()}
    logits, expected = (
        module.apply(traverse_util.unflatten_dict(leaves), x, train=False)
        for leaves, x in ((scaled, 3 * images), (flat, images))
    )
    return np.allclose(logits, 3 * expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_those_that_say_so_are_homogeneous_and_have_one_logit(case):
    module, variables, images = _make(case)
    one_logit = module.apply(variables, images, train=False).ndim == 1
    expected = one_logit and _scales(module, variables, images)
    assert module.homogeneous == expected == (case == "stylegan")


def test_a_logit_of_a_homogeneous_one_depends_on_its_image_alone():
    module, variables, images = _make("stylegan")
    changed = images.at[0].set(0.0)
    kept, moved = (module.apply(variables, x, train=True) for x in (images, changed))
    assert kept[0] != moved[0]
    np.testing.assert_array_equal(kept[1:], moved[1:])


def test_a_patch_sees_its_surroundings_only():
    module, variables, images = _make("patchgan")  # 34 pixels for each logit
    changed = images.at[:, :2, :2].add(1.0)
    moved = module.apply(variables, images, train=False) != module.apply(
        variables, changed, train=False
    )
    assert moved[:, 0, 0].all()
    assert not moved[:, -1, -1].any()


def test_batch_statistics_are_written_in_training_only_where_asked():
    module, variables, images = _make("patchgan")
    _, updated = module.apply(variables, images, train=True, mutable=[BATCH_STATS])
    before, after = variables[BATCH_STATS], updated[BATCH_STATS]
    changed = jax.tree.map(lambda x, y: not np.array_equal(x, y), before, after)
    assert all(jax.tree.leaves(changed))
    module.apply(variables, images, train=True)  # reads them, and need not write


def test_spectral_norm_divides_by_the_largest_singular_value():
    module, variables, images = _make("patchgan_spectral")
    train = functools.partial(module.apply, train=True, mutable=[BATCH_STATS])
    step = jax.jit(lambda variables: {**variables, **train(variables, images)[1]})
    for _ in range(200):  # one power iteration each
        variables = step(variables)
    kernel = np.asarray(variables["params"]["conv_1"]["kernel"], np.float64)
    expected = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]))[1][0]
    stored = variables[BATCH_STATS]["conv_1_spectral"]
    sigma = next(v for k, v in stored.items() if "kernel" in k and "sigma" in k)
    np.testing.assert_allclose(sigma, expected, rtol=1e-3)


def test_too_small_images_for_the_residual_discriminator_are_an_error():
    module = build_discriminator(ConfigDict(CASES["stylegan"]), "float32")
    with pytest.raises(InputError, match="2x2 images are halved to nothing"):
        module.init(jax.random.key(0), jnp.zeros((1, 2, 2, 3)), train=False)


def test_blur_pool_is_the_binomial_filter_at_every_second_pixel():
    x = RNG.normal(size=(1, 8, 6, 2))
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.zeros((1, 4, 3, 2))
    for i in range(4):
        for j in range(3):
            window = padded[0, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
            expected[0, i, j] = np.einsum("yxc,yx->c", window, taps)
    found = blur_pool(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
