"""Soft assignments whose temperature falls during training."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vq_jax.models.quantizers import base
from vq_jax.ops import annealing


class AnnealedQuantizer(base.Quantizer):
    """Holds the number of finished steps in the state, so that resuming goes on.

    Attributes:
        codebook_size: number of codes, K.
        code_dim: dimension of a code, D; `z_e` must have as many channels.
        temperature: τ at step 0.
        final_temperature: τ from step `anneal_steps` on.
        anneal_steps: length of the schedule, in steps.
        anneal: its shape; "constant" stays at `temperature`.
    """

    codebook_size: int = 512
    code_dim: int = 64
    temperature: float = 1.0
    final_temperature: float = 0.0625
    anneal_steps: int = 150_000
    anneal: annealing.Shape = "cosine"

    learns_from_output = True

    def setup(self):
        base.check_range("codebook_size", self.codebook_size, 1)
        base.check_range("temperature", self.temperature, 1e-6)
        base.check_range("final_temperature", self.final_temperature, 1e-6)
        base.check_range("anneal_steps", self.anneal_steps, 0)
        self.step = self.variable(base.STATE, "step", lambda: jnp.zeros((), jnp.int32))

    def current_temperature(self) -> Float[Array, ""]:
        """τ of this step."""
        return annealing.anneal(
            self.step.value,
            self.temperature,
            self.final_temperature,
            self.anneal_steps,
            self.anneal,
        )

    def update(self) -> None:
        self.step.value = self.step.value + 1
