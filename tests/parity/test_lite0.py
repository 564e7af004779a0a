"""EfficientNet-Lite0 has the features of a PyTorch version with the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import data

from vq_jax.models.perceptual.lite0 import Lite0
from vq_jax.pretrained.lite0 import load_lite0
from vq_jax.testing.goldens import load

CROPS = {
    "cat": lambda: data.chelsea()[38:262, 113:337],
    "coffee": lambda: data.coffee()[80:304, 190:414],
    "odd": lambda: data.chelsea()[60:125, 100:197],
}
CATS, ESPRESSO = {281, 282, 283, 284, 285}, 967


@pytest.mark.parametrize("crop", CROPS)
def test_features_of_photographs(crop):
    golden = load("lite0")
    images = (CROPS[crop]().astype(np.float32)[None] - 127.0) / 128.0
    found = jax.jit(Lite0().apply)(
        {"params": jax.device_put(load_lite0())}, jnp.asarray(images)
    )
    # The BatchNorms are folded, which rounds differently in each of 50 layers.
    np.testing.assert_allclose(found[0], golden[crop], rtol=1e-3, atol=1e-4)


def test_the_reference_recognises_the_photographs():
    golden = load("lite0")
    assert len(CATS & set(golden["cat_classes"].tolist())) >= 4
    assert golden["coffee_classes"][0] == ESPRESSO
