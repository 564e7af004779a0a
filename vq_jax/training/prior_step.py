"""The train step of a prior over codes."""

import dataclasses

import jax
import optax

from vq_jax.inference.code_data import CodeData
from vq_jax.metrics.joined import joined, prefixed
from vq_jax.models.priors.base import PROGRESS, STREAMS, TOKENIZER, Prior
from vq_jax.ops import code_usage
from vq_jax.training import rng
from vq_jax.training.accumulation import accumulate
from vq_jax.training.state import TrainState


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PriorStep:
    """One update of a prior by the gradient of its loss.

    With `accumulation` > 1 the batch is worked through in so many equal parts, whose
    gradients are averaged.

    Attributes:
        prior: the prior.
        data: turns a batch into codes.
        tx: the optimizer.
        ema_decay: of averaged parameters, per step; 0 keeps none.
        accumulation: number of parts.
    """

    prior: Prior
    data: CodeData
    tx: optax.GradientTransformation
    ema_decay: float = 0.0
    accumulation: int = 1

    def __call__(self, state: TrainState, batch, key, nets):
        """`(state, metrics)` after a global batch.

        `nets["tokenizer"]` has the tokenizer's variables, which nothing trains. Metrics
        are float32 scalars: "train/loss", those of the prior, "train/grad_norm", and
        "train/code_perplexity" of the batch's codes, the mean over their codebooks.
        """
        codes = self.data.codes(batch, nets)

        def gradients(part, keys):
            grads, metrics = jax.grad(self._loss, has_aux=True)(
                state.params, *part, keys, nets, state.step
            )
            return grads, {}, metrics

        keys = rng.step_keys(key, state.step, STREAMS)
        grads, _, metrics = accumulate(
            gradients, (codes, batch["label"]), keys, self.accumulation
        )
        metrics = joined(
            metrics,
            {
                "grad_norm": optax.tree.norm(grads),
                "code_perplexity": self._perplexity(codes),
            },
        )
        state = state.apply_gradients(grads, self.tx, ema_decay=self.ema_decay)
        return state, prefixed("train/", metrics)

    def _loss(self, params, codes, labels, keys, nets, step):
        output = self.prior.apply(
            {
                "params": params,
                TOKENIZER: nets.get(TOKENIZER, {}),
                PROGRESS: {"step": step},
            },
            codes,
            labels,
            method="loss",
            rngs=keys,
        )
        return output.loss, joined({"loss": output.loss}, output.metrics)

    def _perplexity(self, codes):
        quantizer = self.data.tokenizer.model.quantizer
        counts = code_usage.code_counts(
            codes, quantizer.codebook_size, num_codebooks=quantizer.num_codebooks
        )
        return code_usage.perplexity(counts.astype("float32"))
