"""The contract that all discriminators fulfil, and the base class that states it."""

from flax import linen as nn
from jaxtyping import Array, Float

Images = Float[Array, "b h w c"]


class Discriminator(nn.Module):
    """Base class of all discriminators: images to logits, high for real images.

    A family adds `__call__(images, *, train, init_from_data=False) -> logits`. Images
    are float32 [b, h, w, c], nominally in [-1, 1]; logits float32 [b, *patches]. Where
    a family has BatchNorm, a training pass normalises by its batch, and updates the
    running statistics in the collection "batch_stats" if that is mutable. A pass with
    `init_from_data` first initialises from its batch what `needs_data_init`.

    Attributes:
        dtype: dtype of the convolutions; parameters, norms and logits are float32.
    """

    dtype: str = "float32"

    @property
    def needs_data_init(self) -> bool:
        """Whether a pass with `init_from_data` has to come before the first step."""
        return False

    @property
    def piecewise_linear(self) -> bool:
        """Whether `losses/joint_gradients.py` holds for the logits.

        An image then has one logit, [b], which depends on that image alone, and is
        piecewise linear in its pixels and the biases together: where both are scaled,
        so is the logit.
        """
        return False
