"""The numbers and the picture of restored images against their definitions."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from configs.parts.restoration import restoration_defaults
from vq_jax import InputError, sharding
from vq_jax.data import degraded_batches
from vq_jax.data.degradations.presets import FIXED
from vq_jax.evaluation.restoration import (
    Restoration,
    RestorationPictures,
    RestorationSubject,
)
from vq_jax.inference.load_restorer import build_models, initial_params
from vq_jax.inference.restoration import most_likely, restore
from vq_jax.metrics.psnr import psnr
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.ops import images as image_ops
from vq_jax.testing.tokenizers import untrained


@pytest.fixture(scope="module")
def made():
    """The subject, the restorer's variables, the tokenizer's, and its split's pairs."""
    config = restoration_defaults()
    config.data.update(image_size=16, resize="none")
    config.restorer.update(num_layers=1, hidden_dim=8, num_heads=2, mlp_dim=8)
    tokenizer = untrained(ConfigDict(config.data.to_dict()))
    models = build_models(config, tokenizer)
    subject = RestorationSubject(
        models.restorer,
        config.data,
        "test",
        sharding.make_mesh(data=-1, fsdp=1),
        models=models,
        tokenizer=tokenizer,
        degradation=FIXED["noise_25"],
        seed=3,
    )
    params = initial_params(models, tokenizer, config.data, jax.random.key(1))
    batches = degraded_batches.eval_batches(
        config.data, FIXED["noise_25"], "test", seed=3, batch_size=1, limit=20
    )
    found = [*batches]
    pairs = [np.concatenate([b[k] for b in found]) for k in ("image", "degraded")]
    return subject, {"params": params}, tokenizer.load(), pairs


def _restored(made, fidelity):
    subject, params, variables, (_, degraded) = made
    return np.asarray(
        jax.jit(restore, static_argnums=0)(
            subject.models, params, variables, degraded, fidelity
        )
    )


@pytest.mark.parametrize("fidelity", [0.0, 0.7])
def test_numbers_are_means_over_the_images(made, fidelity):
    subject, params, variables, (clean, degraded) = made
    evaluate = Restoration(
        subject=subject, where="here", batch_size=8, max_images=20, fidelity=fidelity
    )
    found = evaluate(params, {TOKENIZER: variables}).metrics
    restored = _restored(made, fidelity)
    wanted = float(np.mean(psnr(jnp.asarray(restored), jnp.asarray(clean))))
    assert found["psnr"] == pytest.approx(wanted, abs=0.02)
    given = float(np.mean(psnr(jnp.asarray(degraded), jnp.asarray(clean))))
    assert found["degraded_psnr"] == pytest.approx(given, abs=1e-3)
    assert found["num_images"] == 20
    assert "degraded_l2" not in found


def test_codes_are_compared_with_those_of_the_clean_image(made):
    subject, params, variables, (clean, degraded) = made
    models = subject.models
    images, seen = (image_ops.from_uint8(jnp.asarray(x)) for x in (clean, degraded))
    logits = np.asarray(models.predict(params, variables, seen).logits, np.float64)
    codes = np.asarray(models.tokenizer.apply(variables, images, method="encode"))
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nats = -np.take_along_axis(logs, codes[..., None], axis=-1).mean()
    evaluate = Restoration(subject=subject, where="here", batch_size=8, max_images=20)
    found = evaluate(params, {TOKENIZER: variables}).metrics
    assert found["cross_entropy"] == pytest.approx(nats, rel=1e-3)
    right = np.mean(np.asarray(most_likely(jnp.asarray(logits))) == codes)
    assert found["code_accuracy"] == pytest.approx(right, abs=0.01)


def test_the_picture_has_what_is_given_restored_and_clean(made):
    subject, params, variables, (clean, degraded) = made
    evaluate = RestorationPictures(subject=subject, where="here")
    picture = evaluate(params, {TOKENIZER: variables}).pictures["restorations"]
    np.testing.assert_array_equal(picture[:16, :16], degraded[0])
    difference = picture[18:34, :16].astype(int) - _restored(made, 0.0)[0]
    assert np.abs(difference).max() <= 1
    np.testing.assert_array_equal(picture[36:52, 18:34], clean[1])


def test_the_same_images_are_degraded_alike_whatever_the_batch(made):
    subject, *_, (_, degraded) = made
    batches = subject.batches(8, limit=8)
    (batch,) = itertools.islice(batches, 1)
    np.testing.assert_array_equal(np.asarray(batch["degraded"]), degraded[:8])


def test_errors_name_the_section(made):
    small = ConfigDict(made[0].data.to_dict())
    small.image_size = 8
    subject = dataclasses.replace(made[0], data=small)
    with pytest.raises(InputError, match=r"too small for config.here: SSIM has"):
        Restoration(subject=subject, where="config.here", batch_size=8)
