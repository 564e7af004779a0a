"""The contract that all priors fulfil, and the base class that states it."""

import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int, Key

from vq_jax.config import fields, ranges
from vq_jax.errors import InputError
from vq_jax.models.quantizers.base import Quantizer
from vq_jax.ops.sampling import Sampling
from vq_jax.ops.token_layout import Codes, TokenLayout
from vq_jax.typing import Leaf, Variables

STREAMS = ("class", "corruption", "dropout")
"""Random streams of `loss`: classes left out, codes masked or changed, dropout."""

TOKENIZER = "tokenizer"
"""Collection with the variables of the tokenizer. Whoever applies a prior adds it; they
are never trained, and part of no checkpoint."""

PROGRESS = "progress"
"""Collection with the number `step` of finished steps, for priors that change what they
learn as training goes on. Training adds it; it is part of no checkpoint."""

NO_CLASS = -1
"""The label of an image whose class is not to be used."""


@struct.dataclass
class PriorOutput:
    """What a training pass returns."""

    loss: Leaf  # float32 []: what training minimises
    metrics: Leaf  # dict: name -> float32 []; unweighted, for logs only


@struct.dataclass
class Known:
    """Codes that a sample keeps."""

    codes: Leaf  # int32 [b, *tokens]
    mask: Leaf  # bool [b, *tokens]: True where the code is kept
    # So many codes at the start of the sequence are kept in all rows, as `mask` says,
    # too: known before compilation, so that `CausalPrior` reads them in one pass.
    prefix: int = struct.field(pytree_node=False, default=0)


