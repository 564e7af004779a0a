"""Distances of restyled images: definitions, ends, and what does not count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from vq_jax.metrics import style
from vq_jax.models.perceptual.lpips import Lpips, trunk_features
from vq_jax.testing import tiny

NET = Lpips(net="alexnet", channels=(3, 4, 4, 4, 4))
IMAGES = tiny.images(2, size=48)


def test_the_gram_distance_is_the_mean_over_layers():
    a, b = (jnp.asarray(x)[None] / 127.5 - 1 for x in IMAGES)
    params = NET.init(jax.random.key(0), a, a)["params"]
    wanted = []
    for layers in zip(*(trunk_features(NET, params, x) for x in (a, b)), strict=True):
        grams = []
        for features in layers:
            rows = np.float64(features).reshape(-1, features.shape[-1])
            grams.append(rows.T @ rows / len(rows))
        squares = [(x**2).sum() for x in (grams[0] - grams[1], *grams)]
        wanted.append(squares[0] / (squares[1] + squares[2]))
    found = style.gram_distance(NET, params, a, b)
    assert found.shape == (1,)
    assert float(found[0]) == pytest.approx(np.mean(wanted), rel=1e-4)
    assert 0.0 < float(found[0]) <= 1.0
    assert float(style.gram_distance(NET, params, a, a)[0]) == 0.0


def test_edges_correlate_by_strength_and_place():
    image = IMAGES[0]
    gray = image @ [0.2125, 0.7154, 0.0721] / 255
    edges = [
        np.hypot(ndimage.sobel(x, 0), ndimage.sobel(x, 1)).ravel()
        for x in (gray, gray[::-1])
    ]
    found = style.edge_correlation(image, np.ascontiguousarray(image[::-1]))
    assert found == pytest.approx(np.corrcoef(*edges)[0, 1], abs=1e-3)
    assert style.edge_correlation(image, image) == pytest.approx(1.0)
    assert style.edge_correlation(255 - image, image) == pytest.approx(1.0)
    assert style.edge_correlation(np.full_like(image, 9), image) == 0.0
