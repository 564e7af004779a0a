"""Priors that predict one code after the other with a causal transformer."""

import functools
from collections.abc import Callable
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int, Shaped

from vq_jax.config import ranges
from vq_jax.models.layers.causal_attention import (
    CausalAttention,
    KeyValueCache,
    check_room,
)
from vq_jax.models.layers.causal_transformer import (
    Block,
    Caches,
    CausalTransformer,
    LogitHead,
)
from vq_jax.models.priors.base import NO_CLASS, Known, Prior, PriorOutput, check_heads
from vq_jax.ops import cross_entropy, row_keys
from vq_jax.ops.rotary import Rotation
from vq_jax.ops.sampling import Sampling, draw, guided
from vq_jax.ops.token_layout import Codes

Order = Int[Array, "b t"]
"""Of each image: the token of the sequence that comes first, second and so on."""

STDDEV = 0.02


class CausalPrior(Prior):
    """Base class: p(codes) = Π p(code i | class, codes before i), by a transformer.

    The first input is the class, or that there is none; input i > 0 is code i - 1, and
    the output there gives the logits of code i. A family adds `_norm_maker`,
    `_mlp_maker` and `_embed`, and may change the order of the codes.

    Sampling computes each position once, since keys and values of earlier ones are
    kept. Codes of `known` are read in place of drawn ones wherever they lie, but codes
    before them know nothing of them; the first `known.prefix` are read in one pass.

    Attributes:
        num_layers: number of blocks.
        num_heads: number of attention heads, which divides `hidden_dim`.
        hidden_dim: channels of the embeddings.
        dropout: of the result of each attention and each MLP.
        token_dropout: of the embeddings.
        remat: compute the activations inside of blocks again in the backward pass,
            which needs less memory and a third more time.
    """

    num_layers: ranges.Repeats = 12
    num_heads: ranges.Count = 12
    hidden_dim: ranges.Width = 768
    dropout: ranges.DropRate = 0.0
    token_dropout: ranges.DropRate = 0.0
    remat: bool = False

    use_bias: ClassVar[bool] = False
    """Whether linear maps in blocks have biases."""
    head_stddev: ClassVar[float] = 0.0
    """Of the initial logits' map; with 0 all codes are equally likely at first."""

    def setup(self):
        check_heads(self.num_heads, self.hidden_dim)
        self.classes = self._table("classes", self.num_classes + 1)
        self.tokens = self._table("tokens", self.layout.codebook_size)
        self.drop_tokens = nn.Dropout(self.token_dropout)
        self.transformer = CausalTransformer(
            self._block_maker(),
            self._norm_maker(),
            LogitHead(self.layout.codebook_size, self.head_stddev, self.dtype),
            self.num_layers,
            self.remat,
        )

    def loss(self, codes, labels):
        labels = self.with_dropped_classes(labels)
        order = self._training_order(len(labels))
        targets = permuted(self.layout.to_sequence(codes), order)
        logits = self._predict(labels, self._corrupted(targets), order, train=True)
        loss = jnp.mean(cross_entropy.token_nats(logits, targets))
        return PriorOutput(loss=loss, metrics={})

    def token_nats(self, codes, labels):
        order = self._sampling_order(jnp.zeros((len(labels), self._length), bool))
        targets = permuted(self.layout.to_sequence(codes), order)
        logits = self._predict(labels, targets, order, train=False)
        nats = cross_entropy.token_nats(logits, targets)
        return self.layout.from_sequence(unpermuted(nats, order))

    def logits(self, codes: Codes, labels: Int[Array, "b"]) -> Float[Array, "b t k"]:
        """Of each code of the sequence, given the class and all codes before it."""
        sequence = self.layout.to_sequence(codes)
        return self._predict(labels, sequence, None, train=False)

    def sample(self, keys, labels, sampling: Sampling, known: Known | None = None):
        codes, mask, prefix = self._known(known, len(labels))
        if prefix == self._length:
            return self.layout.from_sequence(codes)
        order = self._sampling_order(mask)
        codes, mask = permuted(codes, order), permuted(mask, order)
        scales = jnp.asarray(sampling.scales(self._length))
        twice = _doubled if sampling.is_guided else lambda rows: rows
        # As a pure function: a scan takes no bound modules.
        advance = functools.partial(
            self.clone(parent=None).apply, self.variables, method="advance"
        )

        def pick(logits, i):
            if sampling.is_guided:
                logits = guided(*jnp.split(logits, 2), scales[i])
            drawn = draw(row_keys.folded(keys, i), logits, sampling)
            return jnp.where(mask[:, i], codes[:, i], drawn)

        def body(carry, i):
            logits, caches = carry
            drawn = pick(logits, i)
            return advance(twice(drawn), caches, i, twice(order)), drawn

        if sampling.is_guided:
            labels = jnp.concatenate([labels, jnp.full_like(labels, NO_CLASS)])
        begun = self.begin(labels, twice(codes[:, :prefix]), twice(order))
        (logits, _), drawn = jax.lax.scan(
            body, begun, jnp.arange(prefix, self._length - 1)
        )
        last = pick(logits, self._length - 1)
        sequence = [codes[:, :prefix], drawn.swapaxes(0, 1), last[:, None]]
        sequence = unpermuted(jnp.concatenate(sequence, axis=1), order)
        return self.layout.from_sequence(sequence)

    def begin(
        self, labels: Int[Array, "b"], codes: Int[Array, "b n"], order=None
    ) -> tuple[Float[Array, "b k"], Caches]:
        """Reads the class and the first n codes; the logits of the next code, float32.

        Args:
            order: of the codes; none is that of the sequence.

        Returns:
            The logits, and the caches that `advance` goes on from.

        Raises:
            InputError: these are all codes, so that none follows.
        """
        check_room(self._length, 0, codes.shape[1] + 1)
        x = self._inputs(labels, codes, order)
        shape = (
            len(labels),
            self.num_heads,
            self._length,
            self.hidden_dim // self.num_heads,
        )
        empty = KeyValueCache(
            jnp.zeros(shape, self.dtype), jnp.zeros(shape, self.dtype)
        )
        rotation = self._rotation(0, x.shape[1])
        return self.transformer.extend(x, (empty,) * self.num_layers, 0, rotation)

    def advance(
        self, codes: Int[Array, "b"], caches: Caches, index, order=None
    ) -> tuple[Float[Array, "b k"], Caches]:
        """Reads code number `index`: the logits of the next one, and the new caches.

        Raises:
            InputError: `index` is a number, and that of the last code: none follows.
        """
        x = self._embed(codes[:, None], index, order).astype(self.dtype)
        rotation = self._rotation(index + 1, 1)
        return self.transformer.extend(x, caches, index + 1, rotation)

    def begin_coding(self, labels):
        logits, caches = self.begin(labels, jnp.zeros((len(labels), 0), jnp.int32))
        return {"logits": logits, "caches": caches}

    def coding_logits(self, state, tokens):
        return state["logits"][:, None]

    def accept_codes(self, state, tokens, codes):
        logits, caches = self.advance(codes[:, 0], state["caches"], tokens[0])
        return {"logits": logits, "caches": caches}

    def _norm_maker(self) -> Callable[..., nn.Module]:
        """Makes a norm of a given name."""
        raise NotImplementedError

    def _mlp_maker(self) -> Callable[[], nn.Module]:
        raise NotImplementedError

    def _embed(self, codes: Int[Array, "b n"], start, order) -> Float[Array, "b n d"]:
        """Embeddings of the codes number `start` and following, in this order."""
        raise NotImplementedError

    def _embed_class(self, labels, order) -> Float[Array, "b d"]:
        return self.classes[self.class_rows(labels)]

    def _rotation(self, start, count: int) -> Rotation | None:
        """Of the inputs from number `start` on; the class is number 0."""
        return None

    def _training_order(self, batch_size: int) -> Order | None:
        """None is that of the sequence."""
        return None

    def _sampling_order(self, mask) -> Order | None:
        """The order in which codes are drawn that are not known, with all of `mask`."""
        return None

    def _corrupted(self, codes: Int[Array, "b t"]) -> Int[Array, "b t"]:
        """The codes that a training pass reads; it predicts the true ones."""
        return codes

    @property
    def _length(self) -> int:
        return self.layout.num_tokens

    def _table(self, name: str, rows: int, stddev: float = STDDEV):
        init = nn.initializers.normal(stddev)
        return self.param(name, init, (rows, self.hidden_dim))

    def _block_maker(self) -> Callable[[], Block]:
        # The transformer makes modules: what is made here would belong to the prior.
        make_norm, make_mlp, dropout = (
            self._norm_maker(),
            self._mlp_maker(),
            self.dropout,
        )
        make_attention = functools.partial(
            CausalAttention, self.num_heads, self.use_bias, STDDEV, self.dtype
        )
        return lambda: Block(make_attention(), make_mlp(), make_norm, dropout)

    def _inputs(self, labels, codes, order):
        first = self._embed_class(labels, order)[:, None]
        rest = self._embed(codes, 0, order)
        return jnp.concatenate([first, rest], axis=1).astype(self.dtype)

    def _predict(self, labels, codes, order, *, train: bool):
        """Logits of each of the codes, which are in this order."""
        x = self._inputs(labels, codes[:, :-1], order)
        x = self.drop_tokens(x, deterministic=not train)
        return self.transformer(x, self._rotation(0, x.shape[1]), train=train)

    def _known(self, known: Known | None, batch_size: int):
        """Codes and mask as sequences, and how many come first in every row."""
        if known is None:
            shape = (batch_size, self._length)
            return jnp.zeros(shape, jnp.int32), jnp.zeros(shape, bool), 0
        codes, mask = (
            self.layout.to_sequence(jnp.asarray(a)) for a in (known.codes, known.mask)
        )
        first = jnp.arange(self._length)[None] < known.prefix
        return codes, mask | first, known.prefix


def permuted(
    sequence: Shaped[Array, "b t"], order: Order | None
) -> Shaped[Array, "b t"]:
    """The entries in this order; None leaves them as they are."""
    if order is None:
        return sequence
    return jnp.take_along_axis(sequence, order, axis=1)


def unpermuted(
    sequence: Shaped[Array, "b t"], order: Order | None
) -> Shaped[Array, "b t"]:
    """The inverse of `permuted`."""
    if order is None:
        return sequence
    return jnp.take_along_axis(sequence, jnp.argsort(order, axis=1), axis=1)


def _doubled(rows):
    return None if rows is None else jnp.concatenate([rows, rows])
