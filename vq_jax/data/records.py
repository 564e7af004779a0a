"""Access to a source's records where broken images are errors, or are left out."""

import numpy as np
from absl import logging

from vq_jax.config.checks import check_choice
from vq_jax.data.sources.base import Record, Source
from vq_jax.errors import InputError

ON_ERROR = ("raise", "skip")


class Records:
    """The records of a source, with None for a broken image if `on_error` is "skip".

    Attributes:
        skipped: Messages about the broken images met so far, by index. Each worker
            process (`num_workers` > 0) has its own; there, only the log tells.
    """

    def __init__(self, source: Source, on_error: str):
        check_choice(on_error, ON_ERROR, "config.data.on_error")
        self.source, self.on_error = source, on_error
        self.skipped: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Record | None:
        try:
            return self.source[index]
        except InputError as error:
            if self.on_error == "raise":
                raise InputError(
                    f"{error} config.data.on_error='skip' leaves such images out."
                ) from error
            self._skip(int(index), error)
            return None

    def _skip(self, index: int, error: InputError) -> None:
        # setdefault is atomic, so of two threads exactly one sees its own object.
        name = str(error)
        if self.skipped.setdefault(index, name) is name:
            logging.warning("Skipped image %d: %s", len(self.skipped), name)
        if len(self.skipped) == len(self):
            # Grain would look for a good one forever.
            raise InputError(f"{self.source.name}: all {len(self)} images are broken.")


class ChosenRecords:
    """Those of a source's records at some positions, in this order.

    Attributes:
        source: where they come from.
    """

    def __init__(self, records: Records, positions: np.ndarray):
        self.source, self._records, self._positions = records.source, records, positions

    @property
    def skipped(self) -> dict[int, str]:
        """As for all records; the keys are positions among all of them."""
        return self._records.skipped

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> Record | None:
        return self._records[int(self._positions[index])]
