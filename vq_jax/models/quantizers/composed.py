"""What quantizers that are built on another quantizer have in common."""

from vq_jax.errors import InputError
from vq_jax.models.quantizers import base


def _of_inner(name: str) -> property:
    return property(lambda self: getattr(self.template, name))


class ComposedQuantizer(base.Quantizer):
    """A quantizer built on an inner one, whose properties are its own by default.

    Attributes:
        inner: a quantizer module that is built but not bound.
    """

    inner: base.Quantizer = None

    codebook_size = _of_inner("codebook_size")
    input_dim = _of_inner("input_dim")
    num_codebooks = _of_inner("num_codebooks")
    token_axes = _of_inner("token_axes")
    hard_in_training = _of_inner("hard_in_training")
    learns_from_z_q = _of_inner("learns_from_z_q")
    needs_data_init = _of_inner("needs_data_init")

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
        """An unbound copy of `inner`, to read properties from.

        Reading them from `inner` itself would bind it, and give it parameters.
        """
        return self.inner.clone()

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        return self.template.tokens_shape(height, width)
