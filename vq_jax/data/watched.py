"""Batches whose saved position knows which records it is a position in."""

from typing import Any

import grain
from absl import logging

KEY = "records"


class WatchedIterator(grain.DatasetIterator):
    """An iterator that warns when its state is set on other records than it was of.

    A state counts records. When files are added to a folder, or taken away, the same
    count stands for other images: the run goes on, and says so.
    """

    def __init__(self, batches: grain.DatasetIterator, fingerprint: str, name: str):
        super().__init__(batches)
        self._batches, self._fingerprint, self._name = batches, fingerprint, name
        self._may_be_divided = name.startswith("folder:") and not name.endswith("/all")

    def __next__(self) -> Any:
        return next(self._batches)

    def get_state(self) -> dict[str, Any]:
        return {**self._batches.get_state(), KEY: self._fingerprint}

    def set_state(self, state: dict[str, Any]) -> None:
        position = {key: value for key, value in state.items() if key != KEY}
        found = state.get(KEY)
        if found is None and self._may_be_divided:
            logging.warning(
                "%s: the checkpoint is of a version that divided a folder without split"
                " folders otherwise, so images that it held out may be trained on now."
                " Folders called train and test avoid that.",
                self._name,
            )
        elif found not in (None, self._fingerprint):
            logging.warning(
                "%s has changed since the checkpoint: then %s, now %s. Training goes on"
                " with what is there, in another order; of this epoch some images come"
                " twice and others not at all.",
                self._name,
                found,
                self._fingerprint,
            )
        self._batches.set_state(position)
