import jax
import numpy as np
from flax import linen as nn

from vq_jax.models.layers.transposed import TransposedConv


def test_it_is_the_transposed_convolution_in_value_and_gradients():
    x = jax.random.normal(jax.random.key(0), (2, 5, 6, 3))
    ours = TransposedConv(4)
    theirs = nn.ConvTranspose(4, (4, 4), strides=(2, 2), padding="SAME")
    params = ours.init(jax.random.key(1), x)
    weights = jax.random.normal(jax.random.key(2), (2, 10, 12, 4))

    def loss(module):
        return lambda params, x: (weights * module.apply(params, x)).sum()

    np.testing.assert_allclose(
        ours.apply(params, x), theirs.apply(params, x), rtol=1e-5, atol=1e-6
    )
    found = jax.grad(loss(ours), argnums=(0, 1))(params, x)
    expected = jax.grad(loss(theirs), argnums=(0, 1))(params, x)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        found,
        expected,
    )
