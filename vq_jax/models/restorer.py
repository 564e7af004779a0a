"""The model of restoration: a degraded image to the codes of the clean one."""

from typing import Literal

from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.models.layers.code_transformer import CodeTransformer
from vq_jax.typing import Leaf


@struct.dataclass
class RestorerOutput:
    """What the restorer says of a degraded image."""

    z_e: Leaf  # [b, hq, wq, d]: its guess of the clean image's z_q, without codes
    logits: Leaf  # float32 [b, hq, wq, k]: of the clean image's codes


class Restorer(nn.Module):
    """An encoder of degraded images and a transformer over its grid (2206.11253).

    It is CodeFormer's second stage: the encoder and the head begin as those of the
    tokenizer and learn, the tokenizer's quantizer and decoder make an image of the
    codes and stay as they are. The third stage, which feeds the encoder's features to
    the decoder, is not built; `inference/restoration.py` has what stands in its place.

    Attributes:
        encoder, head: as the tokenizer's.
        num_layers, hidden_dim, num_heads, mlp_dim: of the transformer; CodeFormer has
            9, 512, 8 and 1,024.
        dropout: fraction of what a branch of a block adds that is set to 0.
        code_head: how codes follow, see `CodeTransformer`; "linear" in CodeFormer.
        dtype: of the transformer; the encoder has its own.
    """

    encoder: nn.Module
    head: nn.Module
    num_layers: ranges.Repeats
    hidden_dim: ranges.Width
    num_heads: ranges.Count
    mlp_dim: ranges.Width
    dropout: ranges.DropRate
    code_head: Literal["linear", "distance"]
    dtype: Literal["bfloat16", "float32"] = "float32"

    def setup(self):
        self.transformer = CodeTransformer(
            num_layers=self.num_layers,
            hidden_dim=self.hidden_dim,
            num_heads=self.num_heads,
            mlp_dim=self.mlp_dim,
            dropout=self.dropout,
            head=self.code_head,
            dtype=self.dtype,
        )

    def __call__(
        self,
        images: Float[Array, "b h w c"],
        codes: Float[Array, "k d"],
        *,
        train: bool,
    ) -> RestorerOutput:
        """Both, of degraded images in [-1, 1] at the size of training.

        `codes` are the tokenizer's codebook.
        """
        z_e = self.latents(images, train=train)
        return RestorerOutput(z_e, self.logits(z_e, codes, train=train))

    def latents(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b hq wq d"]:
        """`z_e` of images of any size that the encoder takes; the mean of a Gaussian
        head."""
        return self.head(self.encoder(images, train=train), train=False).z_e

    def logits(
        self, z_e: Float[Array, "b hq wq d"], codes: Float[Array, "k d"], *, train: bool
    ) -> Float[Array, "b hq wq k"]:
        """Logits of the codes of a grid that is as large as in training."""
        return self.transformer(z_e, codes, train=train)
