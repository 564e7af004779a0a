"""The train states: arrays only."""

import jax
import jax.numpy as jnp
import optax
from flax import struct

from vq_jax.typing import Leaf


@struct.dataclass
class TrainState:
    """Everything that an update of one network changes."""

    step: Leaf  # int32 []: number of finished updates
    params: Leaf
    variables: Leaf  # collections that no gradient learns, such as an EMA codebook
    opt_state: Leaf
    ema_params: Leaf  # averaged `params`, or {} where no average is kept

    @classmethod
    def create(
        cls, params, tx: optax.GradientTransformation, *, ema_decay: float
    ) -> "TrainState":
        """The state before any update, without variables; averages only of a decay."""
        return cls(
            step=jnp.zeros((), jnp.int32),
            params=params,
            variables={},
            opt_state=tx.init(params),
            # A copy, because a donated buffer may not occur twice in a state.
            ema_params=jax.tree.map(jnp.copy, params) if ema_decay else {},
        )

    def apply_gradients(
        self, grads, tx: optax.GradientTransformation, *, ema_decay: float
    ) -> "TrainState":
        """The state after one update by `tx`; `variables` stay.

        The decay of averaged parameters is at most (1 + step) / (10 + step).
        """
        updates, opt_state = tx.update(grads, self.opt_state, self.params)
        params = optax.apply_updates(self.params, updates)
        ema_params = self.ema_params
        if ema_decay:
            # Shorter memory at first, or the random start would stay in the average.
            warm_up = (1.0 + self.step) / (10.0 + self.step)
            decay = jnp.minimum(ema_decay, warm_up)
            ema_params = optax.incremental_update(params, ema_params, 1.0 - decay)
        return self.replace(
            step=self.step + 1,
            params=params,
            opt_state=opt_state,
            ema_params=ema_params,
        )

    def inference_variables(self) -> dict:
        """Variables to evaluate with: averaged parameters where there are any."""
        return {"params": self.ema_params or self.params, **self.variables}


@struct.dataclass
class AutoencoderState(TrainState):
    """The state of an autoencoder, with the use of its codes in recent training."""

    usage: Leaf  # code_usage.UsageWindow, or {} for a model without codes


@struct.dataclass
class AdversarialState:
    """A generator and its discriminator, each with all of its own."""

    generator: Leaf  # AutoencoderState
    discriminator: Leaf  # TrainState; its `step` counts its own updates

    @property
    def step(self):
        """Finished steps: those of the generator, which learns in each."""
        return self.generator.step

    def inference_variables(self) -> dict:
        """Variables of the autoencoder to evaluate with."""
        return self.generator.inference_variables()
