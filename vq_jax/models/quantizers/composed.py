"""What quantizers have in common that are built on another."""

from vq_jax.errors import InputError
from vq_jax.models.quantizers import base


class ComposedQuantizer(base.Quantizer):
    """Answers for its inner quantizer, where a family does not say otherwise.

    Attributes:
        inner: a quantizer, built but not bound.
    """

    inner: base.Quantizer = None

    def setup(self):
        inner = self.template
        if not inner.codebook_size or inner.token_axes[:2] != ("hq", "wq"):
            raise InputError(
                f"config.model.quantizer: {type(self).__name__} cannot be built on "
                f"{type(inner).__name__}; its inner quantizer needs codes, on the grid "
                "of z_e: any family but 'none' and 'multi_scale'."
            )

    @property
    def template(self) -> base.Quantizer:
        """An unbound copy: to ask `inner` itself would give it parameters."""
        return self.inner.clone()

    @property
    def codebook_size(self) -> int:
        return self.template.codebook_size

    @property
    def latent_dim(self) -> int:
        return self.template.latent_dim

    @property
    def num_codebooks(self) -> int:
        return self.template.num_codebooks

    @property
    def token_axes(self) -> tuple[str, ...]:
        return self.template.token_axes

    @property
    def hard_in_training(self) -> bool:
        return self.template.hard_in_training

    @property
    def learns_from_output(self) -> bool:
        return self.template.learns_from_output

    @property
    def starts_from_data(self) -> bool:
        return self.template.starts_from_data

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        return self.template.tokens_shape(height, width)
