import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.ops import images as image_ops
from vq_jax.testing import tiny


def _init(model, size=16):
    images = image_ops.from_uint8(jnp.asarray(tiny.images(2, size)))
    return model.init(jax.random.key(0), images, train=False), images


@pytest.mark.parametrize(
    "likelihood", ["pixels", "discretized_logistic", "categorical", "logit_laplace"]
)
def test_decoding_codes_is_the_forward_pass(likelihood):
    model = tiny.model(likelihood=likelihood)
    variables, images = _init(model)
    out = model.apply(variables, images, train=False)
    codes = model.apply(variables, images, method="encode")
    recon = model.apply(variables, codes, method="decode")
    assert recon.shape == images.shape
    np.testing.assert_array_equal(codes, out.quantized.indices)
    np.testing.assert_array_equal(recon, out.recon)


@pytest.mark.parametrize("size", [(16, 24), (4, 8), (32, 16)])
def test_any_multiple_of_the_stride_works(size):
    model = tiny.model()
    variables, _ = _init(model)
    images = jnp.zeros((1, *size, 3))
    out = model.apply(variables, images, train=False)
    assert out.quantized.indices.shape == (1, size[0] // 4, size[1] // 4)
    assert out.recon.shape == images.shape


def test_another_size_is_an_error_that_gives_the_next_one():
    model = tiny.model()
    variables, _ = _init(model)
    with pytest.raises(InputError, match=r"18x16 .* stride 4 .* 20x16"):
        model.apply(variables, jnp.zeros((1, 18, 16, 3)), train=False)


def test_another_number_of_channels_is_an_error():
    model = tiny.model()
    variables, _ = _init(model)
    with pytest.raises(InputError, match="1 channels but the model takes 3"):
        model.apply(variables, jnp.zeros((1, 16, 16, 1)), train=False)


def test_the_gaussian_head_is_noisy_in_training_only():
    model = tiny.model("none", head={"name": "gaussian"})
    variables, images = _init(model)

    def recon(seed, train):
        rngs = {"posterior": jax.random.key(seed)}
        return model.apply(variables, images, train=train, rngs=rngs).recon

    np.testing.assert_array_equal(recon(0, False), recon(1, False))
    np.testing.assert_array_equal(recon(0, True), recon(0, True))
    assert not np.array_equal(recon(0, True), recon(1, True))
    assert float(model.apply(variables, images, train=False).kl.min()) > 0.0


def test_bfloat16_compute_keeps_float32_parameters_and_losses():
    model = tiny.model(dtype="bfloat16")
    variables, images = _init(model)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    out = model.apply(variables, images, train=False)
    assert out.quantized.z_q.dtype == jnp.bfloat16
    assert out.recon.dtype == out.quantized.loss.dtype == jnp.float32
