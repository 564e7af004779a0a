"""Images from TensorFlow Datasets (TFDS), read without TensorFlow."""

import difflib
import functools
import os

from etils import epath

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
        data_dir: Folder of the prepared data sets; "" is the default of TFDS.

    Raises:
        InputError: Unknown data set, configuration or split, no feature `image`, or not
            prepared; then the message has the command that prepares it.
    """

    def __init__(self, name: str, split: str, *, channels: int = 3, data_dir: str = ""):
        arguments = {"channels": channels, "data_dir": data_dir}
        self._reopen = functools.partial(TfdsSource, name, split, **arguments)
        self.name, self.split, self.channels = f"tfds:{name}", split, channels
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

    def __reduce__(self):
        # Open files cannot be sent to a worker process, which opens its own.
        return self._reopen, ()

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        record = self._records[index]
        name = f"{self.name}/{self.split}[{index}]"
        image = decode_image(record["image"], channels=self.channels, name=name)
        label = int(record["label"]) if self._has_label else -1
        return Record(image=image, label=label, name=name)


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

    if (epath.Path(name).expanduser() / "dataset_info.json").exists():
        return tfds.builder_from_directory(epath.Path(name).expanduser())
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
