"""Images from TensorFlow Datasets (TFDS), read without TensorFlow."""

import difflib
import functools
import os

from etils import epath

from vq_jax.data import reading
from vq_jax.data.decode import decode_image
from vq_jax.data.sources.base import Record
from vq_jax.errors import InputError


class TfdsSource:
    """The images of a TFDS data set that is prepared as ArrayRecord, with their labels.

    These are its features `image` and, if there is one, `label`. Preparing needs
    TensorFlow (`pip install 'vq_jax[tfds]'`); reading does not import it even if it is
    installed. Images are decoded by `data/decode.py`, as all others, and not by TFDS.

    Args:
        name: NAME or NAME/CONFIG[:VERSION], or the folder with `dataset_info.json`.
        split: A split, or a slice such as "train[:10%]".
        channels: 1 or 3.
        white_point: Of deep grey images, see `decode.decode_image`.
        data_dir: Folder of the prepared data sets; "" is the default of TFDS.

    Raises:
        InputError: Unknown data set, configuration or split, no feature `image`, or not
            prepared; then the message has the command that prepares it.
    """

    def __init__(
        self,
        name: str,
        split: str,
        *,
        channels: int = 3,
        white_point: float = 0.0,
        data_dir: str = "",
    ):
        decoding = {"channels": channels, "white_point": white_point}
        self._reopen = functools.partial(
            TfdsSource, name, split, data_dir=data_dir, **decoding
        )
        self._decode = functools.partial(decode_image, **decoding)
        self.name, self.split = f"tfds:{name}", split
        builder = _open_builder(name, data_dir)
        features = [*(builder.info.features or {})]
        if "image" not in features:
            raise InputError(f"{self.name} has no feature 'image'; it has {features}.")
        self._records = _open_records(builder, name, split)
        self._has_label = "label" in features
        label = builder.info.features["label"] if self._has_label else None
        self.classes = list(getattr(label, "names", None) or ())
        version = builder.info.full_name
        self.description = f"{self.name}/{split}: {len(self)} images of {version}"
        self.fingerprint = self.description

    def __reduce__(self):
        # Open files cannot be sent to a worker process, which opens its own.
        return self._reopen, ()

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        name = f"{self.name}/{self.split}[{index}]"
        record = self._read(index, name)
        image = self._decode(record["image"], name=name)
        return Record(image=image, label=self._label(record), name=name)

    def label(self, index: int) -> int:
        name = f"{self.name}/{self.split}[{index}]"
        return self._label(self._read(index, name))

    def _label(self, record: dict) -> int:
        return int(record["label"]) if self._has_label else -1

    def _read(self, index: int, name: str) -> dict:
        try:
            record = self._records[index]
        except (OSError, RuntimeError) as error:
            raise InputError(_unreadable(name, error)) from error
        # Of a file that is cut short, the records that it lacks are empty.
        if not record["image"]:
            raise InputError(_unreadable(name, "its file is too short"))
        return record


def _unreadable(name: str, reason: object) -> str:
    return f"{name} can't be read ({reason}); look at its disk, or prepare it again."


def prepare_command(name: str, data_dir: str = "") -> str:
    """The shell command that downloads a data set and writes it as ArrayRecord.

    It does not use `tfds build`, which imports a package that nothing installs,
    apache_beam.
    """
    place = f", data_dir='{data_dir}'" if data_dir else ""
    return (
        "pip install 'vq_jax[tfds]' && python -c \"import tensorflow_datasets as tfds;"
        f" tfds.builder('{name}'{place}, file_format='array_record')"
        '.download_and_prepare()"'
    )


def _open_builder(name: str, data_dir: str):
    import tensorflow_datasets as tfds

    folder = reading.open_folder(name)
    if (folder / "dataset_info.json").exists():
        return _open_folder(folder)
    if name.startswith(("/", ".", "~")) or "://" in name:
        raise InputError(
            f"config.data.source='tfds:{name}': the folder has no dataset_info.json;"
            " give the one that is named after the version, such as …/cifar10/3.0.2."
        )
    try:
        builder = tfds.builder(name, data_dir=os.path.expanduser(data_dir) or None)
    except tfds.core.registered.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        close = difflib.get_close_matches(name.split("/")[0], known, n=5, cutoff=0.5)
        raise InputError(
            f"config.data.source='tfds:{name}' is neither among the {len(known)} data"
            f" sets of tensorflow-datasets nor in data_dir={data_dir!r}; similar names:"
            f" {close}."
        ) from None
    except ImportError as error:
        raise InputError(
            f"config.data.source='tfds:{name}': the code of this data set does not load"
            f" without {error.name or 'TensorFlow'}. Give its prepared folder, which is"
            " read without that code: tfds:FOLDER, with dataset_info.json in FOLDER."
            f" To prepare it: {prepare_command(name, data_dir)}"
        ) from error
    except ValueError as error:
        raise InputError(f"config.data.source='tfds:{name}': {error}") from error
    if not builder.is_prepared():
        raise InputError(
            f"config.data.source='tfds:{name}' is not prepared in {builder.data_path}."
            f" Prepare it with: {prepare_command(name, data_dir)}"
        )
    return builder


def _open_folder(folder: epath.Path):
    import tensorflow_datasets as tfds

    try:
        return tfds.builder_from_directory(folder)
    except Exception as error:  # those of json, of protobuf, and any of TFDS
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"config.data.source='tfds:{folder}': dataset_info.json or features.json is"
            f" damaged ({reason}); prepare it again."
        ) from error


def _open_records(builder, name: str, split: str):
    import tensorflow_datasets as tfds

    decoders = {"image": tfds.decode.SkipDecoding()}
    try:
        return builder.as_data_source(split, decoders=decoders)
    except NotImplementedError:
        raise InputError(
            f"config.data.source='tfds:{name}' is prepared as"
            f" {builder.info.file_format.value}, which has no random access. Prepare it"
            " in another folder and set config.data.data_dir to that:"
            f" {prepare_command(name, 'NEW_FOLDER')}"
        ) from None
    except ValueError as error:
        raise InputError(
            f"config.data.source='tfds:{name}' has no split {split!r}; choose from"
            f" {[*builder.info.splits]} or a slice such as 'train[:10%]'."
        ) from error
