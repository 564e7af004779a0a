"""Next-scale prediction: an image grid by grid, from coarse to fine (VAR)."""

import functools
import math
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.layers.adaptive_attention import KeyValues
from vq_jax.models.layers.adaptive_transformer import (
    AdaptiveNorm,
    AdaptiveTransformer,
)
from vq_jax.models.priors.base import (
    NO_CLASS,
    TOKENIZER,
    Known,
    Prior,
    PriorOutput,
)
from vq_jax.models.quantizers.base import Quantizer
from vq_jax.models.quantizers.multi_scale import MultiScaleQuantizer
from vq_jax.ops import block_causal, cross_entropy
from vq_jax.ops.sampling import Sampling, draw, guided

HEAD_FACTOR = 0.02  # of the head's initial kernel: all codes are as likely at first


class NextScalePrior(Prior):
    """A transformer that predicts grid after grid of a multi-scale quantizer's codes.

    It is VAR (2404.02905v2). To predict grid k it sees at each place of it f̂, the sum
    of all coarser grids as the tokenizer's decoder would get it, averaged down to grid
    k; for the first grid the class. The codes of a grid are independent given the
    coarser grids, so an image takes as many passes as there are grids. Blocks see all
    tokens of their own grid and of coarser ones, and the class through their norms.

    Any known codes can be kept: they are put in place of those drawn as sampling
    reaches their grid, and finer grids are drawn given them. So draws follow the exact
    conditional law where the known codes are all those of the coarser grids, with any
    of the next grid. A code that is known on a finer grid alone does not change what
    is drawn on coarser ones; and the coarse codes of an image are means of all of it,
    a part that should be unknown included.

    Attributes:
        quantizer: that of the tokenizer, unbound; its variables are in TOKENIZER.
        num_layers: number of blocks; VAR-d16 has 16.
        num_heads: of attention; as many as layers in VAR.
        hidden_dim: channels, 64 a head in VAR.
        mlp_ratio: hidden channels of the MLPs over `hidden_dim`.
        drop_path: probability that an image skips a part of the last block in training,
            0.1 · num_layers / 24 in VAR; it falls linearly to 0 at the first block.
        unit_attention: whether queries and keys are unit vectors, with a learnt scale.
        shared_adaln: whether all blocks share the map from the class to the norms, as
            VAR's largest model does.
        initial_gain: factor of the initial map to the gains of attention and MLP, 1e-3
            to 5e-6 in VAR, smaller for more layers.
        remat: whether training computes activations twice instead of keeping them.
    """

    quantizer: Quantizer = None

    num_layers: Annotated[int, ranges.Range(1, 64)] = 16
    num_heads: ranges.Count = 16
    hidden_dim: ranges.Width = 1024
    mlp_ratio: ranges.Positive = 4.0
    drop_path: Annotated[float, ranges.Range(0.0, 0.99)] = 0.0
    unit_attention: bool = True
    shared_adaln: bool = False
    initial_gain: ranges.Weight = 1e-3
    remat: bool = False

    reads_tokenizer = True
    keeps = "any"

    @classmethod
    def fields_of(cls, quantizer: Quantizer) -> dict:
        if not isinstance(quantizer, MultiScaleQuantizer):
            raise InputError(
                "config.prior.name='next_scale' predicts grid after grid, and the "
                f"tokenizer's {type(quantizer).__name__} has one grid, or grids of one "
                "size; name a tokenizer of config.model.quantizer.name='multi_scale' "
                "(and config.model.latent_dim=0), or choose another prior."
            )
        return {"quantizer": quantizer}

    def setup(self):
        if self.hidden_dim % self.num_heads:
            raise InputError(
                f"config.prior.num_heads={self.num_heads} must divide "
                f"config.prior.hidden_dim={self.hidden_dim}."
            )
        std = math.sqrt(1 / (3 * self.hidden_dim))
        normal = nn.initializers.normal(std)
        dense = functools.partial(nn.Dense, kernel_init=normal, dtype=self.dtype)

        def table(name, rows):
            return self.param(name, normal, (rows, self.hidden_dim))

        self.classes = table("classes", self.num_classes + 1)
        self.start = table("start", self._areas[0])
        self.positions = table("positions", self.layout.num_tokens)
        self.levels = table("levels", len(self._areas))
        self.embed = dense(self.hidden_dim, dtype="float32")
        if self.shared_adaln:
            self.modulation = dense(6 * self.hidden_dim)
        self.blocks = AdaptiveTransformer(
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            mlp_ratio=self.mlp_ratio,
            unit=self.unit_attention,
            shared=self.shared_adaln,
            initial_gain=self.initial_gain,
            kernel_std=std,
            drop_path=self.drop_path,
            remat=self.remat,
            dtype=self.dtype,
        )
        self.head_modulation = nn.Dense(
            2 * self.hidden_dim, kernel_init=nn.initializers.normal(0.5 * std)
        )
        self.head_norm = AdaptiveNorm("float32")
        self.head = nn.Dense(
            self.layout.codebook_size,
            kernel_init=nn.initializers.normal(HEAD_FACTOR * std),
        )

    @property
    def _areas(self) -> list[int]:
        """Tokens of each grid."""
        return [height * width for height, width in self.layout.grids]

    def loss(self, codes, labels):
        labels = self.with_dropped_classes(labels)
        nats = self._nats(codes, labels, train=True)
        loss = jnp.mean(nats)
        last = jnp.mean(nats[:, -self._areas[-1] :])
        metrics = {"nats_per_token": loss, "nats_per_token_of_last_scale": last}
        return PriorOutput(loss=loss, metrics=metrics)

    def log_prob(self, codes, labels):
        return -jnp.sum(self._nats(codes, labels, train=False), axis=-1)

    def sample(self, keys, labels, sampling: Sampling, known: Known | None = None):
        areas, scales = self._areas, sampling.scales(len(self._areas))
        if sampling.is_guided:
            labels = jnp.concatenate([labels, jnp.full_like(labels, NO_CLASS)])
        condition = self.classes[self.class_rows(labels)]
        cache = self._empty_cache(len(labels))
        total = self._quantizer("empty_sum", len(keys))
        inputs, drawn = jnp.zeros((len(keys), 0, total.shape[-1]), jnp.float32), []
        for number, (area, scale) in enumerate(zip(areas, scales, strict=True)):
            first = sum(areas[:number])
            seen = jnp.concatenate([inputs] * (2 if sampling.is_guided else 1))
            x = self._tokens(seen, condition, first, area)
            sees = np.ones((area, first + area), bool)
            logits, cache = self._logits(x, condition, sees, cache, train=False)
            if sampling.is_guided:
                logits = guided(*jnp.split(logits, 2), scale)
            fold = functools.partial(jax.random.fold_in, data=number)
            codes = draw(jax.vmap(fold)(keys), logits, sampling)
            if known is not None:
                here = slice(first, first + area)
                codes = jnp.where(known.mask[:, here], known.codes[:, here], codes)
            drawn.append(codes)
            if number + 1 < len(areas):
                total = self._quantizer("add_scale", total, codes, number)
                inputs = self._quantizer("prior_input", total, number + 1)
        return jnp.concatenate(drawn, axis=1)

    def _nats(self, codes, labels, *, train: bool) -> Float[Array, "b t"]:
        """Cross-entropy of each code, by one pass over all grids."""
        condition = self.classes[self.class_rows(labels)]
        inputs = self._quantizer("prior_inputs", codes)
        x = self._tokens(inputs, condition, 0, self.layout.num_tokens)
        mask = block_causal.block_causal_mask(self.layout.grids)
        logits, _ = self._logits(x, condition, mask, None, train=train)
        return cross_entropy.token_nats(logits, codes)

    def _tokens(self, inputs, condition, first: int, count: int):
        """Embedded tokens from `first` on, in float32; those of the first grid come
        from the condition, the others from `inputs`."""
        parts = [self.embed(inputs)]
        if first == 0:
            parts.insert(0, condition[:, None] + self.start[None])
        here = slice(first, first + count)
        level = block_causal.level_of_token(self.layout.grids)[here]
        places = self.positions[here] + self.levels[level]
        return jnp.concatenate(parts, axis=1) + places[None]

    def _logits(self, x, condition, mask, cache, *, train: bool):
        """`(logits, cache)`, float32 [b, n, K]."""
        given = self.modulation(nn.silu(condition)) if self.shared_adaln else condition
        if self.shared_adaln:
            given = given.reshape(-1, 6, self.hidden_dim)
        x, cache = self.blocks(
            x.astype(self.dtype),
            given.astype(self.dtype),
            jnp.asarray(mask),
            cache,
            train=train,
        )
        scale, shift = jnp.split(self.head_modulation(nn.silu(condition)), 2, axis=-1)
        x = self.head_norm(x.astype(jnp.float32), scale, shift)
        return self.head(x), cache

    def _empty_cache(self, batch_size: int) -> KeyValues:
        head_dim = self.hidden_dim // self.num_heads
        shape = (self.num_layers, batch_size, self.layout.num_tokens)
        zeros = jnp.zeros((*shape, self.num_heads, head_dim), self.dtype)
        return KeyValues(keys=zeros, values=zeros)

    def _quantizer(self, method: str, *args):
        """A method of the tokenizer's quantizer, on its variables."""
        collections = self.variables[TOKENIZER].items()
        own = {
            name: tree["quantizer"] for name, tree in collections if "quantizer" in tree
        }
        module = self.quantizer.clone(parent=None)
        return module.apply(own, *args, method=method)
