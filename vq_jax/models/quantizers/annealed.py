"""What quantizers with a temperature that falls during training have in common."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.ops import annealing


class AnnealedQuantizer(base.Quantizer):
    """A quantizer with a temperature τ, which follows a schedule over the steps.

    The number of finished steps is part of its state, so a resumed run goes on with the
    schedule.

    Attributes:
        codebook_size: number of codes, K.
        code_dim: dimension of a code, D; `z_e` must have as many channels.
        temperature: τ at step 0.
        final_temperature: τ from step `anneal_steps` on.
        anneal_steps: length of the schedule, in steps.
        anneal: shape of the schedule; "constant" stays at `temperature`.
    """

    codebook_size: ranges.CodebookSize = 512
    code_dim: ranges.Width = 64
    temperature: ranges.Positive = 1.0
    final_temperature: ranges.Positive = 0.0625
    anneal_steps: ranges.Steps = 150_000
    anneal: annealing.Shape = "cosine"

    learns_from_z_q = True

    def setup(self):
        super().setup()
        self.step = self.variable(base.STATE, "step", lambda: jnp.zeros((), jnp.int32))

    def current_temperature(self) -> Float[Array, ""]:
        """The temperature τ of this step."""
        return annealing.anneal(
            self.step.value,
            self.temperature,
            self.final_temperature,
            self.anneal_steps,
            self.anneal,
        )

    def update(self) -> None:
        """Counts a finished step."""
        self.step.value = self.step.value + 1
