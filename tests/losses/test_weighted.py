import jax
import jax.numpy as jnp
import pytest

from vq_jax.errors import InputError
from vq_jax.losses import weighted


def test_total_is_weighted_and_logs_are_not():
    terms = {"l1": jnp.float32(2.0), "perceptual": jnp.float32(3.0)}
    total, logs = weighted.weighted_sum(terms, {"perceptual": 0.1, "l1": 4})
    assert total == pytest.approx(8.3)
    assert logs == {"l1": 2.0, "perceptual": 3.0}


def test_everything_is_float32():
    terms = {"l1": jnp.bfloat16(1.0), "commitment": jnp.bfloat16(2**-9)}
    total, logs = weighted.weighted_sum(terms, {"l1": 1.0, "commitment": 1.0})
    assert total == 1.0 + 2**-9  # 1.0 in bfloat16
    assert all(x.dtype == jnp.float32 for x in (total, *logs.values()))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["l1", "l2"], r"without weight \['l2'\], weights without term \[\]"),
        (["lpips"], r"without weight \['lpips'\], weights without term \['l1'\]"),
        ([], r"without weight \[\], weights without term \['l1'\]"),
    ],
)
def test_names_must_match(names, message):
    terms = {name: jnp.float32(1.0) for name in names}
    with pytest.raises(InputError, match=message):
        weighted.weighted_sum(terms, {"l1": 1.0})


def test_gradients_reach_terms_and_traced_weights():
    def total(x, weight):
        return weighted.weighted_sum({"a": x**2, "b": x}, {"a": weight, "b": 0.0})[0]

    to_term, to_weight = jax.jit(jax.grad(total, argnums=(0, 1)))(3.0, 0.5)
    assert to_term == 3.0
    assert to_weight == 9.0