class Prior(nn.Module):
    """Base class of all priors: a distribution over the codes of an image.

    A family adds

    * `loss(codes, labels) -> PriorOutput`, a training pass, which draws from STREAMS;
    * `token_nats(codes, labels) -> float32 [b, *tokens]`, of each code -log p given
      what it is predicted from. Where `likelihood` is "exact" these are the codes
      before it, and the nats of an image add up to -log_prob;
    * `log_prob(codes, labels) -> float32 [b]`, nats of all codes of an image together;
      it follows from `token_nats` where that is exact. Both are deterministic, and that
      of a row does not depend on the other rows. Where `likelihood` is "bound" it is a
      lower bound on the log-probability;
    * `sample(keys, labels, sampling, known) -> codes`, all under `jax.jit` with static
      shapes: one program a batch size. A row depends on its own key alone.

    Coding takes the codes apart into passes, each given those before: `coding_passes`
    has the tokens of each, the same for all images, and `begin_coding`,
    `coding_logits` and `accept_codes` go through them, encoder and decoder alike. As
    given here any family that has `_sequence_logits` codes so, with a whole pass of the
    model for each; one that can go on from where it was overrides them.

    Codes are int32 [b, *layout.shape]; labels are int32 [b] in [0, num_classes), or
    NO_CLASS. A prior of `num_classes` 0 has no use for labels.

    Attributes:
        layout: how the codes of an image lie.
        num_classes: 0 is a prior without classes.
        class_dropout: probability that a training pass hides the class of an image, so
            that the prior knows both laws, as guidance needs.
        dtype: of the computation; parameters, logits and losses are float32.
    """

    layout: TokenLayout
    num_classes: ranges.Natural = 0
    class_dropout: ranges.Fraction = 0.0
    dtype: Literal["bfloat16", "float32"] = "float32"

    reads_tokenizer: ClassVar[bool] = False
    """Whether it is applied with the collection TOKENIZER."""
    likelihood: ClassVar[Literal["exact", "bound"]] = "exact"
    sampling_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that only `sample` reads: a trained prior may be given other values."""
    keeps: ClassVar[Literal["prefix", "any"]] = "prefix"
    """Which known codes `sample` can keep: those that come first in the sequence of
    `TokenLayout`, or any."""

    @classmethod
    def fields_of(cls, quantizer: Quantizer) -> dict:
        """Fields that follow from the tokenizer's quantizer, none by default.

        Raises:
            InputError: the family cannot be one over codes of this quantizer.
        """
        return {}

    def loss(self, codes: Codes, labels: Int[Array, "b"]) -> PriorOutput:
        raise NotImplementedError

    def token_nats(
        self, codes: Codes, labels: Int[Array, "b"]
    ) -> Float[Array, "b *tokens"]:
        raise NotImplementedError

    def log_prob(self, codes: Codes, labels: Int[Array, "b"]) -> Float[Array, "b"]:
        nats = self.token_nats(codes, labels)
        return -jnp.sum(self.layout.to_sequence(nats), axis=-1)

    def sample(
        self,
        keys: Key[Array, "b"],
        labels: Int[Array, "b"],
        sampling: Sampling,
        known: Known | None = None,
    ) -> Codes:
        raise NotImplementedError

    @property
    def coding_passes(self) -> list[Int[np.ndarray, "_"]]:
        """Numbers in the sequence of the tokens of each pass; all tokens once.

        By default one token a pass, in the order of the sequence.
        """
        return [*np.arange(self.layout.num_tokens, dtype=np.int32)[:, None]]

    def begin_coding(self, labels: Int[Array, "b"]) -> Any:
        """Arrays to begin the first pass with, of no code."""
        sequence = jnp.full(
            (len(labels), self.layout.num_tokens), self._unknown_code, jnp.int32
        )
        return {"labels": labels, "sequence": sequence}

    def coding_logits(
        self, state: Any, tokens: Int[Array, "n"]
    ) -> Float[Array, "b n k"]:
        """Logits of the tokens of a pass, independent of each other, float32."""
        logits = self._sequence_logits(state["sequence"], state["labels"])
        return logits[:, tokens].astype(jnp.float32)

    def accept_codes(
        self, state: Any, tokens: Int[Array, "n"], codes: Int[Array, "b n"]
    ) -> Any:
        """What the next pass begins with, after the codes of this one."""
        sequence = state["sequence"].at[:, tokens].set(codes)
        return {**state, "sequence": sequence}

    @property
    def _unknown_code(self) -> int:
        """Stands for the codes of later passes; logits may not depend on others."""
        return 0

    def _sequence_logits(
        self, sequence: Int[Array, "b t"], labels: Int[Array, "b"]
    ) -> Float[Array, "b t k"]:
        """Logits of each token given the codes of the passes before its own."""
        raise NotImplementedError

    def class_rows(self, labels: Int[Array, "b"]) -> Int[Array, "b"]:
        """Rows of an embedding of `num_classes + 1` classes, the last one is none."""
        if not self.num_classes:
            return jnp.zeros_like(labels)
        return jnp.where(labels < 0, self.num_classes, labels)

    def with_dropped_classes(self, labels: Int[Array, "b"]) -> Int[Array, "b"]:
        """Labels of a training pass: NO_CLASS at random; draws from "class"."""
        if not self.class_dropout:
            return labels
        key = self.make_rng("class")
        hidden = jax.random.bernoulli(key, self.class_dropout, labels.shape)
        return jnp.where(hidden, NO_CLASS, labels)

    def training_step(self) -> Int[Array, ""]:
        """Number of finished steps; 0 where PROGRESS is not given."""
        return self.get_variable(PROGRESS, "step", jnp.zeros((), jnp.int32))

    def with_sampling_fields(self, **values) -> "Prior":
        """This prior with other values of its `sampling_fields`.

        Raises:
            InputError: a value is out of range.
        """
        hints = typing.get_type_hints(type(self), include_extras=True)
        for name, value in values.items():
            fields.check_value(hints[name], value, name)
        return self.clone(**values)

    def check_sampling(self, sampling: Sampling) -> None:
        """Raises InputError where this prior cannot be sampled so."""
        size = self.layout.codebook_size
        if sampling.top_k > size:
            raise InputError(
                f"top_k={sampling.top_k} is more than the {size} codes there are; give "
                f"1 to {size}, or 0 for all."
            )
        if sampling.is_guided and not (self.num_classes and self.class_dropout):
            raise InputError(
                f"guidance={sampling.guidance} needs a prior that was trained with and "
                "without classes; train with config.prior.num_classes and "
                "config.prior.class_dropout above 0, or set guidance to 1."
            )


def check_heads(num_heads: int, hidden_dim: int) -> None:
    """Raises InputError where attention heads do not divide the channels."""
    if hidden_dim % num_heads:
        raise InputError(
            f"config.prior.num_heads={num_heads} must divide "
            f"config.prior.hidden_dim={hidden_dim}."
        )


def initial_params(
    prior: Prior, rngs: Mapping[str, Key[Array, ""]], tokenizer: Variables
) -> dict:
    """The parameters that training starts with; pure.

    `rngs` has keys of "params" and of STREAMS. There is no arithmetic on the variables
    of `tokenizer` here: they may be zeros.
    """
    codes = jnp.zeros((1, *prior.layout.shape), jnp.int32)
    _, made = prior.apply(
        {TOKENIZER: tokenizer},
        codes,
        jnp.zeros(1, jnp.int32),
        method="loss",
        rngs=rngs,
        mutable=["params"],
    )
    return made["params"]
