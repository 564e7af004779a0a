"""The model of restoration: a degraded image to the codes of the clean one."""

from collections.abc import Mapping
from typing import Literal

from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.models.layers.code_transformer import CodeTransformer
from vq_jax.models.layers.fusion import FeatureFusions
from vq_jax.typing import Leaf


@struct.dataclass
class Encoded:
    """A degraded image as the encoder sees it."""

    z_e: Leaf  # [b, hq, wq, d]: its guess of the clean image's z_q, without codes
    features: dict[int, Leaf]  # of each level that is fused: [b, h / 2^n, w / 2^n, e]


@struct.dataclass
class RestorerOutput:
    """What the restorer says of a degraded image."""

    encoded: Encoded
    logits: Leaf  # float32 [b, hq, wq, k]: of the clean image's codes


class Restorer(nn.Module):
    """An encoder of degraded images and a transformer over its grid (2206.11253).

    It is CodeFormer's: the encoder and the head begin as those of the tokenizer and
    learn, the tokenizer's quantizer and decoder make an image of the codes and stay as
    they are. That is its second stage. With `fuse_levels` it is the third, in which
    the encoder's features of these levels scale and shift those of the decoder.

    Attributes:
        encoder, head: as the tokenizer's.
        num_layers, hidden_dim, num_heads, mlp_dim: of the transformer; CodeFormer has
            9, 512, 8 and 1,024.
        dropout: fraction of what a branch of a block adds that is set to 0.
        code_head: how codes follow, see `CodeTransformer`; "linear" in CodeFormer.
        fuse_levels: of the resolutions above the latent grid's, as `encoder.levels`
            numbers them; (1, 2, 3, 4) in CodeFormer, on images of 512 pixels.
        fuse_blocks: residual blocks of each fusion; CodeFormer has one.
        dtype: of the transformer and the fusions; the encoder has its own.
    """

    encoder: nn.Module
    head: nn.Module
    num_layers: ranges.Repeats
    hidden_dim: ranges.Width
    num_heads: ranges.Count
    mlp_dim: ranges.Width
    dropout: ranges.DropRate
    code_head: Literal["linear", "distance"]
    fuse_levels: tuple[ranges.Natural, ...] = ()
    fuse_blocks: ranges.Repeats = 1
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
        self.fusion = FeatureFusions(self.fuse_levels, self.fuse_blocks, self.dtype)

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
        encoded = self.encode(images, train=train)
        return RestorerOutput(encoded, self.logits(encoded.z_e, codes, train=train))

    def encode(self, images: Float[Array, "b h w c"], *, train: bool) -> Encoded:
        """Images of any size that the encoder takes; z_e is the mean of a Gaussian
        head."""
        features = self.encoder.features(images, train=train)
        z_e = self.head(features[max(features)], train=False).z_e
        return Encoded(z_e, {level: features[level] for level in self.fuse_levels})

    def logits(
        self, z_e: Float[Array, "b hq wq d"], codes: Float[Array, "k d"], *, train: bool
    ) -> Float[Array, "b hq wq k"]:
        """Logits of the codes of a grid that is as large as in training."""
        return self.transformer(z_e, codes, train=train)

    def fuse(
        self,
        x: Float[Array, "b h w c"],
        level: int,
        features: Mapping[int, Float[Array, "b _ _ _"]],
        fidelity: Float[Array, ""] | float,
    ) -> Float[Array, "b h w c"]:
        """What the decoder goes on with at a level, with w = `fidelity`."""
        return self.fusion(x, level, features, fidelity)
