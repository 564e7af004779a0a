"""Features of the encoder in the decoder: where, how much, and nothing at first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.models.decoders.conv import ConvDecoder
from vq_jax.models.decoders.resnet import ResnetDecoder
from vq_jax.models.encoders.conv import ConvEncoder
from vq_jax.models.encoders.resnet import ResnetEncoder
from vq_jax.models.layers.fusion import FeatureFusion, FeatureFusions

RESNET = {
    "base_dim": 8,
    "multipliers": (1, 2, 2),
    "resolution": 16,
    "attention_resolutions": (),
    "features_dim": 4,
    "num_groups": 4,
}
PAIRS = {
    "conv": (
        ConvEncoder(hidden_dim=8, num_downsamples=2),
        ConvDecoder(out_channels=3, hidden_dim=8, num_upsamples=2),
        range(1, 2),
    ),
    "resnet": (
        ResnetEncoder(**RESNET),
        ResnetDecoder(**RESNET, out_channels=3),
        range(2),
    ),
}


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    shapes = ((2, 6, 4, 3), (2, 6, 4, 5))
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


def _random(params):
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda x: jnp.asarray(rng.normal(size=x.shape, scale=0.1), jnp.float32), params
    )


def test_it_begins_with_the_decoder_alone(arrays):
    found, _ = FeatureFusion(1).init_with_output(jax.random.key(0), *arrays, 1.0)
    np.testing.assert_array_equal(found, arrays[0])


def test_the_fidelity_scales_what_it_adds(arrays):
    module = FeatureFusion(1)
    params = _random(module.init(jax.random.key(0), *arrays, 1.0))
    none, half, all_ = (module.apply(params, *arrays, w) for w in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(none, arrays[0])
    assert np.abs(all_ - none).min() > 0.0
    np.testing.assert_allclose(half - none, 0.5 * (all_ - none), rtol=1e-5, atol=1e-6)


def test_it_is_a_scale_and_a_shift_of_the_features(arrays):
    """Two times the decoder's features, with scale and shift as they were."""
    module = FeatureFusion(1)
    params = _random(module.init(jax.random.key(0), *arrays, 1.0))
    # Of the features of the encoder alone: the first kernel sees no others.
    first = params["params"]["Conv_0"]
    first["kernel"] = first["kernel"].at[:, :, -3:].set(0.0)
    x, features = arrays
    one, two, zero = (
        module.apply(params, factor * x, features, 1.0) for factor in (1.0, 2.0, 0.0)
    )
    np.testing.assert_allclose(two - one, one - zero, rtol=1e-4, atol=1e-5)
    assert np.abs(zero).min() > 0.0


def test_a_level_without_fusion_is_as_it_was(arrays):
    x, features = arrays
    module = FeatureFusions(levels=(1,), num_blocks=1)
    params = _random(module.init(jax.random.key(0), x, 1, {1: features}, 1.0))
    np.testing.assert_array_equal(module.apply(params, x, 2, {1: features}, 1.0), x)
    assert (module.apply(params, x, 1, {1: features}, 1.0) != x).all()


@pytest.mark.parametrize("name", PAIRS)
def test_levels_are_those_above_the_latent_grid_in_both_directions(name):
    encoder, decoder, levels = PAIRS[name]
    images = jnp.zeros((1, 16, 24, 3))
    fed = []

    def fuse(x, level):
        fed.append((level, x.shape))
        return x

    def both():
        params = encoder.init(jax.random.key(0), images, train=False)
        found = encoder.apply(params, images, train=False, method="features")
        decoder.init(jax.random.key(0), jnp.zeros((1, 4, 6, 8)), train=False, fuse=fuse)
        return found, encoder.apply(params, images, train=False)

    found, last = jax.eval_shape(both)
    assert encoder.levels == decoder.levels == levels
    assert [*found] == [*levels, len(levels) + levels.start]
    assert found[max(found)].shape == last.shape
    # The same levels, the other way round.
    assert [level for level, _ in fed] == [*reversed(levels)]
    for level, shape in fed:
        assert shape[:3] == found[level].shape[:3] == (1, 16 >> level, 24 >> level)
