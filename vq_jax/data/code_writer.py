"""Writes the codes of a data set, shard by shard, by one process or by many.

A folder holds `begun.json`, the settings, from the beginning to the end of the writing,
and then `codes.json`, the card: the settings, the numbers of images and of shards, and
messages about images that were left out.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence

from etils import epath

from vq_jax.data.code_shards import EncodedImage, Shard, write_shard
from vq_jax.data.codes import CARD, read_card, shard_folder
from vq_jax.errors import InputError

BEGUN = "begun.json"
COUNTS = ("num_images", "num_shards", "skipped")  # of a card, not of settings
# Two names of a folder are the same folder; what counts of a tokenizer is its digest.
NAMES = ("workdir",)
POLL_SECONDS = 0.2


class CodeWriter:
    """The codes of a data set on their way to a folder.

    Shards are of as many records each; what a shard holds depends on its number only.
    So any processes can write any of them, and one that was killed leaves those that it
    had finished: the others are `missing`. Processes share the folder and nothing else.

    Attributes:
        num_shards: number of shards.

    Args:
        path: the folder.
        settings: what the codes depend on: "codebook_size", "classes", "num_views",
            "num_records" and "shard_size" (in records), and whatever else the card is
            to say.
        process_index: in [0, process_count).
        process_count: number of processes that write.

    Raises:
        InputError: the folder was begun with other settings, or cannot be written to.
    """

    def __init__(
        self,
        path: epath.PathLike,
        settings: Mapping,
        *,
        process_index: int = 0,
        process_count: int = 1,
    ):
        self._path = epath.Path(path)
        self._settings = json.loads(json.dumps(settings))
        self._index, self._count = process_index, process_count
        records, size = settings["num_records"], settings["shard_size"]
        self.num_shards = -(-records // size)
        self._begin()

    def missing(self) -> list[int]:
        """Numbers of the shards that this process has yet to write."""
        own = range(self._index, self.num_shards, self._count)
        return [number for number in own if not self._has(number)]

    def records(self, number: int) -> range:
        """Indices of the records of a shard."""
        size = self._settings["shard_size"]
        return range(self._settings["num_records"])[number * size :][:size]

    def write(
        self, number: int, images: Sequence[EncodedImage], skipped: Sequence[str] = ()
    ) -> None:
        """Writes a shard.

        Args:
            number: of the shard.
            images: every view of its images, in order.
            skipped: messages about images that are left out.

        Raises:
            InputError: it cannot be written.
        """
        try:
            write_shard(
                shard_folder(self._path, number),
                images,
                codebook_size=self._settings["codebook_size"],
                classes=self._settings["classes"],
                skipped=skipped,
            )
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def finish(self) -> None:
        """Writes the card, the first process, when all shards are there.

        All processes wait for that.

        Raises:
            InputError: every image was left out, or the card cannot be written.
        """
        card = self._path / CARD
        if self._index:
            _wait(card.exists)
            return
        numbers = range(self.num_shards)
        for number in numbers:
            _wait(lambda number=number: self._has(number))
        shards = [Shard(shard_folder(self._path, number)) for number in numbers]
        rows = sum(map(len, shards))
        if not rows:
            raise InputError(f"no images to tokenize into {self._path}.")
        counts = {
            "num_images": rows // self._settings["num_views"],
            "num_shards": self.num_shards,
            "skipped": [message for shard in shards for message in shard.skipped()],
        }
        self._replace(card, {**self._settings, **counts})
        (self._path / BEGUN).unlink(missing_ok=True)

    def _begin(self) -> None:
        # Where nothing is written yet, other settings may take the place of these.
        if self._index:
            _wait(lambda: self._has_any() or self._agrees(self._begun()))
        elif not self._has_any():
            self._replace(self._path / BEGUN, self._settings)
        begun = self._begun()
        _check_same(self._path, begun, self._settings)
        self._settings = begun

    def _agrees(self, begun: dict) -> bool:
        return not _differences(begun, self._settings)

    def _has_any(self) -> bool:
        finished = (self._path / CARD).exists()
        return finished or any(self._path.glob("shard-*"))

    def _begun(self) -> dict:
        """The settings that the folder was begun with; none of an empty one."""
        begun = self._path / BEGUN
        if (self._path / CARD).exists():
            card = read_card(self._path)
            return {name: card[name] for name in card if name not in COUNTS}
        try:
            return json.loads(begun.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise InputError(
                f"{begun} is damaged ({error}); delete the folder and start again."
            ) from error

    def _has(self, number: int) -> bool:
        """Whether there is a shard, and whole."""
        folder = shard_folder(self._path, number)
        if not folder.exists():
            return False
        try:
            Shard(folder)
        except InputError:
            return False
        return True

    def _replace(self, path: epath.Path, content: dict) -> None:
        draft = path.with_name(f".{path.name}.draft")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(content, indent=2) + "\n")
            draft.replace(path)
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _check_same(path: epath.Path, begun: dict, settings: dict) -> None:
    """Raises InputError where a folder was begun with other settings."""
    if "shard_size" not in begun:
        raise InputError(
            f"{path} holds codes of an earlier version; choose another --out, or "
            "delete that folder."
        )
    names = _differences(begun, settings)
    if names:
        differences = ", ".join(
            f"{name}={_short(begun.get(name))} (now {_short(settings.get(name))})"
            for name in names
        )
        raise InputError(
            f"{path} holds codes, finished or not, that were begun with {differences}; "
            "give the same again, choose another --out, or delete that folder."
        )


def _differences(begun: dict, settings: dict) -> list[str]:
    """Names of the settings that differ, but for what are names themselves."""
    return [
        name
        for name in {**begun, **settings}
        if name not in NAMES and begun.get(name) != settings.get(name)
    ]


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _unwritable(path: epath.Path, error: OSError) -> InputError:
    return InputError(
        f"codes cannot be written to {path} ({error.strerror or error}); mend that and "
        "start the same command again: it goes on with the shards that are missing."
    )


def _wait(condition: Callable[[], bool]) -> None:
    # Through the folder: all that writers need is that they share it.
    while not condition():
        time.sleep(POLL_SECONDS)
