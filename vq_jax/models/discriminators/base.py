"""The contract of all discriminators."""

from flax import linen as nn


class Discriminator(nn.Module):
    """Base of the families.

    A family adds `__call__(images, *, train, start=False) -> logits`: images float32
    [b, h, w, c], nominally in [-1, 1]; logits float32 [b, *patches], high for images
    that seem real. A training pass normalises by the batch it sees, and writes running
    statistics to the collection "batch_stats" where that is mutable. A pass with
    `start` also places parameters on its batch, where a family has such.

    Attributes:
        dtype: dtype of the convolutions; parameters, norms and logits are float32.
    """

    dtype: str = "float32"

    @property
    def starts_from_data(self) -> bool:
        """Whether a pass with `start` has to come before the first step."""
        return False
