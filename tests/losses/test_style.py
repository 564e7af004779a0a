"""The objective of style transfer against its definition in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.losses.style import StyleObjective

RNG = np.random.default_rng(0)


def _features(height, width):
    shapes = ((height, width, 2), (height // 2, width // 2, 3))
    return [
        jnp.asarray(np.abs(RNG.normal(size=(1, *shape))), jnp.float32)
        for shape in shapes
    ]


OBJECTIVE = StyleObjective(style_layers=(0, 1), content_layer=1)
IMAGE, STYLE, CONTENT = _features(6, 4), _features(4, 8), _features(6, 4)


def _relative(a, b):
    return ((a - b) ** 2).sum() / ((a**2).sum() + (b**2).sum())


def _gram(features):
    rows = np.float64(features).reshape(-1, features.shape[-1])
    return rows.T @ rows / len(rows)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_it_is_the_weighted_sum_of_both(strength):
    targets = OBJECTIVE.targets(STYLE, CONTENT)
    total, losses = OBJECTIVE(IMAGE, targets, strength)
    pairs = zip(IMAGE, STYLE, strict=True)
    style = np.mean([_relative(_gram(a), _gram(b)) for a, b in pairs])
    content = _relative(*(np.float64(x[1]) for x in (IMAGE, CONTENT)))
    assert losses["style"] == pytest.approx(style, rel=1e-5)
    assert losses["content"] == pytest.approx(content, rel=1e-5)
    wanted = (1 - strength) * content + strength * style
    assert total == pytest.approx(wanted, rel=1e-5)


def test_each_end_of_strength_has_the_gradients_of_one_loss():
    targets = OBJECTIVE.targets(STYLE, CONTENT)

    def grads(image, strength):
        return jax.grad(lambda x: OBJECTIVE(x, targets, strength)[0])(image)

    at_content, at_style = grads(IMAGE, 0.0), grads(IMAGE, 1.0)
    assert not np.any(at_content[0])  # no layer of content
    assert np.any(at_content[1])
    assert all(np.any(x) for x in at_style)
    assert not any(np.any(x) for x in grads(CONTENT, 0.0))  # its minimum
