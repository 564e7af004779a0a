"""A stack of pre-norm blocks with causal attention, and what reads codes from it."""

from collections.abc import Callable

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers.causal_attention import CausalAttention, KeyValueCache
from vq_jax.ops.rotary import Rotation

Caches = tuple[KeyValueCache, ...]
"""That of each block."""


class Block(nn.Module):
    """x + attention(norm(x)), and that y + mlp(norm(y)).

    Attributes:
        attention, mlp: the two branches.
        make_norm: makes a norm of this name.
        dropout: of both branches' results.
    """

    attention: CausalAttention
    mlp: nn.Module
    make_norm: Callable[..., nn.Module]
    dropout: float

    @nn.compact
    def __call__(self, x, rotation, cache, start, *, train: bool):
        """As `CausalAttention`."""

        def dropped(branch):
            return nn.Dropout(self.dropout, deterministic=not train)(branch)

        normed = self.make_norm(name="attention_norm")(x)
        branch, cache = self.attention(normed, rotation, cache, start)
        x = x + dropped(branch)
        normed = self.make_norm(name="mlp_norm")(x)
        return x + dropped(self.mlp(normed)), cache


class LogitHead(nn.Module):
    """A linear map without bias to float32 logits.

    Attributes:
        codebook_size: K.
        stddev: of the normal initialisation; 0 starts from a uniform law.
        dtype: of the factors; products are summed in float32.
    """

    codebook_size: int
    stddev: float
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t k"]:
        init = nn.initializers.normal(self.stddev)
        kernel = self.param("kernel", init, (x.shape[-1], self.codebook_size))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        return jnp.matmul(x, kernel, preferred_element_type=jnp.float32)


class CausalTransformer(nn.Module):
    """Embeddings of a sequence to the logits of what follows each of its positions.

    Attributes:
        make_block: makes a block.
        make_norm: makes a norm, of a name where it is given one.
        head: from channels to logits.
        num_layers: number of blocks.
        remat: compute the activations inside of blocks again in the backward pass,
            which needs less memory and a third more time.
    """

    make_block: Callable[[], Block]
    make_norm: Callable[..., nn.Module]
    head: LogitHead
    num_layers: int
    remat: bool = False

    def setup(self):
        self.blocks = [self.make_block() for _ in range(self.num_layers)]
        self.norm = self.make_norm()

    def __call__(
        self,
        x: Float[Array, "b t d"],
        rotation: Rotation | None = None,
        *,
        train: bool,
    ) -> Float[Array, "b t k"]:
        """Of a whole sequence."""

        def run(block, x):
            return block(x, rotation, None, 0, train=train)[0]

        if self.remat:
            run = nn.remat(run)
        for block in self.blocks:
            x = run(block, x)
        return self.head(self.norm(x))

    def extend(
        self,
        x: Float[Array, "b n d"],
        caches: Caches,
        start,
        rotation: Rotation | None = None,
    ) -> tuple[Float[Array, "b k"], Caches]:
        """The logits of what follows the last of n more positions, and the new caches.

        Args:
            caches: have the positions before `start`.
            start: number of the first of them.
            rotation: that of these n positions.

        Raises:
            InputError: there is no room for them.
        """
        grown = []
        for block, cache in zip(self.blocks, caches, strict=True):
            x, cache = block(x, rotation, cache, start, train=False)
            grown.append(cache)
        return self.head(self.norm(x[:, -1:]))[:, 0], tuple(grown)
