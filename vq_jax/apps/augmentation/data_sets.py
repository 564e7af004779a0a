"""What a classifier may learn from, and what it is tested on, by the run of a prior."""

import dataclasses
from collections.abc import Iterator

from ml_collections import ConfigDict

from vq_jax.apps.augmentation.labelled_images import LabelledImages, read_split
from vq_jax.errors import InputError
from vq_jax.inference.load_prior import SavedPrior
from vq_jax.workdirs import checkpoint

MOST_COPIES = 0.01
"""Share of test images that may also be training images: data sets have a few."""


@dataclasses.dataclass(frozen=True)
class DataSets:
    """Real images of both kinds.

    Attributes:
        train: the images that prior and tokenizer were trained on.
        test: others.
        test_split: name of the split that these are.
        copies: how many of `test` are, pixel for pixel, in `train`.
    """

    train: LabelledImages
    test: LabelledImages
    test_split: str
    copies: int


def open_data_sets(saved: SavedPrior, test_split: str | None = None) -> DataSets:
    """The training split of a prior, and a test split.

    Args:
        saved: the prior.
        test_split: by default the one that its run evaluated on.

    Raises:
        InputError: the prior has no classes; its tokenizer, or a run that either began
            from, was trained on other images; a class has no image; or training images
            are test images.
    """
    data, num_classes = saved.config.data, saved.prior.num_classes
    test_split = data.eval_split if test_split is None else test_split
    if not num_classes:
        raise InputError(
            f"{saved.workdir} is the run of a prior without classes "
            "(config.prior.num_classes=0), whose images have no label to learn; train "
            "one with the classes of the data."
        )
    _check_trained_on_the_same(saved)
    if test_split == data.train_split:
        raise InputError(
            f"test_split={test_split!r} is what {saved.workdir} was trained on; name "
            "another one."
        )
    train = read_split(data, data.train_split, num_classes)
    missing = [k for k, n in enumerate(train.per_class(num_classes)) if not n]
    if missing:
        raise InputError(
            f"config.data.train_split={data.train_split!r} of {saved.workdir} has no "
            f"image of the classes {missing[:10]}; take more images."
        )
    test = read_split(data, test_split, num_classes)
    seen = {*train.contents}
    copies = sum(content in seen for content in test.contents)
    if copies > MOST_COPIES * len(test):
        raise InputError(
            f"test_split={test_split!r}: {copies} of its {len(test)} images are also "
            f"in {data.train_split!r}, which {saved.workdir} was trained on; name a "
            "split of other images."
        )
    return DataSets(train, test, test_split, copies)


def _check_trained_on_the_same(saved: SavedPrior) -> None:
    """No run that the prior stems from may know more images than the classifier."""
    data = saved.config.data
    for workdir, config in _origins(saved):
        for name in ("source", "train_split"):
            if config.data[name] != data[name]:
                raise InputError(
                    f"{workdir}, which the prior in {saved.workdir} stems from, was "
                    f"trained with config.data.{name}={config.data[name]!r}, and the "
                    f"prior with {data[name]!r}: the two would know other images than "
                    "the classifier that they are to help. Train both on one split."
                )


def _origins(saved: SavedPrior) -> Iterator[tuple[str, ConfigDict]]:
    """The tokenizer, and the runs that either began from, with their configurations."""
    yield str(saved.tokenizer.workdir), saved.tokenizer.config
    for config in (saved.config, saved.tokenizer.config):
        while config.init_from:
            workdir = config.init_from
            config, _ = checkpoint.load_config(workdir)
            yield workdir, config
