"""The autoencoder's part of a train step, which VQ-VAE and VQGAN share."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax

from vq_jax.models.autoencoder import Autoencoder, AutoencoderOutput
from vq_jax.models.quantizers import base
from vq_jax.ops import code_usage
from vq_jax.ops import images as image_ops
from vq_jax.training import rng
from vq_jax.training.accumulation import CODE_COUNTS, select
from vq_jax.training.state import AutoencoderState

STREAMS = ("codebook", "dropout", "posterior")
RECORDED = (base.STATISTICS, base.CANDIDATES)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AutoencoderTrainer:
    """Initialises an autoencoder, runs it on a batch, and updates it.

    Attributes:
        model: the autoencoder.
        tx: the optimizer of its parameters.
        ema_decay: of averaged parameters, per step; 0 keeps none.
        usage_window: number of images over which the use of codes is counted.
        frozen: names of the model's modules that stay as they are, bit for bit.
    """

    model: Autoencoder
    tx: optax.GradientTransformation
    ema_decay: float = 0.0
    usage_window: int = 1_024
    frozen: tuple[str, ...] = ()

    def init(self, key, image_size: int) -> AutoencoderState:
        """A fresh state at step 0; pure, so its shapes cost nothing (`eval_shape`)."""
        images = jnp.zeros((1, image_size, image_size, self.model.channels))
        variables = dict(self.model.init(key, images, train=False))
        params = variables.pop("params")
        return AutoencoderState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            variables=variables,
            opt_state=self.tx.init(params),
            # A copy, because a donated buffer may not occur twice in a state.
            ema_params=jax.tree.map(jnp.copy, params) if self.ema_decay else {},
            usage=self._new_usage(),
        )

    def init_codebook_from_data(self, state: AutoencoderState, batch, key):
        """The state with codes placed on a batch, where the quantizer does that."""
        images = image_ops.from_uint8(batch["image"])
        keys = rng.step_keys(key, state.step, ("codebook",))
        state = self._changed_by(
            "init_codebook_from_data", state, {}, images, rngs=keys
        )
        if state.ema_params:
            state = state.replace(ema_params=jax.tree.map(jnp.copy, state.params))
        return state

    def forward(
        self, params, variables, images, keys
    ) -> tuple[AutoencoderOutput, dict]:
        """A training pass, and what it recorded for the update of the codebook.

        `images` are in [-1, 1]. No gradient reaches the frozen modules.
        """
        params = {
            name: jax.lax.stop_gradient(part) if name in self.frozen else part
            for name, part in params.items()
        }
        output, recorded = self.model.apply(
            {"params": params, **variables},
            images,
            train=True,
            rngs=keys,
            mutable=RECORDED,
        )
        return output, {**recorded, **self._code_counts(output.quantized.indices)}

    def update(
        self, state: AutoencoderState, grads, recorded: Mapping, num_images: int
    ) -> tuple[AutoencoderState, dict]:
        """Parameters, averages, use of codes and codebook after a batch.

        Metrics: "grad_norm", and those of `code_usage.window_summary`.
        """
        metrics = {"grad_norm": optax.tree.norm(grads)}
        kept = {k: v for k, v in state.ema_params.items() if k in self.frozen}
        state = state.apply_gradients(grads, self.tx, ema_decay=self.ema_decay)
        state = state.replace(ema_params={**state.ema_params, **kept})
        if state.usage:
            usage = code_usage.extend_window(
                state.usage, recorded[CODE_COUNTS], num_images, self.usage_window
            )
            state = state.replace(usage=usage)
            metrics |= code_usage.window_summary(usage)
        if "quantizer" not in self.frozen:
            state = self._changed_by("update_codebook", state, recorded)
        return state, metrics

    def _new_usage(self):
        quantizer = self.model.quantizer
        if not quantizer.codebook_size:
            return {}
        return code_usage.new_window(quantizer.num_codebooks, quantizer.codebook_size)

    def _code_counts(self, indices) -> dict:
        quantizer = self.model.quantizer
        if not quantizer.codebook_size:
            return {}
        counts = code_usage.code_counts(
            indices, quantizer.codebook_size, num_codebooks=quantizer.num_codebooks
        )
        return {CODE_COUNTS: counts}

    def _changed_by(
        self, method: str, state: AutoencoderState, recorded, *args, rngs=None
    ) -> AutoencoderState:
        """The state with the parameters and variables that a method of model leaves."""
        variables = {"params": state.params, **state.variables}
        _, updated = self.model.apply(
            {**variables, **select(recorded, RECORDED)},
            *args,
            method=method,
            rngs=rngs,
            mutable=list(variables),
        )
        updated = dict(updated)
        return state.replace(params=updated.pop("params"), variables=updated)
