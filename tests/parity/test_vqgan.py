"""VQGAN's modules and one whole step against its released code in PyTorch.

Goldens are float32 on a CPU: sums of up to 300 products in another order, through some
ten layers, so relative differences of 1e-6 to 1e-5 are rounding.
"""

import functools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from configs.parts.adversarial import ADVERSARIAL
from vq_jax.losses.adversarial_objective import AdversarialObjective
from vq_jax.models.build import build_autoencoder
from vq_jax.models.decoders.resnet import ResnetDecoder
from vq_jax.models.discriminators.patchgan import PatchDiscriminator
from vq_jax.models.encoders.resnet import ResnetEncoder
from vq_jax.models.layers.norms import BATCH_STATS
from vq_jax.pretrained import taming
from vq_jax.testing import steps
from vq_jax.testing.goldens import load, named_weight
from vq_jax.training.state import AdversarialState

SIZES = {
    "base_dim": 4,
    "multipliers": (1, 2),
    "resolution": 16,
    "attention_resolutions": (8,),
    "features_dim": 4,
    "num_groups": 2,  # as in the goldens
}
ENCODER = {**SIZES, "num_res_blocks": 1}
DECODER = {**SIZES, "num_res_blocks": 2}
DISC = {"base_dim": 4, "num_layers": 2}
LEARNING_RATE = 1e-2


@pytest.fixture(scope="module")
def step_golden():
    return load("vqgan_step")


def close(found, wanted, rtol=2e-5, atol=2e-6):
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)


def nhwc(array):
    return jnp.asarray(np.moveaxis(array, 1, -1))


def nested(flat):
    return unflatten_dict({k: jnp.asarray(v) for k, v in flat.items()}, sep="/")


def unpacked(golden, kind):
    """{PyTorch's name: array} of what the golden holds in one piece."""
    arrays, rest = {}, golden[kind]
    for name, shape in json.loads(str(golden[f"{kind}_index"])).items():
        size = math.prod(shape)
        arrays[name], rest = rest[:size].reshape(shape), rest[size:]
    return arrays


def weights(golden, prefix):
    """{PyTorch's name: weight} before the step of all parameters under `prefix`."""
    shapes = json.loads(str(golden["small_index"]))
    return {
        name: named_weight(name, tuple(shape))
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }


def disc_state(golden):
    """The discriminator's {main.…: array}, with fresh running statistics."""
    params = weights(golden, "disc.")
    return {name.removeprefix("disc."): array for name, array in params.items()}


@pytest.mark.parametrize("size", ["even", "odd"])
def test_encoder(step_golden, size):
    golden = load(f"vqgan_encoder_{size}")
    params = nested(taming.convert(weights(step_golden, "encoder.")))["encoder"]
    apply = functools.partial(
        ResnetEncoder(**ENCODER).apply,
        train=False,
        capture_intermediates=lambda module, _: module.name == "conv_in",
    )
    features, seen = jax.jit(apply)({"params": params}, nhwc(golden["images"]))
    first = seen["intermediates"]["conv_in"]["__call__"][0]
    close(first, nhwc(golden["conv_in"]))
    close(features, nhwc(golden["features"]), rtol=1e-4, atol=1e-5)


def test_decoder(step_golden):
    golden = load("vqgan_decoder")
    params = nested(taming.convert(weights(step_golden, "decoder.")))["decoder"]
    decoder = ResnetDecoder(out_channels=3, post_quant=False, **DECODER)
    apply = jax.jit(functools.partial(decoder.apply, train=False))
    outputs = apply({"params": params}, nhwc(golden["z"]))
    close(outputs, nhwc(golden["outputs"]), rtol=1e-4, atol=1e-5)


