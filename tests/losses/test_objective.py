import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import quickstart
from vq_jax.errors import InputError
from vq_jax.losses.objective import Objective, build_objective
from vq_jax.ops import images as image_ops
from vq_jax.testing import tiny

WEIGHTS = {"l1": 0.5, "l2": 2.0, "kl": 1e-3, "quantizer": 3.0}


@pytest.fixture(scope="module")
def passed():
    """A Gaussian model, a training pass of it, and the images."""
    model = tiny.model("vq", head={"name": "gaussian"})
    images = image_ops.from_uint8(jnp.asarray(tiny.images(4)))

    @jax.jit
    def run(key):
        variables = model.init(key, images, train=False)
        rngs = {"posterior": jax.random.clone(key)}
        return model.apply(variables, images, train=True, rngs=rngs)

    return model, run(jax.random.key(0)), images


def test_the_loss_is_the_weighted_sum_and_logs_are_unweighted(passed):
    model, output, images = passed
    total, logs = Objective(model, WEIGHTS).loss(output, images, {})
    recon, wanted = np.asarray(output.recon, np.float64), np.asarray(images)
    expected = {
        "l1": np.mean(np.abs(recon - wanted)),
        "l2": np.mean((recon - wanted) ** 2),
        "kl": np.mean(np.asarray(output.kl, np.float64)) / math.prod(images.shape[1:]),
        "quantizer": float(output.quantized.loss),
    }
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5)
    weighted = sum(WEIGHTS[name] * value for name, value in expected.items())
    np.testing.assert_allclose(total, weighted, rtol=1e-5)


def test_image_and_latent_losses_are_its_two_parts(passed):
    model, output, images = passed
    objective = Objective(model, WEIGHTS)
    total, logs = objective.loss(output, images, {})
    image, image_logs = objective.image_loss(output.outputs, images, {})
    latent, latent_logs = objective.latent_loss(output, images)
    np.testing.assert_allclose(total, image + latent, rtol=1e-6)
    assert {**image_logs, **latent_logs} == logs
    assert set(image_logs) == {"l1", "l2"}


def test_losses_of_bfloat16_are_summed_in_float32(passed):
    model, output, images = passed
    quantized = output.quantized.replace(loss=jnp.bfloat16(2**-9))
    output = output.replace(quantized=quantized, kl=jnp.full(4, 3 * 256.0))
    weights = {"kl": 1.0, "quantizer": 1.0}
    total, logs = Objective(model, weights).latent_loss(output, images)
    assert total == 1.0 + 2**-9  # 1.0 in bfloat16
    assert all(x.dtype == jnp.float32 for x in (total, *logs.values()))


def test_a_loss_without_weight_is_not_computed(passed):
    model, output, images = passed
    total, logs = Objective(model, {"l2": 1.0}).loss(output, images * jnp.nan, {})
    assert set(logs) == {"l2"}
    assert jnp.isnan(total)
    total, logs = Objective(model, {"quantizer": 1.0}).loss(
        output, images * jnp.nan, {}
    )
    assert jnp.isfinite(total)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({"l3": 1.0}, r"config.losses.l3 is unknown.* takes \['kl', 'l1'"),
        ({"l2": -1.0}, r"config.losses.l2=-1.0 must be in \[0.0, "),
        ({"quantizer": 1.0}, r"no reconstruction term; give one of"),
        ({"nll": 1.0}, r"nll=1.0 needs a likelihood"),
        ({"l2": 1.0, "kl": 1.0}, r"does not fit the deterministic head"),
        (
            {"l2": 1.0, "perceptual": 0.5},
            r"needs a network .*:perceptual",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(losses, message):
    config = quickstart.get_config("smoke").copy_and_resolve_references()
    config.unlock()
    config.losses = losses
    with pytest.raises(InputError, match=message):
        build_objective(config, tiny.model())


def test_a_perceptual_loss_names_its_network():
    config = quickstart.get_config("smoke,perceptual")
    assert build_objective(config, tiny.model()).nets == ("vgg16",)
    assert build_objective(quickstart.get_config("smoke"), tiny.model()).nets == ()
