"""Range coding (Martin 1979; PyPI's `constriction`) of codes with integer frequencies.

A writer and a reader are called alike, `exchange(table, codes)`, and both return the
codes: so one function that walks through codes and computes tables encodes and decodes.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int, UInt32

from vq_jax.errors import InputError
from vq_jax.ops.frequencies import TOTAL

Exchange = Callable[
    [UInt32[np.ndarray, "n k"], Int[np.ndarray, "n"] | None], Int[np.ndarray, "n"]
]


def check_installed() -> None:
    """Raises InputError where `constriction` is missing."""
    try:
        import constriction  # noqa: F401
    except ImportError as error:
        raise InputError(
            "compression needs the package constriction, which is not installed: "
            "pip install 'vq_jax[compress]', or pip install constriction."
        ) from error


class RangeWriter:
    """Appends codes to a stream of bytes."""

    def __init__(self):
        import constriction

        self._encoder = constriction.stream.queue.RangeEncoder()

    def __call__(self, table, codes):
        if table.shape[-1] > 1:  # else there is nothing to say
            self._encoder.encode(
                codes.astype(np.int32), _family(), _probabilities(table)
            )
        return codes

    def to_bytes(self) -> bytes:
        """All codes so far; zeros at the end are left out."""
        words = self._encoder.get_compressed().astype("<u4")
        return words.tobytes().rstrip(b"\0")


class RangeReader:
    """Takes codes from a stream that a writer wrote with the same tables."""

    def __init__(self, stream: bytes):
        import constriction

        padded = stream + b"\0" * (-len(stream) % 4)
        words = np.frombuffer(padded, "<u4").astype(np.uint32)
        self._decoder = constriction.stream.queue.RangeDecoder(words)

    def __call__(self, table, codes=None):
        if table.shape[-1] == 1:
            return np.zeros(len(table), np.int32)
        return self._decoder.decode(_family(), _probabilities(table))


def _family():
    """Tables of each code; the coder's own 24 bits hold the frequencies, but for what
    it adds so that none is 0, another k / 2^24."""
    import constriction

    return constriction.stream.model.Categorical(perfect=False)


def _probabilities(table):
    # Exact: the integers have 24 bits at most. `constriction` reads the memory of an
    # array as rows, however it is laid out.
    return table.astype(np.float32, order="C") / np.float32(TOTAL)
