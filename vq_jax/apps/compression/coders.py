"""How codes are coded: at fixed length, by their own histogram, or by a prior.

A coder has one method, `run(exchange, codes)`, which walks through codes in an order of
its own and tells `exchange` the frequencies of each. `exchange` is a `RangeWriter`, or
a `RangeReader`, to which the values of `codes` say nothing: only its shape counts.
"""

import abc
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from vq_jax.apps.compression.range_coder import Exchange
from vq_jax.inference.code_frequencies import CodeFrequencies
from vq_jax.ops.frequencies import from_counts

BLOCK = 64
"""Codes between two updates of a histogram."""
MAX_TABLES = 2**26
"""Frequencies that a pass of a prior has at once, in all images of a batch."""
MAX_BATCH = 64


class Coder(abc.ABC):
    """See above."""

    @abc.abstractmethod
    def run(
        self, exchange: Exchange, codes: Int[np.ndarray, "n *tokens"]
    ) -> Int[np.ndarray, "n *tokens"]:
        """All codes, int32, as `exchange` returned them."""


@dataclasses.dataclass(frozen=True)
class FixedLength(Coder):
    """log2 K bits a code, whatever it is."""

    codebook_size: int

    def run(self, exchange, codes):
        table = from_counts(np.ones(self.codebook_size, np.int64))
        flat = codes.reshape(-1)
        parts = [
            exchange(np.broadcast_to(table, (len(part), len(table))), part)
            for part in _blocks(flat)
        ]
        return _joined(parts, codes)


@dataclasses.dataclass(frozen=True)
class OrderZero(Coder):
    """By how often each code has come before: a histogram that both ends count.

    So no table lies in the file, which for a single image would cost more than it
    saves, and none has to be in the workdir. All codes are equally likely at first; a
    code that came n times has the weight n + 1/2 (Krichevsky and Trofimov 1981), which
    is counted up every BLOCK codes.
    """

    codebook_size: int

    def run(self, exchange, codes):
        counts = np.ones(self.codebook_size, np.int64)
        parts = []
        for part in _blocks(codes.reshape(-1)):
            table = from_counts(counts)
            table = np.broadcast_to(table, (len(part), len(table)))
            parts.append(exchange(table, part))
            counts += 2 * np.bincount(parts[-1], minlength=len(counts))
        return _joined(parts, codes)


@dataclasses.dataclass(frozen=True)
class ByPrior(Coder):
    """By a prior, given the label and the codes of the passes before.

    Images are coded in batches, of the same size at both ends, the last one filled up;
    within a batch pass after pass, and in each of them image after image.

    Attributes:
        frequencies: those of the prior.
        batch_size: images that a batch has.
        label: of all images, -1 for none.
    """

    frequencies: CodeFrequencies
    batch_size: int
    label: int

    def run(self, exchange, codes):
        done = np.zeros_like(codes)
        for start in range(0, len(codes), self.batch_size):
            rows = slice(start, start + self.batch_size)
            done[rows] = self._batch(exchange, codes[rows])
        return done

    def _batch(self, exchange: Exchange, codes):
        layout = self.frequencies.prior.layout
        given = np.asarray(layout.to_sequence(jnp.asarray(codes)))

        def choose(table, tokens):
            # Rows that fill up the batch are not coded.
            chosen = np.zeros((self.batch_size, len(tokens)), np.int32)
            known = table[: len(given)].reshape(-1, layout.codebook_size)
            coded = exchange(known, given[:, tokens].reshape(-1))
            chosen[: len(given)] = coded.reshape(len(given), len(tokens))
            return chosen

        labels = np.full(self.batch_size, self.label, np.int32)
        return self.frequencies.walk(labels, choose)[: len(given)]


def batch_size(count: int, frequencies: CodeFrequencies) -> int:
    """For so many images: a power of two, so that few programs are compiled."""
    prior = frequencies.prior
    longest = max(map(len, prior.coding_passes))
    room = max(1, MAX_TABLES // (longest * prior.layout.codebook_size))
    most = min(MAX_BATCH, 1 << (room.bit_length() - 1))
    return min(most, 1 << (max(1, count) - 1).bit_length())


def environment() -> str:
    """What a prior's frequencies depend on, besides the prior."""
    return f"jax {jax.__version__} {jax.local_devices()[0].device_kind}"


def _blocks(flat):
    return [flat[start : start + BLOCK] for start in range(0, len(flat), BLOCK)]


def _joined(parts, codes):
    return np.concatenate([np.zeros(0, np.int32), *parts]).reshape(codes.shape)
