"""The contract that all quantizers fulfil, and the base class that states it."""

import typing

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float

from vq_jax.config import fields
from vq_jax.typing import Leaf

STATE = "codebook"
"""Collection of variables that no gradient learns, such as the codes and counts of an
EMA codebook. It is part of the train state and of checkpoints."""

STATISTICS = "statistics"
"""Collection of sums over a training batch; sums over its parts add up to them."""

CANDIDATES = "candidates"
"""Collection of what restarts take from a training batch, such as vectors. With a batch
in parts, that of any part will do."""

Latents = Float[Array, "b hq wq d"]
"""`z_e` or `z_q`: vectors on the latent grid."""


@struct.dataclass
class QuantizerOutput:
    """What every quantizer returns, in training and in evaluation."""

    z_q: Leaf  # [b, hq, wq, d], dtype of the module; each family says its gradients
    indices: Leaf  # int32 [b, *tokens], in [0, codebook_size); see `tokens_shape`
    loss: Leaf  # float32 []; weighted sum of the family's losses, 0 if it has none
    metrics: Leaf  # dict: name -> float32 []; unweighted, for logs only


class Quantizer(nn.Module):
    """Base class of all quantizers: latents `z_e` to codes and back.

    A family adds `codebook_size`, a field or property that needs no call, and 0 where
    there are no codes; `__call__(z_e, *, train) -> QuantizerOutput`; and
    `lookup(indices)`, which returns the `z_q` that an evaluation pass gave with these
    indices, bit for bit. That is also the `z_q` of a training pass where
    `hard_in_training` is True. One test of this contract runs over all families.

    A pass never changes variables that it reads. A training pass writes what it saw of
    the batch into the collections STATISTICS and CANDIDATES, and `update` computes the
    next STATE from them. So `z_q` always has codes from before the update, a batch in
    parts gives the update of the whole batch, and evaluation changes nothing.

    Attributes:
        dtype: dtype of `z_q`; distances are float32 whatever it is.
    """

    dtype: str = "float32"

    def setup(self):
        """Raises InputError where a field has a value that its annotation excludes."""
        hints = typing.get_type_hints(type(self), include_extras=True)
        for name in fields.field_names(type(self)) - {"inner"}:
            # Of the model, which gives it to all families that have it.
            section = "model" if name == "code_dim" else "model.quantizer"
            where = f"config.{section}.{name}"
            fields.check_value(hints[name], getattr(self, name), where)

    @property
    def input_dim(self) -> int:
        """Number of channels that `z_e` has to have; 0 means any number."""
        return getattr(self, "code_dim", 0)

    @property
    def num_codebooks(self) -> int:
        """Number of codebooks; the last axes of indices, flattened, run over them."""
        return 1

    @property
    def token_axes(self) -> tuple[str, ...]:
        """Names of the axes that the indices of one image have."""
        return ("hq", "wq")

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Shape of the indices of one image whose latents are a grid of this size."""
        return (height, width)

    def token_grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Height and width of each level of the indices of one image, coarse to fine.

        Product heads and residual levels are levels, which all have the grid's size.
        """
        return ((height, width),)

    @property
    def hard_in_training(self) -> bool:
        """Whether `z_q` has codes in training too, and not mixtures of codes."""
        return True

    @property
    def learns_from_z_q(self) -> bool:
        """Whether the gradient of `z_q` trains parameters of the quantizer.

        Such a quantizer cannot be the inner one of a family that stops this gradient.
        """
        return False

    @property
    def passes_gradient(self) -> bool:
        """Whether the gradient of `z_q` reaches `z_e` in evaluation, too."""
        return True

    def residual_scale(self, level: int) -> tuple[float, ...]:
        """Code size at a residual level: one value for all channels, or one each.

        It is 1 for learnt codes, which adapt to the residuals; those on a fixed grid
        are scaled to them.
        """
        return (1.0,)

    @property
    def needs_data_init(self) -> bool:
        """Whether `init_from_data` has to be called before the first step."""
        return False

    def init_from_data(self, z_e) -> None:
        """Data-dependent initialisation of the codes, from latents [b, hq, wq, d].

        To be applied with STATE and "params" mutable.
        """

    def update(self) -> None:
        """Computes the next STATE from STATISTICS and CANDIDATES of a training batch.

        It is called after the optimizer's update, and may change parameters too.
        """

    def add_statistics(self, **values) -> None:
        """Adds to STATISTICS, if these are mutable; repeated calls of a pass add up."""
        for name, value in values.items():
            self.sow(STATISTICS, name, value, init_fn=lambda: None, reduce_fn=_add)

    def replace_candidates(self, **values) -> None:
        """Sets CANDIDATES, if these are mutable; the last call of a pass wins."""
        for name, value in values.items():
            self.sow(CANDIDATES, name, value, init_fn=lambda: None, reduce_fn=_last)


def _add(old, new):
    return new if old is None else jax.tree.map(jnp.add, old, new)


def _last(_, new):
    return new
