"""What an augmentation experiment leaves: numbers as JSON, a table, a picture."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from etils import epath
from jaxtyping import UInt8

import vq_jax
from vq_jax.apps.augmentation import summary, transforms
from vq_jax.apps.augmentation.experiment import Experiment
from vq_jax.apps.augmentation.summary import ArmSummary
from vq_jax.evaluation import pictures
from vq_jax.inference.load_prior import SavedPrior
from vq_jax.inference.settings import settings_card
from vq_jax.workdirs import files

JSON, TABLE, PICTURE = "augmentation.json", "augmentation.md", "images.png"
HEADINGS = ("trained on", "images", "accuracy, %", "gain, points", "")
MAX_COLUMNS = 16


@dataclasses.dataclass(frozen=True)
class Finished:
    """All seeds of an experiment, and the prior that it was of.

    Attributes:
        saved: the prior.
        experiment: what was done with it.
        arms: what came of it.
    """

    saved: SavedPrior
    experiment: Experiment
    arms: Sequence[ArmSummary]

    @property
    def title(self) -> str:
        """Which real images, in a few words."""
        count = len(self.experiment.data_sets.train)
        data = self.saved.config.data
        return f"{count:,} real images, {data.source}/{data.train_split}"

    def rows(self) -> list[list[str]]:
        """One row an arm, below HEADINGS."""
        return [
            [
                arm.name,
                f"{arm.num_images:,}",
                summary.percent(arm.accuracy),
                "" if arm.gain is None else summary.points(arm.gain),
                arm.verdict,
            ]
            for arm in self.arms
        ]

    def as_json(self) -> dict:
        """The numbers, and how they were made."""
        saved, experiment = self.saved, self.experiment
        sets, num_classes = experiment.data_sets, saved.prior.num_classes
        return {
            **saved.card(),
            "source": saved.config.data.source,
            "train_split": saved.config.data.train_split,
            "images_per_class": sets.train.per_class(num_classes),
            "test_split": sets.test_split,
            "num_test_images": len(sets.test),
            "test_images_also_in_training": sets.copies,
            "sampling": settings_card(experiment.sampler, **experiment.sampling),
            "arms": [arm.as_json() for arm in self.arms],
            "verdict": summary.verdict(self.arms),
        }


def card(finished: Finished) -> dict:
    """What this experiment has in common with the others of a command."""
    experiment = finished.experiment
    return {
        "vq_jax": vq_jax.__version__,
        "seed": experiment.seed,
        "num_seeds": len(finished.arms[0].accuracies),
        "num_steps": experiment.num_steps,
        "batch_size": experiment.batch_size,
        "learning_rate": experiment.learning_rate,
        "channels": experiment.channels,
        "generated_per_real": experiment.generated_per_real,
        "flips_and_crops": {"padding": f"side // {transforms.PADDING}"},
        "rand_augment": {
            "operations": [*transforms.OPERATIONS],
            "num_operations": transforms.NUM_OPERATIONS,
            "magnitude": transforms.MAGNITUDE,
            "max_magnitude": transforms.MAX_MAGNITUDE,
        },
        "intervals": "95 %, Student's t over the seeds; gains are paired by seed",
    }


def write(folder: epath.Path, finished: Sequence[Finished]) -> None:
    """Writes the folder, whole or not at all; see `files.whole_folder`."""
    content = card(finished[0])
    content["experiments"] = [each.as_json() for each in finished]
    picture = pictures.stack([examples(each.experiment) for each in finished])
    with files.whole_folder(folder) as draft:
        files.write_json(draft / JSON, content)
        files.replace_text(draft / TABLE, _markdown(content, finished))
        pictures.write_png(draft / PICTURE, picture)


def _markdown(content: dict, finished: Sequence[Finished]) -> str:
    lines = [
        "Accuracy of a small classifier on real test images, mean over "
        f"{content['num_seeds']} seeds with its 95 % interval (Student's t); the gain "
        "over real images alone is the mean of differences seed by seed. Each "
        f"classifier had {content['num_steps']:,} steps of {content['batch_size']} "
        f"images; for each real image {content['generated_per_real']} of its class "
        f"were generated. Seed {content['seed']}.",
    ]
    for each in finished:
        of = each.as_json()
        lines += [
            "",
            f"## {each.title}",
            "",
            f"Tested on {of['num_test_images']:,} images of {of['test_split']}. Prior "
            f"{of['digest'][:12]} at step {of['step']}, tokenizer "
            f"{of['tokenizer']['digest'][:12]} at step {of['tokenizer']['step']}.",
            "",
            f"| {' | '.join(HEADINGS)} |",
            "|---|---:|---:|---:|---|",
            *(f"| {' | '.join(row)} |" for row in each.rows()),
            "",
            of["verdict"],
        ]
    return "\n".join(lines) + "\n"


def examples(experiment: Experiment) -> UInt8[np.ndarray, "height width 3"]:
    """A column for each of the first classes: its first real image, that through the
    tokenizer, one of the prior, and one of each classical augmentation."""
    train = experiment.data_sets.train
    count = min(experiment.sampler.prior.num_classes, MAX_COLUMNS)
    rows = np.array([np.argmax(train.labels == label) for label in range(count)])
    rng = np.random.default_rng(experiment.stream_seed(0, "examples"))
    real = train.images[rows]
    changed = [
        np.stack([change(image, rng) for image in real])
        for change in (transforms.flip_and_crop, transforms.rand_augment)
    ]
    return pictures.comparison_grid(
        real,
        experiment.reconstructed.images[rows],
        experiment.generated(0, train.labels[rows]).images,
        *changed,
        columns=count,
    )