def test_patchgan_in_training_and_in_evaluation(step_golden):
    golden = load("vqgan_patchgan")
    params, _ = taming.convert_discriminator(disc_state(step_golden))
    module, images = PatchDiscriminator(**DISC), nhwc(golden["images"])
    fresh = module.init(jax.random.key(0), images, train=False)[BATCH_STATS]

    def objective(images):
        variables = {"params": nested(params), BATCH_STATS: fresh}
        logits, updated = module.apply(
            variables, images, train=True, mutable=[BATCH_STATS]
        )
        return jnp.sum(logits**2), (logits, updated[BATCH_STATS])

    grad, (logits, stats) = jax.jit(jax.grad(objective, has_aux=True))(images)
    close(logits, golden["logits"][:, 0], rtol=1e-4, atol=1e-5)
    close(grad, nhwc(golden["images_grad"]), rtol=1e-3, atol=1e-4)
    running = {k: v for k, v in golden.items() if "running" in k}
    _, expected = taming.convert_discriminator({**disc_state(step_golden), **running})
    found = flatten_dict(stats, sep="/")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        close(found[name], array)
    variables = {"params": nested(params), BATCH_STATS: stats}
    evaluated = module.apply(variables, images, train=False)
    close(evaluated, golden["evaluated"][:, 0], rtol=1e-4, atol=1e-5)


def _vqgan():
    return build_autoencoder(
        ConfigDict(
            {
                "dtype": "float32",
                "code_dim": 4,
                "latent_dim": 0,
                "likelihood": "pixels",
                "encoder": {"name": "resnet", **ENCODER},
                "head": {"name": "deterministic"},
                "quantizer": {
                    "name": "vq",
                    "codebook_size": 8,
                    "beta_mode": "taming_legacy",
                },
                "decoder": {"name": "resnet", **DECODER},
            }
        ),
        channels=3,
    )


def test_a_whole_step_of_generator_and_discriminator(step_golden):
    """G and D after one step of Adam, in the reference's order, with adaptive weight.

    Adam's first step is learning_rate x sign(gradient) almost everywhere, so parameters
    whose gradient is rounding alone (biases before a norm, of keys in attention) are
    only bounded by it.
    """
    golden = step_golden
    model, module = _vqgan(), PatchDiscriminator(**DISC)
    tx, disc_tx = (optax.adam(LEARNING_RATE, 0.5, 0.9) for _ in range(2))
    alone = steps.vae_step(model, tx, {"l1": 1.0, "quantizer": 1.0})
    objective = AdversarialObjective(**{**ADVERSARIAL, "fakes": "updated"})
    step = steps.gan_step(alone, module, disc_tx, objective)
    state = steps.init_gan(step, jax.random.key(0))
    autoencoder, discriminator = state.generator, state.discriminator
    flat = {k: v for k, v in weights(golden, "").items() if not k.startswith("disc.")}
    before = nested(taming.convert(flat))
    assert jax.tree.map(jnp.shape, before) == jax.tree.map(
        jnp.shape, autoencoder.params
    )
    state = AdversarialState(
        autoencoder.replace(params=before),
        discriminator.replace(
            params=nested(taming.convert_discriminator(disc_state(golden))[0])
        ),
    )
    batch = {"image": jnp.asarray(golden["uint8"])}
    new, metrics = jax.jit(step)(state, batch, jax.random.key(0))
    for ours, theirs in {
        "l1": "nll",
        "adversarial": "g_loss",
        "quantizer": "codebook_loss",
        "adaptive_weight": "adaptive_weight",
        "discriminator": "d_loss",
        "logits_real": "logits_real",
        "logits_fake": "logits_fake",
    }.items():
        close(metrics[f"train/{ours}"], golden[theirs], rtol=1e-4, atol=1e-5)

    def of(kind, *, disc):
        return {
            name.removeprefix("disc."): array
            for name, array in unpacked(golden, kind).items()
            if name.startswith("disc.") == disc
        }

    def check(found, after, small):
        found = flatten_dict(found, sep="/")
        assert found.keys() == after.keys()
        for name, array in after.items():
            error = np.abs(found[name] - array)
            noise = small[name]
            assert np.all(error[~noise] < 2e-2 * LEARNING_RATE), name
            assert np.all(error <= 2.01 * LEARNING_RATE), name

    after, small = (of(kind, disc=False) for kind in ("after", "small"))
    check(new.generator.params, taming.convert(after), taming.convert(small))
    after, after_stats = taming.convert_discriminator(of("after", disc=True))
    small, _ = taming.convert_discriminator(of("small", disc=True))
    check(new.discriminator.params, after, small)
    stats = flatten_dict(new.discriminator.variables[BATCH_STATS], sep="/")
    assert stats.keys() == after_stats.keys()
    for name, array in after_stats.items():
        close(stats[name], array, rtol=1e-3, atol=1e-4)
