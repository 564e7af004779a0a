"""Codes of another dimension than the encoder's and decoder's features."""

from flax import linen as nn
from jaxtyping import Array, Float, Int

from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.composed import ComposedQuantizer


class ProjectedQuantizer(ComposedQuantizer):
    """A linear map in, any quantizer, a linear map out.

    ViT-VQGAN's factorised codes (2110.04627, sec. 3.2): a search in few dimensions uses
    more codes. `z_q` and `lookup` are those of the inner quantizer after the map out;
    its losses are those of the projected vectors.

    Attributes:
        inner: the quantizer.
        outer_dim: channels of `z_e` and `z_q`.
    """

    outer_dim: int = 64

    def setup(self):
        base.check_range("outer_dim", self.outer_dim, 1)
        self.project_in = nn.Dense(self.template.latent_dim, dtype="float32")
        self.project_out = nn.Dense(self.outer_dim, dtype="float32")

    @property
    def latent_dim(self) -> int:
        return self.outer_dim

    @property
    def learns_from_output(self) -> bool:
        return True  # the map out does

    def __call__(
        self, z_e: Float[Array, "b hq wq d"], *, train: bool
    ) -> base.QuantizerOutput:
        out = self.inner(self.project_in(z_e), train=train)
        return out.replace(z_q=self.project_out(out.z_q).astype(self.dtype))

    def lookup(self, indices: Int[Array, "b *tokens"]) -> Float[Array, "b hq wq d"]:
        return self.project_out(self.inner.lookup(indices)).astype(self.dtype)

    def start(self, z_e: Float[Array, "b hq wq d"]) -> None:
        self.inner.start(self.project_in(z_e))

    def update(self) -> None:
        self.inner.update()
