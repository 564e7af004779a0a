"""MaskGIT: a transformer that fills in masked codes, many at a time."""

from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from vq_jax.config import ranges
from vq_jax.models.layers.masked_transformer import MaskedTransformer
from vq_jax.models.priors.base import Known, Prior, PriorOutput, check_heads
from vq_jax.ops import (
    cross_entropy,
    mask_schedules,
    masking,
    row_keys,
    unmasking,
)
from vq_jax.ops.sampling import Sampling, draw, guided

TOKENS_A_PASS = 4
"""Masked together by `token_nats`. With one it would take as many passes as tokens."""


class MaskGitPrior(Prior):
    """Codes of an image, in any order and several at a time (MaskGIT, 2202.04200).

    A training pass masks ⌈γ(r) N⌉ random tokens of an image, r uniform in [0, 1), and
    its loss is the cross-entropy of the masked, averaged over them and then over
    images. With `mask_schedule` "linear", and nothing smoothed or dropped, its mean
    over masks and images is the bound of `log_prob`, a token.

    `log_prob` is a bound: of the law that draws one token after the other in a random
    order, -log p(codes) ≤ E [N · mean cross-entropy of the masked tokens], over masks
    whose size is uniform in 1 … N (2110.02037). The expectation is estimated, with the
    same masks for every image. `sample` has this law with `order` "random", `num_steps`
    N and a `sampling` that changes nothing; with fewer steps tokens of a step are drawn
    independently.

    `token_nats` is of each code given all others but those that are masked with it,
    TOKENS_A_PASS of them that lie apart: a pseudo-likelihood, whose sum is neither
    `log_prob` nor a bound.

    A step of `sample` draws codes for all masked tokens, and keeps some: as many as
    `sampling_schedule` says, which is of the tokens that are masked at first. Known
    tokens are inputs, never changed and not counted. Guidance schedules go over steps.

    Attributes:
        num_layers, hidden_dim, num_heads, mlp_dim, norm, norm_epsilon, dropout,
            attention_dropout, head, remat: of `MaskedTransformer`.
        mask_schedule: γ in training, one of `ops/mask_schedules.py: SCHEDULES`.
        min_mask_fraction: γ in training is at least this.
        label_smoothing: ε of the loss; `log_prob` has none.
        num_bound_masks: masks that `log_prob` averages over, each of which is a pass.
        num_steps: of sampling.
        sampling_schedule: γ of sampling.
        order: which drawn codes a step keeps. "confidence": those of the largest log
            p(code) + `choice_temperature` · (1 - t/T) · Gumbel noise, in step t of T,
            with p as guided and before temperature, top-k and top-p. "random": any.
            "halton": those that come first in a Halton sequence, level by level
            (Halton-MaskGIT, 2503.17076); "halton_rolled" starts at a random place of
            it, another one for every image.
        choice_temperature: of "confidence"; 0 is no noise.
    """

    num_layers: ranges.Repeats = 6
    hidden_dim: ranges.Width = 128
    num_heads: ranges.Count = 4
    mlp_dim: ranges.Width = 512
    norm: Literal["post", "pre"] = "pre"
    norm_epsilon: Annotated[float, ranges.Range(0.0, 1.0)] = 1e-6
    dropout: ranges.DropRate = 0.1
    attention_dropout: ranges.DropRate = 0.0
    head: Literal["linear", "tied"] = "linear"
    remat: bool = False
    mask_schedule: Literal[mask_schedules.SCHEDULES] = "cosine"
    min_mask_fraction: ranges.Fraction = 0.0
    label_smoothing: ranges.Fraction = 0.0
    num_bound_masks: ranges.Count = 16
    num_steps: ranges.Count = 12
    sampling_schedule: Literal[mask_schedules.SCHEDULES] = "cosine"
    order: Literal[unmasking.ORDERS] = "confidence"
    choice_temperature: ranges.Weight = 4.5

    likelihood: ClassVar = "bound"
    keeps: ClassVar = "any"
    sampling_fields: ClassVar = (
        *("num_steps", "sampling_schedule", "order", "choice_temperature"),
    )

    def setup(self):
        check_heads(self.num_heads, self.hidden_dim)
        self.transformer = MaskedTransformer(
            codebook_size=self.layout.codebook_size,
            num_classes=self.num_classes + 1,
            num_layers=self.num_layers,
            hidden_dim=self.hidden_dim,
            num_heads=self.num_heads,
            mlp_dim=self.mlp_dim,
            norm=self.norm,
            norm_epsilon=self.norm_epsilon,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            head=self.head,
            remat=self.remat,
            dtype=self.dtype,
        )

    def loss(self, codes, labels):
        codes = self.layout.to_sequence(codes)
        classes = self.class_rows(self.with_dropped_classes(labels))
        mask = self._training_mask(codes.shape)
        logits = self.transformer(self._masked(codes, mask), classes, train=True)
        nats = cross_entropy.token_nats(logits, codes)
        smoothed = cross_entropy.token_nats(logits, codes, self.label_smoothing)
        right = jnp.argmax(logits, axis=-1) == codes
        return PriorOutput(
            loss=masking.mean_of_masked(smoothed, mask),
            metrics={
                # No likelihood: it depends on how much is masked.
                "masked_nats": masking.mean_of_masked(nats, mask),
                "masked_accuracy": masking.mean_of_masked(right, mask),
                "masked_fraction": jnp.mean(mask.astype(jnp.float32)),
            },
        )

    def token_nats(self, codes, labels):
        codes, predict = self.layout.to_sequence(codes), self._predictor(labels)

        def add(nats, mask):
            mask = jnp.broadcast_to(mask[None], codes.shape)
            found = cross_entropy.token_nats(predict(self._masked(codes, mask)), codes)
            return jnp.where(mask, found, nats), None

        zeros = jnp.zeros(codes.shape, jnp.float32)
        nats, _ = jax.lax.scan(add, zeros, jnp.asarray(self.token_groups))
        return self.layout.from_sequence(nats)

    @property
    def token_groups(self) -> Bool[np.ndarray, "groups t"]:
        """Which tokens `token_nats` masks together: each token once.

        Neighbours in a Halton sequence lie apart on the grid.
        """
        order = unmasking.halton_sequence(self.layout.grids)
        groups = np.zeros((-(-len(order) // TOKENS_A_PASS), len(order)), bool)
        groups[np.arange(len(order)) // TOKENS_A_PASS, order] = True
        return groups

    def log_prob(self, codes, labels):
        codes, predict = self.layout.to_sequence(codes), self._predictor(labels)
        # The same for all images and calls, so that bounds can be compared.
        masks = masking.bound_masks(
            jax.random.key(0), self.num_bound_masks, self.layout.num_tokens
        )

        def add(total, mask_and_weights):
            mask, weights = mask_and_weights
            mask = jnp.broadcast_to(mask[None], codes.shape)
            nats = cross_entropy.token_nats(predict(self._masked(codes, mask)), codes)
            return total - jnp.sum(nats * weights[None], axis=-1), None

        zeros = jnp.zeros(len(codes), jnp.float32)
        weights = masking.any_order_weights(masks)
        total, _ = jax.lax.scan(add, zeros, (masks, weights))
        return total / self.num_bound_masks

    def sample(self, keys, labels, sampling: Sampling, known: Known | None = None):
        tokens = self.sample_steps(keys, labels, sampling, known)[-1]
        return self.layout.from_sequence(tokens)

    def sample_steps(
        self, keys, labels, sampling: Sampling, known: Known | None = None
    ) -> Int[Array, "steps b t"]:
        """The sequence of `sample` after each step; a masked token is K."""
        size, num_tokens = self.layout.codebook_size, self.layout.num_tokens
        tokens = jnp.full((len(keys), num_tokens), size, jnp.int32)
        if known is not None:
            kept = self.layout.to_sequence(known.mask)
            tokens = jnp.where(kept, self.layout.to_sequence(known.codes), tokens)
        predict = self._predictor(labels, sampling)
        fixed = None
        if self.order != "confidence":
            fixed = unmasking.fixed_priorities(
                self.order, row_keys.folded(keys, 0), self.layout.grids
            )

        def step(tokens, at):
            masked = tokens == size
            step_keys = row_keys.folded(keys, 1 + at["step"])
            logits = predict(tokens, at["guidance"])
            codes = draw(row_keys.folded(step_keys, 0), logits, sampling)
            priorities = fixed
            if fixed is None:
                priorities = unmasking.confidence(
                    row_keys.folded(step_keys, 1), logits, codes, at["temperature"]
                )
            stay = unmasking.still_masked(masked, priorities, at["remaining"])
            tokens = jnp.where(stay, size, jnp.where(masked, codes, tokens))
            return tokens, tokens

        return jax.lax.scan(step, tokens, self._steps(tokens, sampling))[1]

    @property
    def coding_passes(self):
        """Those of `num_steps` steps of sampling in the order "halton".

        An order that codes or noise have part in would not be the decoder's.
        """
        num_tokens = self.layout.num_tokens
        order = unmasking.halton_sequence(self.layout.grids)
        remaining = mask_schedules.remaining_counts(
            self.sampling_schedule, self.num_steps, num_tokens
        )[:, num_tokens]
        passes = np.split(order, num_tokens - remaining[:-1])
        return [tokens for tokens in passes if len(tokens)]

    def _sequence_logits(self, sequence, labels):
        classes = self.class_rows(labels)
        return self.transformer(sequence, classes, train=False)

    @property
    def _unknown_code(self):
        return self.layout.codebook_size

    def _steps(self, tokens, sampling: Sampling):
        """What differs from step to step, with the steps in front."""
        num_masked = jnp.sum(tokens == self.layout.codebook_size, axis=-1)
        remaining = mask_schedules.remaining_counts(
            self.sampling_schedule, self.num_steps, self.layout.num_tokens
        )
        step = np.arange(self.num_steps)
        left = 1 - (step + 1) / self.num_steps
        return {
            "step": jnp.asarray(step),
            "remaining": jnp.asarray(remaining)[:, num_masked],
            "guidance": jnp.asarray(sampling.scales(self.num_steps)),
            "temperature": jnp.asarray(self.choice_temperature * left, jnp.float32),
        }

    def _predictor(self, labels, sampling: Sampling | None = None):
        """(tokens, guidance) -> logits, a pure function, as `lax.scan` needs it."""
        transformer, variables = self.transformer.unbind()
        classes = self.class_rows(labels)

        def predict(tokens, guidance=1.0):
            if sampling is None or not sampling.is_guided:
                return transformer.apply(variables, tokens, classes, train=False)
            none = jnp.full_like(classes, self.num_classes)
            logits = transformer.apply(
                variables,
                jnp.concatenate([tokens, tokens]),
                jnp.concatenate([classes, none]),
                train=False,
            )
            return guided(*jnp.split(logits, 2), guidance)

        return predict

    def _training_mask(self, shape):
        count_key, mask_key = jax.random.split(self.make_rng("corruption"))
        counts = mask_schedules.masked_counts(
            self.mask_schedule,
            jax.random.uniform(count_key, shape[:1]),
            shape[1],
            self.min_mask_fraction,
        )
        return masking.lowest(jax.random.uniform(mask_key, shape), counts)

    def _masked(self, codes, mask):
        return jnp.where(mask, self.layout.codebook_size, codes)
