"""Sources of images, by name: `photos`, `tfds:NAME`, `folder:PATH`, `idx:DIR`."""

from vq_jax.data.sources.base import Record, Source
from vq_jax.data.sources.folder import FolderSource
from vq_jax.data.sources.idx import IdxSource
from vq_jax.data.sources.photos import PhotosSource
from vq_jax.data.sources.tfds import TfdsSource
from vq_jax.errors import InputError

__all__ = ["SOURCES", "Record", "Source", "open_source"]

SOURCES = {
    "photos": lambda arg, split, **opts: PhotosSource(
        split, opts["image_size"], random_crops=opts["random_crops"]
    ),
    "tfds": lambda arg, split, **opts: TfdsSource(
        arg,
        split,
        channels=opts["channels"],
        white_point=opts["white_point"],
        data_dir=opts["data_dir"],
    ),
    "folder": lambda arg, split, **opts: FolderSource(
        arg,
        split,
        channels=opts["channels"],
        white_point=opts["white_point"],
        skip_unreadable=opts["skip_unreadable"],
    ),
    "idx": lambda arg, split, **opts: IdxSource(arg, split),
}

FORMS = ["photos", "tfds:NAME[/CONFIG]", "folder:PATH", "idx:DIR"]


def open_source(
    spec: str,
    split: str,
    *,
    image_size: int,
    channels: int = 3,
    white_point: float = 0.0,
    data_dir: str = "",
    skip_unreadable: bool = False,
    random_crops: bool = False,
) -> Source:
    """Opens the source that `spec` names, and checks that its data are there.

    Args:
        spec: One of `FORMS`.
        split: A split of the source, such as "train" or "test".
        image_size: Side of the crops; `photos` cuts its test tiles to it.
        channels: 1 or 3, for sources that decode files.
        white_point: Of deep grey images in files, see `decode.decode_image`.
        data_dir: Root of TFDS data sets; "" is the default of TFDS.
        skip_unreadable: Whether `folder` leaves out folders that can't be read.
        random_crops: Whether records will be cropped at random, as in training;
            `photos` then has whole photographs as records.

    Raises:
        InputError: Unknown source or split, or data that are not there.
    """
    kind, _, argument = spec.partition(":")
    # `photos` takes no argument, the others need one.
    if kind not in SOURCES or (kind == "photos") == bool(argument):
        raise InputError(
            f"config.data.source={spec!r} is unknown; choose from {FORMS}."
        )
    return SOURCES[kind](
        argument,
        split,
        image_size=image_size,
        channels=channels,
        white_point=white_point,
        data_dir=data_dir,
        skip_unreadable=skip_unreadable,
        random_crops=random_crops,
    )
