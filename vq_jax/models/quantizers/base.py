"""The contract of all quantizers."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from vq_jax.config import checks
from vq_jax.typing import Leaf

STATE = "codebook"
"""Collection of what no gradient learns: part of the train state and of checkpoints."""

STATISTICS = "statistics"
"""Collection of sums over a batch; those of parts of a batch add up."""

CANDIDATES = "candidates"
"""Collection of vectors drawn from a batch; those of any part will do."""


@struct.dataclass
class QuantizerOutput:
    """What every quantizer returns, in training and in evaluation alike."""

    z_q: Leaf  # [b, hq, wq, d], dtype of the module; gradients reach z_e as documented
    indices: Leaf  # int32 [b, *tokens], in [0, codebook_size); see `tokens_shape`
    loss: Leaf  # float32 []; 0 when the family has none
    metrics: Leaf  # dict: name -> float32 []; for logs only


class Quantizer(nn.Module):
    """Base of the families; one contract test runs over all of them.

    A family adds `codebook_size` (a field or a property, known without a call; 0 means
    that there are no codes), `__call__(z_e, *, train) -> QuantizerOutput` and
    `lookup(indices)`, which returns, bit for bit, the `z_q` of the evaluation pass that
    gave these indices, and of the training pass where `hard_in_training`.

    A forward pass never changes what it reads: in training it only writes what it saw
    into STATISTICS and CANDIDATES, and `update` turns that into the next STATE. So the
    value of `z_q` is always that of the codebook before the update, a batch can be
    accumulated in parts exactly, and evaluation cannot change anything.

    Attributes:
        dtype: dtype of `z_q`; the search is float32 in any case.
    """

    dtype: str = "float32"

    @property
    def latent_dim(self) -> int:
        """Channels of `z_e` that the family takes; 0 means any number."""
        return getattr(self, "code_dim", 0)

    @property
    def num_codebooks(self) -> int:
        """Codebooks that the last axes of the indices, flattened, run over."""
        return 1

    @property
    def token_axes(self) -> tuple[str, ...]:
        """Names of the axes of an image's indices."""
        return ("hq", "wq")

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Shape of an image's indices, for a latent grid of this size."""
        return (height, width)

    @property
    def hard_in_training(self) -> bool:
        """Whether `z_q` is made of codes in training too."""
        return True

    @property
    def learns_from_output(self) -> bool:
        """Whether codes need the gradient of `z_q`: no composition may stop it."""
        return False

    def residual_scale(self, level: int) -> tuple[float, ...]:
        """Size of the codes at a level of a residual quantizer: for all, or a channel.

        Codes that are learnt find their size; those on a fixed grid need it.
        """
        return (1.0,)

    @property
    def starts_from_data(self) -> bool:
        """Whether `start` has to see a batch before step 0."""
        return False

    def start(self, z_e) -> None:
        """Places the codes on vectors `z_e` [b, hq, wq, d] of the first batch."""

    def update(self) -> None:
        """Folds STATISTICS and CANDIDATES of a training batch into STATE.

        It sees the parameters after the optimizer's update, and may change them.
        """

    def add_statistics(self, **values) -> None:
        """Writes STATISTICS, if the caller of `apply` asked; calls of a pass add up."""
        for name, value in values.items():
            self.sow(STATISTICS, name, value, init_fn=lambda: None, reduce_fn=_add)

    def replace_candidates(self, **values) -> None:
        """Writes CANDIDATES, if the caller of `apply` asked; the last call stays."""
        for name, value in values.items():
            self.sow(
                CANDIDATES,
                name,
                value,
                init_fn=lambda: None,
                reduce_fn=lambda _, new: new,
            )


def _add(old, new):
    return new if old is None else jax.tree.map(jnp.add, old, new)


def check_range(
    field: str, value: float | int, low: float | int, high: float | int = math.inf
) -> None:
    """`checks.check_range` of a quantizer's field."""
    checks.check_range(value, low, high, where=f"config.model.quantizer.{field}")
