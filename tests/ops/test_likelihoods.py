import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.special import expit, logit

from vq_jax.errors import InputError
from vq_jax.ops import images as image_ops
from vq_jax.ops import likelihoods

_INTENSITIES = np.arange(256)


def _discretized_logistic(mean: np.ndarray, log_scale: np.ndarray) -> np.ndarray:
    """P(intensity) of all 256 intensities, on a new last axis (PixelCNN++, eq. 2).

    Mean and scale are those of images in [-1, 1].
    """
    mean = 127.5 * (np.float64(mean)[..., None] + 1)
    scale = 127.5 * np.exp(np.float64(log_scale)[..., None])
    upper = np.where(_INTENSITIES == 255, np.inf, (_INTENSITIES + 0.5 - mean) / scale)
    lower = np.where(_INTENSITIES == 0, -np.inf, (_INTENSITIES - 0.5 - mean) / scale)
    # The logistic is symmetric: subtract in the lower tail, where digits remain.
    return np.where(
        mean < _INTENSITIES, expit(-lower) - expit(-upper), expit(upper) - expit(lower)
    )


def _categorical(logits: np.ndarray) -> np.ndarray:
    """P(intensity), a softmax over the last axis (PixelRNN, sec. 2.3)."""
    logits = logits.astype(np.float64)
    unnormalised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return unnormalised / unnormalised.sum(axis=-1, keepdims=True)


