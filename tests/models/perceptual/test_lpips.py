import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.models.perceptual.lpips import Lpips

CHANNELS = (4, 4, 4, 4, 4)
RNG = np.random.default_rng(0)


def _make(net, size=(40, 40), channels=3):
    """The compiled distance, its variables, and two batches of images."""
    model, variables, images, others = _model(net, size, channels)
    return jax.jit(model.apply), variables, images, others


def _model(net, size, channels=3):
    model = Lpips(net=net, channels=CHANNELS)
    images, others = (
        jnp.asarray(RNG.uniform(-1, 1, (2, *size, channels)), jnp.float32)
        for _ in range(2)
    )
    variables = jax.jit(model.init)(jax.random.key(0), images, others)
    return model, variables, images, others


@pytest.mark.parametrize("net", ["vgg16", "alexnet"])
def test_equal_images_are_at_distance_0_with_gradient_0(net):
    distance, variables, images, _ = _make(net)

    @jax.jit
    @jax.value_and_grad
    def value_and_gradient(x, y):
        return jnp.sum(distance(variables, x, y))

    for pair in (images, jnp.zeros_like(images), jnp.full_like(images, -1.0)):
        value, grad = value_and_gradient(pair, pair)
        assert value == 0.0
        np.testing.assert_array_equal(grad, 0.0)


@pytest.mark.parametrize("net", ["vgg16", "alexnet"])
def test_gradients_at_constant_images_are_finite(net):
    distance, variables, images, _ = _make(net)

    @jax.jit
    @jax.grad
    def gradient(x):
        return jnp.sum(distance(variables, x, images))

    grad = gradient(jnp.zeros_like(images))
    assert np.isfinite(grad).all()
    assert np.abs(grad).max() > 0.0


@pytest.mark.parametrize("net", ["vgg16", "alexnet"])
@pytest.mark.parametrize("size", [(28, 28), (8, 64), (1, 1), (33, 47)])
def test_images_of_any_size_have_a_finite_distance(net, size):
    distance, variables, images, others = _make(net, size)
    value = distance(variables, images, others)
    assert value.shape == (2,)
    assert np.isfinite(value).all()


def test_grey_images_are_those_with_three_equal_channels():
    distance, variables, images, others = _make("alexnet")
    grey, other = images[..., :1], others[..., :1]
    rgb = (jnp.repeat(x, 3, axis=-1) for x in (grey, other))
    np.testing.assert_array_equal(
        distance(variables, grey, other), distance(variables, *rgb)
    )


def test_the_distance_by_pixel_is_where_the_images_differ():
    model, variables, images, _ = _model("alexnet", (160, 160))
    others = images.at[:, :24, :24].multiply(-1.0)
    found = np.asarray(model.apply(variables, images, others, method="spatial"))
    assert found.shape == images.shape[:3]
    inside = np.zeros(found.shape[1:], bool)
    inside[:24, :24] = True
    assert found[:, inside].min() > 0.0
    # Beyond what the deepest layer sees of the corner.
    np.testing.assert_array_equal(found[:, 150:, 150:], 0.0)


def test_layers_of_one_size_have_the_distance_as_their_mean():
    """Bilinear enlargement by whole numbers keeps a mean, but for the border."""
    model, variables, images, others = _model("vgg16", (64, 64))
    by_pixel = model.apply(variables, images, others, method="spatial")
    whole = model.apply(variables, images, others)
    np.testing.assert_allclose(by_pixel.mean((1, 2)), whole, rtol=0.05)


def test_the_distance_is_symmetric_and_counts_each_pair_alone():
    distance, variables, images, others = _make("vgg16")
    value = distance(variables, images, others)
    back = distance(variables, others, images)
    np.testing.assert_allclose(value, back, rtol=1e-6)
    alone = distance(variables, images[1:], others[1:])
    np.testing.assert_allclose(value[1:], alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("platform", "width", "folds"),
    [("tpu", 40, True), ("tpu", 41, False), ("cpu", 40, False)],
)
def test_narrow_layers_of_vgg16_are_folded_on_tpus(platform, width, folds):
    model, variables, images, others = _model("vgg16", (40, width))

    @jax.grad
    def gradient(images):
        return jnp.sum(model.apply(variables, images, others))

    traced = jax.jit(gradient).trace(images)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    lines = text.splitlines()
    for operation in ("convolution(", "select_and_scatter"):
        found = [i for i, line in enumerate(lines) if operation in line]
        assert found
        # The types of a pooling's gradient stand some lines below, after its regions.
        whole = ["".join(lines[i : i + 10]) for i in found]
        assert any("2x40x20x8xf32" in line for line in whole) == folds


def test_vgg16_is_the_same_in_pairs_of_columns(monkeypatch):
    model, variables, images, others = _model("vgg16", (40, 36))

    def distance_and_gradients():
        @jax.jit
        @functools.partial(jax.value_and_grad, argnums=(0, 1))
        def run(images, others):
            return jnp.sum(model.apply(variables, images, others))

        return run(images, others)

    expected = distance_and_gradients()
    monkeypatch.setattr(jax.lax, "platform_dependent", _as_on_tpus)
    found = distance_and_gradients()
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6),
        found,
        expected,
    )


def _as_on_tpus(*args, default, **forms):
    return forms.get("tpu", default)(*args)
