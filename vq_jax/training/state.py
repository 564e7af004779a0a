"""The train state: arrays only."""

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Key

from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.quantizers.base import Quantizer
from vq_jax.ops import code_usage
from vq_jax.typing import Leaf


@struct.dataclass
class TrainState:
    """Everything that a step changes, and so everything that a checkpoint needs."""

    step: Leaf  # int32 []: number of finished steps
    params: Leaf
    variables: Leaf  # collections that no gradient learns, such as an EMA codebook
    opt_state: Leaf
    ema_params: Leaf  # averaged `params`, or {} where no average is kept
    usage: Leaf  # UsageWindow of the codes, or {} where there are none

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
class AdversarialState:
    """A generator and its discriminator, each with all of its own."""

    generator: Leaf  # TrainState of the autoencoder
    discriminator: Leaf  # TrainState; its `step` counts its own updates

    @property
    def step(self):
        """Finished steps: those of the generator, which learns in each."""
        return self.generator.step

    def inference_variables(self) -> dict:
        """Variables of the autoencoder to evaluate with."""
        return self.generator.inference_variables()


def create_state(
    model: Autoencoder,
    tx: optax.GradientTransformation,
    key: Key[Array, ""],
    *,
    image_size: int,
    ema_decay: float,
) -> TrainState:
    """A fresh state at step 0; traceable, so its shapes cost nothing (`eval_shape`)."""
    images = jnp.zeros((1, image_size, image_size, model.channels))
    variables = dict(model.init(key, images, train=False))
    params = variables.pop("params")
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        variables=variables,
        opt_state=tx.init(params),
        # A copy, because a donated buffer may not occur twice in a state.
        ema_params=jax.tree.map(jnp.copy, params) if ema_decay else {},
        usage=_new_usage(model.quantizer),
    )


def _new_usage(quantizer: Quantizer):
    if not quantizer.codebook_size:
        return {}
    return code_usage.new_window(quantizer.num_codebooks, quantizer.codebook_size)