def _logit_laplace(x: np.ndarray, mu: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Density of the logit-Laplace at x in (0, 1) (DALL-E, eq. 2)."""
    x, mu, b = np.float64(x), np.float64(mu), np.float64(b)
    return np.exp(-np.abs(logit(x) - mu) / b) / (2 * b * x * (1 - x))


WITH_DENSITY = [x for x in likelihoods.ALL if x.nll is not None]
TWO_PARAMETERS = [likelihoods.DISCRETIZED_LOGISTIC, likelihoods.LOGIT_LAPLACE]
ALL_INTENSITIES = image_ops.from_uint8(
    jnp.arange(256, dtype=jnp.uint8)[None, None, :, None]
)


def by_name(x):
    return x.name


def random_inputs(likelihood, channels=3, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(2, 4, 5, channels * likelihood.outputs_per_channel))
    intensities = rng.integers(0, 256, (2, 4, 5, channels))
    images = image_ops.from_uint8(jnp.asarray(intensities, jnp.uint8))
    return jnp.asarray(outputs, dtype), images


@functools.partial(jax.jit, static_argnums=0)
def nll_of_intensities(likelihood, first, log_scale):
    """The nll of each of the 256 intensities under one pair of outputs."""
    pair = jnp.stack([first, log_scale])[None, None, None]
    outputs = jnp.broadcast_to(pair, (1, 1, 256, 2))
    return likelihood.nll(outputs, ALL_INTENSITIES)[0, 0, :, 0]


# The clamp is at -7, so scales below it must behave like it.
@pytest.mark.parametrize("log_scale", [-1e4, -7.0, -3.0, 0.0, 4.0, 30.0])
@pytest.mark.parametrize("mean", [-2.0, -1.0, -0.31, 0.002, 0.7, 1.0])
def test_discretized_logistic_sums_to_one(mean, log_scale):
    nll = nll_of_intensities(likelihoods.DISCRETIZED_LOGISTIC, mean, log_scale)
    assert np.exp(-np.float64(nll)).sum() == pytest.approx(1.0, abs=2e-6)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(mean=st.floats(-1.5, 1.5), log_scale=st.floats(-6.9, 5.0))
def test_discretized_logistic_is_a_difference_of_cdfs(mean, log_scale):
    mean, log_scale = np.asarray([[mean], [log_scale]], np.float32)
    found = nll_of_intensities(likelihoods.DISCRETIZED_LOGISTIC, mean[0], log_scale[0])
    probs = _discretized_logistic(mean, log_scale)[0]
    digits = probs > 1e-300  # The definition itself underflows below.
    # Float32 places the mean to 1.5e-5 of a intensity; the narrowest scale is 1 / 8.6.
    np.testing.assert_allclose(
        found[digits], -np.log(probs[digits]), rtol=2e-6, atol=2e-4
    )


def test_discretized_logistic_clamps_the_log_scale():
    nll = functools.partial(nll_of_intensities, likelihoods.DISCRETIZED_LOGISTIC, 0.1)
    np.testing.assert_array_equal(nll(-20.0), nll(likelihoods.MIN_LOG_SCALE))
    assert np.any(nll(-6.9) != nll(likelihoods.MIN_LOG_SCALE))


@pytest.mark.parametrize("likelihood", TWO_PARAMETERS, ids=by_name)
@pytest.mark.parametrize("log_scale", [-1e30, -100.0, -7.0, 0.0, 50.0, 100.0, 1e30])
@pytest.mark.parametrize("mean", [-1e30, -50.0, 0.0, 1.0, 1e30])
def test_nll_and_gradients_are_finite_at_extremes(likelihood, mean, log_scale):
    if likelihood is likelihoods.LOGIT_LAPLACE and log_scale == 1e30:
        log_scale = (
            1e20  # 256 intensities of 1e30 are fine too, but let sums stay finite.
        )
    loss = lambda *args: nll_of_intensities(likelihood, *args).sum()  # noqa: E731
    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(mean, log_scale)
    assert np.isfinite([value, *grads]).all()


@pytest.mark.parametrize("likelihood", TWO_PARAMETERS, ids=by_name)
def test_gradient_moves_the_location_towards_the_image(likelihood):
    grad = jax.grad(lambda m: nll_of_intensities(likelihood, m, -2.0)[200])
    assert grad(-1.0) < 0
    assert grad(3.0) > 0


def test_categorical_is_the_cross_entropy():
    logits, images = random_inputs(likelihoods.CATEGORICAL)
    found = likelihoods.CATEGORICAL.nll(logits, images)
    probs = _categorical(np.asarray(logits).reshape(2, 4, 5, 3, 256))
    intensity = np.asarray(image_ops.to_uint8(images)).astype(int)
    expected = -np.log(np.take_along_axis(probs, intensity[..., None], -1)[..., 0])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_categorical_mean_is_the_expected_intensity():
    logits, _ = random_inputs(likelihoods.CATEGORICAL)
    probs = _categorical(np.asarray(logits).reshape(2, 4, 5, 3, 256))
    expected = (probs * _INTENSITIES).sum(-1) / 127.5 - 1
    found = likelihoods.CATEGORICAL.mean(logits, 3)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(mu=st.floats(-3.0, 3.0), log_scale=st.floats(-3.0, 3.0))
def test_logit_laplace_is_the_density_of_the_mapped_image(mu, log_scale):
    mu, log_scale = np.asarray([[mu], [log_scale]], np.float32)
    found = nll_of_intensities(likelihoods.LOGIT_LAPLACE, mu[0], log_scale[0])
    x = 0.1 + 0.8 * _INTENSITIES / 255
    b = np.exp(log_scale.astype(np.float64))
    expected = -np.log(_logit_laplace(x, mu, b))
    # A distance of float32 logits, good to 1e-6, is divided by b >= 0.05.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=5e-5)


def test_logit_laplace_integrates_to_one():
    # Images from -1.25 to 1.25 cover (0, 1); narrow, so that the ends don't matter.
    points = np.arange(20_000)
    x = (points + 0.5) / len(points)
    images = jnp.asarray(2 * (x - 0.1) / 0.8 - 1, jnp.float32)[None, None, :, None]
    pair = jnp.asarray([0.4, -1.5])[None, None, None]
    outputs = jnp.broadcast_to(pair, (1, 1, len(x), 2))
    nll = likelihoods.LOGIT_LAPLACE.nll(outputs, images)
    assert np.exp(-np.float64(nll)).mean() == pytest.approx(1.0, abs=1e-4)


def test_logit_laplace_mean_inverts_the_map_and_clips():
    image = np.asarray([-1.0, -0.5, 0.0, 0.9, 1.0])
    x = 0.1 + 0.8 * (image + 1) / 2
    mu = np.append(np.log(x / (1 - x)), [-20.0, 20.0])
    outputs = np.stack([mu, np.zeros_like(mu)], axis=-1)[None, None]
    found = likelihoods.LOGIT_LAPLACE.mean(jnp.asarray(outputs, jnp.float32), 1)
    np.testing.assert_allclose(found.ravel(), [*image, -1.0, 1.0], atol=1e-6)


@pytest.mark.parametrize(
    "likelihood", [likelihoods.PIXELS, likelihoods.DISCRETIZED_LOGISTIC], ids=by_name
)
def test_mean_is_the_first_output_unclipped(likelihood):
    outputs, _ = random_inputs(likelihood)
    first = outputs[..., :: likelihood.outputs_per_channel]
    assert np.abs(first).max() > 1.0
    np.testing.assert_array_equal(likelihood.mean(outputs, 3), first)


@pytest.mark.parametrize("likelihood", WITH_DENSITY, ids=by_name)
def test_layout_is_channel_major(likelihood):
    outputs, images = random_inputs(likelihood)
    n = likelihood.outputs_per_channel
    whole_nll = likelihood.nll(outputs, images)
    whole_mean = likelihood.mean(outputs, 3)
    for c in range(3):
        own = outputs[..., c * n : (c + 1) * n]
        one = images[..., c : c + 1]
        np.testing.assert_allclose(
            whole_nll[..., c : c + 1], likelihood.nll(own, one), rtol=1e-6
        )
        np.testing.assert_allclose(
            whole_mean[..., c : c + 1], likelihood.mean(own, 1), atol=1e-6
        )


@pytest.mark.parametrize("likelihood", likelihoods.ALL, ids=by_name)
def test_bfloat16_outputs_are_computed_in_float32(likelihood):
    outputs, images = random_inputs(likelihood, dtype=jnp.bfloat16)
    exact = outputs.astype(jnp.float32)
    mean = likelihood.mean(outputs, 3)
    assert mean.dtype == jnp.float32
    np.testing.assert_array_equal(mean, likelihood.mean(exact, 3))
    if likelihood.nll is not None:
        nll = likelihood.nll(outputs, images)
        assert nll.dtype == jnp.float32
        np.testing.assert_array_equal(nll, likelihood.nll(exact, images))


@pytest.mark.parametrize("likelihood", likelihoods.ALL, ids=by_name)
def test_a_wrong_number_of_outputs_names_the_right_one(likelihood):
    n = likelihood.outputs_per_channel
    outputs = jnp.zeros((1, 2, 2, 3 * n + 1))
    with pytest.raises(InputError, match=rf"has {3 * n + 1} .* need {3 * n}\."):
        likelihood.mean(outputs, 3)


def test_likelihoods_are_static_arguments_with_unique_names():
    assert len({x.name for x in likelihoods.ALL}) == len(set(likelihoods.ALL))
