"""What quantizers that are built on another quantizer have in common."""

import jax
from flax import linen as nn
from jax import lax

from vq_jax.errors import InputError
from vq_jax.models.quantizers import base

# Without the barrier XLA may fuse products with the sums that follow, and round once
# instead of twice: then `z_q` and `lookup` differ in their last bit.
exact = lax.optimization_barrier


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
    passes_gradient = _of_inner("passes_gradient")
    needs_data_init = _of_inner("needs_data_init")

    def setup(self):
        super().setup()
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

    def token_grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        return self.template.token_grids(height, width)


class RepeatedQuantizer(ComposedQuantizer):
    """Several copies of an inner quantizer, for a family to divide `z_e` between.

    The inner quantizer's indices get an axis of copies behind the grid. That axis and
    the submodules are called AXIS, and the field with their number `num_AXIS`.

    Attributes:
        shared: whether all copies are one module, with one codebook.
    """

    shared: bool = False

    AXIS = ""

    def setup(self):
        super().setup()
        number = 1 if self.shared else self._count
        setattr(self, self.AXIS, [self.inner.clone() for _ in range(number)])

    @property
    def num_codebooks(self) -> int:
        return self.template.num_codebooks * (1 if self.shared else self._count)

    @property
    def token_axes(self) -> tuple[str, ...]:
        inner = self.template.token_axes
        return (*inner[:2], self.AXIS, *inner[2:])

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        inner = self.template.tokens_shape(height, width)
        return (*inner[:2], self._count, *inner[2:])

    def token_grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        return self.template.token_grids(height, width) * self._count

    def update(self) -> None:
        for module in getattr(self, self.AXIS):
            module.update()

    @property
    def _count(self) -> int:
        return getattr(self, f"num_{self.AXIS}")

    @nn.nowrap
    def copies(self) -> tuple[base.Quantizer, ...]:
        """A quantizer for each place on the axis, the same one where `shared`."""
        own = getattr(self, self.AXIS)
        return own * self._count if self.shared else own


def means(results: list[base.QuantizerOutput]) -> dict:
    """Loss and metrics, each the mean over results of quantizers of one family."""
    return jax.tree.map(
        lambda *values: sum(values) / len(values),
        *({"loss": out.loss, "metrics": out.metrics} for out in results),
    )
