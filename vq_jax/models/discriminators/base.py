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
    def homogeneous(self) -> bool:
        """Whether `losses/joint_gradients.py` holds for it.

        An image has one logit D(x), [b], which depends on no other image, and D(a x,
        a b) = a D(x, b) for a > 0, where b are all parameters called "bias". There are
        no statistics and no random draws, and `jax.jvp` differentiates it.
        """
        return False
