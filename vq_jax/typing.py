"""Names for array types that several layers share."""

from collections.abc import Mapping
from typing import Any

Leaf = Any
"""A field of a pytree dataclass: an array, or whatever `jax.tree.map` puts there (a
sharding, a shape). Checked annotations would reject those, so shapes are comments."""

Variables = Mapping[str, Any]
"""Flax variable collections: `{"params": …, "codebook": …}` or a part of them."""
