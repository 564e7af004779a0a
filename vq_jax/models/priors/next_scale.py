"""Next-scale prediction: an image grid by grid, from coarse to fine (VAR)."""

import functools
import math

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int

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
    check_heads,
)
from vq_jax.models.quantizers.base import Quantizer
from vq_jax.models.quantizers.multi_scale import MultiScaleQuantizer
from vq_jax.ops import block_causal, cross_entropy, row_keys
from vq_jax.ops.sampling import Sampling, draw, guided
from vq_jax.typing import Leaf

HEAD_FACTOR = 0.02  # of the head's initial kernel: all codes are as likely at first


@struct.dataclass
class GridsSoFar:
    """What the next grid is predicted from."""

    condition: Leaf  # [n, c]; n is twice b where it is predicted without class, too
    cache: Leaf  # KeyValues of [layers, n, t, …]
    total: Leaf  # f̂ [b, side, side, d]


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

    num_layers: ranges.Repeats = 16
    num_heads: ranges.Count = 16
    hidden_dim: ranges.Width = 1024
    mlp_ratio: ranges.Positive = 4.0
    drop_path: ranges.DropRate = 0.0
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
        check_heads(self.num_heads, self.hidden_dim)
        std = math.sqrt(1 / (3 * self.hidden_dim))
        normal = nn.initializers.normal(std)
        dense = functools.partial(nn.Dense, kernel_init=normal, dtype=self.dtype)

        def table(name, rows):
            return self.param(name, normal, (rows, self.hidden_dim))

        self.classes = table("classes", self.num_classes + 1)
        self.begin = table("begin", self._areas[0])
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
        last = jnp.mean(nats[:, -self._areas[-1] :])
        return PriorOutput(loss=jnp.mean(nats), metrics={"last_scale_loss": last})

    def token_nats(self, codes, labels):
        return self._nats(codes, labels, train=False)

    def sample(self, keys, labels, sampling: Sampling, known: Known | None = None):
        if sampling.is_guided:
            labels = jnp.concatenate([labels, jnp.full_like(labels, NO_CLASS)])
        grids, first, drawn = self.start(labels, len(keys)), 0, []
        for number, scale in enumerate(sampling.scales(len(self._areas))):
            logits, grids = self.predict(grids, number)
            if sampling.is_guided:
                logits = guided(*jnp.split(logits, 2), scale)
            codes = draw(row_keys.folded(keys, number), logits, sampling)
            if known is not None:
                here = slice(first, first + codes.shape[1])
                codes = jnp.where(known.mask[:, here], known.codes[:, here], codes)
            grids = self.accept(grids, codes, number)
            first += codes.shape[1]
            drawn.append(codes)
        return jnp.concatenate(drawn, axis=1)

    def logits(
        self, codes: Int[Array, "b t"], labels: Int[Array, "b"], *, train: bool
    ) -> Float[Array, "b t k"]:
        """Of each code given all codes of coarser grids: one pass, float32."""
        condition = self.classes[self.class_rows(labels)]
        x = self._embedded(self._quantizer("prior_inputs", codes), condition, 0)
        mask = jnp.asarray(block_causal.block_causal_mask(self.layout.grids))
        return self._transformed(x, condition, mask, None, train=train)[0]

    @property
    def coding_passes(self):
        ends = np.cumsum(self._areas)
        return np.split(np.arange(ends[-1], dtype=np.int32), ends[:-1])

    def _sequence_logits(self, sequence, labels):
        return self.logits(sequence, labels, train=False)

    def start(self, labels: Int[Array, "n"], batch_size: int) -> GridsSoFar:
        """Before the first grid; of n labels, a multiple of the batch size."""
        head_dim = self.hidden_dim // self.num_heads
        shape = (self.num_layers, len(labels), self.layout.num_tokens)
        zeros = jnp.zeros((*shape, self.num_heads, head_dim), self.dtype)
        return GridsSoFar(
            condition=self.classes[self.class_rows(labels)],
            cache=KeyValues(keys=zeros, values=zeros),
            total=self._quantizer("empty_sum", batch_size),
        )

    def predict(
        self, grids: GridsSoFar, number: int
    ) -> tuple[Float[Array, "n t k"], GridsSoFar]:
        """Logits of the codes of grid `number`, float32, after `accept` of all before.

        The same as `logits`, but for rounding.
        """
        inputs = self._quantizer("prior_inputs_of", grids.total, number)
        times = len(grids.condition) // len(inputs)
        inputs = jnp.concatenate([inputs] * times)
        first = sum(self._areas[:number])
        x = self._embedded(inputs, grids.condition, first)
        sees = jnp.ones((x.shape[1], first + x.shape[1]), bool)
        logits, cache = self._transformed(
            x, grids.condition, sees, grids.cache, train=False
        )
        return logits, grids.replace(cache=cache)

    def accept(
        self, grids: GridsSoFar, codes: Int[Array, "b t"], number: int
    ) -> GridsSoFar:
        """With the codes of grid `number`."""
        total = self._quantizer("add_scale", grids.total, codes, number)
        return grids.replace(total=total)

    def _nats(self, codes, labels, *, train: bool) -> Float[Array, "b t"]:
        return cross_entropy.token_nats(self.logits(codes, labels, train=train), codes)

    def _embedded(self, inputs, condition, first: int):
        """Tokens from `first` on, float32: the first grid's come of the condition."""
        x = self.embed(inputs)
        if first == 0:
            begin = condition[:, None] + self.begin[None]
            x = jnp.concatenate([begin, x], axis=1)
        here = slice(first, first + x.shape[1])
        level = block_causal.level_of_token(self.layout.grids)[here]
        return x + (self.positions[here] + self.levels[level])[None]

    def _transformed(self, x, condition, mask, cache, *, train: bool):
        """`(logits, cache)` of embedded tokens."""
        given = condition
        if self.shared_adaln:
            given = self.modulation(nn.silu(condition)).reshape(-1, 6, x.shape[-1])
        x, cache = self.blocks(
            x.astype(self.dtype), given.astype(self.dtype), mask, cache, train=train
        )
        scale, shift = jnp.split(self.head_modulation(nn.silu(condition)), 2, axis=-1)
        x = self.head_norm(x.astype(jnp.float32), scale, shift)
        return self.head(x), cache

    def _quantizer(self, method: str, *args):
        """A method of the tokenizer's quantizer, on its variables."""
        collections = self.variables[TOKENIZER].items()
        own = {
            name: tree["quantizer"] for name, tree in collections if "quantizer" in tree
        }
        module = self.quantizer.clone(parent=None)
        return module.apply(own, *args, method=method)
