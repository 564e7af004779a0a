"""The one place where weights meet loss terms."""

from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from vq_jax.errors import InputError


def weighted_sum(
    terms: Mapping[str, Float[Array, ""]],
    weights: Mapping[str, int | float | Float[Array, ""]],
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The weighted sum of all terms, and the unweighted terms for the logs; float32.

    Gradients reach the terms, and the weights where these are arrays.

    Raises:
        InputError: if a term has no weight or a weight no term, so that a typo can't
            switch a loss off. A weight of 0 can.
    """
    if terms.keys() != weights.keys():
        raise InputError(
            f"loss terms and weights must have the same names: terms without weight "
            f"{sorted(terms.keys() - weights.keys())}, weights without term "
            f"{sorted(weights.keys() - terms.keys())}. The terms are {sorted(terms)}."
        )
    logs = {name: term.astype(jnp.float32) for name, term in terms.items()}
    total = jnp.zeros((), jnp.float32)
    for name, term in logs.items():
        total += jnp.asarray(weights[name], jnp.float32) * term
    return total, logs
