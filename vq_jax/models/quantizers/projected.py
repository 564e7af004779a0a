"""A quantizer between two linear maps: codes have fewer channels than the latents."""

from flax import linen as nn
from jaxtyping import Array, Int

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.composed import ComposedQuantizer


class ProjectedQuantizer(ComposedQuantizer):
    """Maps latents to the dimension of the codes, quantises, and maps codes back.

    Both maps are linear. These are ViT-VQGAN's factorised codes (2110.04627, sec. 3.2):
    more of the codes are used when the search has few dimensions. The loss is that of
    the inner quantizer, on the mapped vectors.

    Attributes:
        inner: the quantizer of the mapped vectors.
        latent_dim: channels of `z_e` and `z_q`, `config.model.latent_dim`.
    """

    latent_dim: ranges.Width = 64

    def setup(self):
        self.project_in = nn.Dense(self.template.input_dim, dtype="float32")
        self.project_out = nn.Dense(self.latent_dim, dtype="float32")

    @property
    def input_dim(self) -> int:
        return self.latent_dim

    @property
    def learns_from_z_q(self) -> bool:
        return True  # `project_out` does, whatever the codes do

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        out = self.inner(self.project_in(z_e), train=train)
        return out.replace(z_q=self.project_out(out.z_q).astype(self.dtype))

    def lookup(self, indices: Int[Array, "b *tokens"]) -> base.Latents:
        return self.project_out(self.inner.lookup(indices)).astype(self.dtype)

    def init_from_data(self, z_e: base.Latents) -> None:
        self.inner.init_from_data(self.project_in(z_e))

    def update(self) -> None:
        self.inner.update()
