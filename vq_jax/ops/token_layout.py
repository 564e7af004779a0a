"""How the codes of an image lie: as a tokenizer gives them, as grids, as a sequence."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Shaped

Codes = Int[Array, "b *tokens"]


@dataclasses.dataclass(frozen=True)
class TokenLayout:
    """The codes of one image, level by level from coarse to fine.

    A tokenizer of one code a position has one level, its grid. Product heads, residual
    levels and scales are levels of their own: so the codes of any tokenizer are a list
    of grids, and, one grid after the other and each row by row, a sequence.

    Attributes:
        shape: of one image's codes as the tokenizer gives them: [hq, wq], with axes of
            levels behind the grid where it has some; or [tokens], scale after scale.
        grids: height and width of each level.
        codebook_size: K; codes are in [0, K).
    """

    shape: tuple[int, ...]
    grids: tuple[tuple[int, int], ...]
    codebook_size: int

    def __post_init__(self):
        assert math.prod(self.shape) == self.num_tokens

    @property
    def num_tokens(self) -> int:
        """Codes of an image, of all levels together."""
        return sum(height * width for height, width in self.grids)

    @property
    def positions(self) -> Int[np.ndarray, "t 3"]:
        """Level, row and column of each token of the sequence."""
        return np.concatenate(
            [
                np.insert(np.argwhere(np.ones(grid)), 0, level, axis=1)
                for level, grid in enumerate(self.grids)
            ]
        ).astype(np.int32)

    def to_sequence(self, codes: Shaped[Array, "b *tokens"]) -> Shaped[Array, "b t"]:
        """One level after the other, from the coarsest, each row by row.

        Masks and other arrays of the same axes may take the place of codes.
        """
        # Axes of levels come behind those of the grid.
        if len(self.shape) > 2:
            codes = codes.reshape(len(codes), self._area, -1).swapaxes(1, 2)
        return codes.reshape(len(codes), self.num_tokens)

    def from_sequence(
        self, sequence: Shaped[Array, "b t"]
    ) -> Shaped[Array, "b *tokens"]:
        """The inverse of `to_sequence`."""
        if len(self.shape) > 2:
            levels = len(self.grids)
            sequence = sequence.reshape(len(sequence), levels, -1).swapaxes(1, 2)
        return sequence.reshape(len(sequence), *self.shape)

    def to_grids(
        self, codes: Shaped[Array, "b *tokens"]
    ) -> list[Shaped[Array, "b _ _"]]:
        """The codes of each level on its grid, or other arrays of the same axes."""
        sequence, grids, first = self.to_sequence(codes), [], 0
        for height, width in self.grids:
            part = sequence[:, first : first + height * width]
            grids.append(part.reshape(-1, height, width))
            first += height * width
        return grids

    def from_grids(
        self, grids: list[Shaped[Array, "b _ _"]]
    ) -> Shaped[Array, "b *tokens"]:
        """The inverse of `to_grids`."""
        rows = [grid.reshape(len(grid), -1) for grid in grids]
        return self.from_sequence(jnp.concatenate(rows, axis=1))

    @property
    def _area(self) -> int:
        return self.shape[0] * self.shape[1]
