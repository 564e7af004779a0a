"""A prior's frequencies of codes, pass by pass: what an entropy coder codes with."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, UInt32

from vq_jax import compiler
from vq_jax.models.priors.base import Prior
from vq_jax.ops import frequencies
from vq_jax.typing import Variables

Choose = Callable[
    [UInt32[np.ndarray, "b n k"], Int[np.ndarray, "n"]], Int[np.ndarray, "b n"]
]
"""The codes of a pass, from their frequencies and their numbers in the sequence."""


class CodeFrequencies:
    """Goes through the codes of images as a decoder must: each pass given those before.

    Logits that a computer gets in another way, as of all codes at once, differ in their
    last bits, and so would frequencies. Here the one who encodes, who has all codes,
    and the one who decodes, who gets them pass by pass, run the same programs on the
    same arrays: the frequencies are the same, bit for bit, if the batch size is, and
    the kind of device and the release of JAX.

    Attributes:
        prior: the prior.
    """

    def __init__(self, prior: Prior, variables: Variables):
        self.prior, self._variables = prior, variables

    def walk(
        self, labels: Int[np.ndarray, "b"], choose: Choose
    ) -> Int[np.ndarray, "b *tokens"]:
        """The codes that `choose` returned for all passes, int32.

        Labels are as a prior takes them. Each batch size is compiled once.
        """
        passes = self.prior.coding_passes
        sequence = np.zeros((len(labels), self.prior.layout.num_tokens), np.int32)
        state = self._begin(self._variables, labels)
        for number, tokens in enumerate(passes):
            padded = self._padded(tokens)
            found = self._frequencies(self._variables, state, padded)
            codes = choose(np.asarray(found)[:, : len(tokens)], tokens)
            sequence[:, tokens] = codes
            if number + 1 < len(passes):
                given = sequence[:, padded]
                state = self._accept(self._variables, state, padded, given)
        return np.asarray(self.prior.layout.from_sequence(jnp.asarray(sequence)))

    def _padded(self, tokens: np.ndarray) -> np.ndarray:
        """Up to the longest pass with its last one, so that one program serves all."""
        longest = max(map(len, self.prior.coding_passes))
        return np.pad(tokens, (0, longest - len(tokens)), mode="edge")

    @functools.cached_property
    def _begin(self) -> Callable:
        return self._compiled("begin_coding")

    @functools.cached_property
    def _frequencies(self) -> Callable:
        def found(variables, state, tokens):
            logits = self.prior.apply(variables, state, tokens, method="coding_logits")
            return frequencies.from_logits(logits)

        return compiler.jit(found)

    @functools.cached_property
    def _accept(self) -> Callable:
        return self._compiled("accept_codes")

    def _compiled(self, method: str) -> Callable:
        return compiler.jit(functools.partial(self.prior.apply, method=method))
