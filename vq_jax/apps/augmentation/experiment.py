"""Classifiers trained on real, reconstructed, generated and augmented images alike."""

import dataclasses
import functools
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from vq_jax.apps.augmentation import transforms
from vq_jax.apps.augmentation.data_sets import DataSets
from vq_jax.apps.augmentation.labelled_images import LabelledImages
from vq_jax.evaluation import classifier
from vq_jax.evaluation.classifier import Classifier
from vq_jax.inference.sampler import Sampler

REAL, RECONSTRUCTED, GENERATED = "real", "reconstructed", "generated"


class Arm(NamedTuple):
    """One way to train the classifier.

    Attributes:
        name: what the table calls it.
        kinds: the sets of images that batches are drawn from, all together.
        change: of an image, whenever it is drawn: (image, generator) -> image.
    """

    name: str
    kinds: tuple[str, ...]
    change: Callable | None = None


ARMS = (
    Arm("real", (REAL,)),
    Arm("reconstructed", (RECONSTRUCTED,)),
    Arm("generated", (GENERATED,)),
    Arm("real + reconstructed", (REAL, RECONSTRUCTED)),
    Arm("real + generated", (REAL, GENERATED)),
    Arm("real, flips and crops", (REAL,), transforms.flip_and_crop),
    Arm("real, RandAugment", (REAL,), transforms.rand_augment),
)
BASELINE = "real"


class Trained(NamedTuple):
    """What came of one classifier."""

    arm: str
    num_images: int  # that its batches were drawn from
    accuracy: float  # on test images


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """Classifiers of all ARMS, with as many steps of as many images.

    Repetition `number` decides the classifier's first parameters, the order of the
    images, their changes, and which images are generated. All arms of a repetition
    begin with the same parameters. All is the same for the same seed. No number is
    chosen by test images, which are looked at once a classifier, after its last step.

    Attributes:
        sampler: the prior and its tokenizer.
        data_sets: the real images.
        num_steps: of each training.
        batch_size: images of a step.
        learning_rate: the highest of AdamW.
        channels: of the classifier's convolutions; the layer behind has twice as many
            as the last of them.
        generated_per_real: for each real image so many of its class are generated.
        seed: of everything, in [0, 2**32).
        sampling: settings that differ from those of the prior's run.
    """

    sampler: Sampler
    data_sets: DataSets
    num_steps: int
    batch_size: int
    learning_rate: float
    channels: tuple[int, ...] = (16, 32, 64)
    generated_per_real: int = 1
    seed: int = 0
    sampling: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def repetition(self, number: int) -> Iterator[Trained]:
        """One classifier an arm, in the order of ARMS."""
        sets = {
            REAL: self.data_sets.train,
            RECONSTRUCTED: self.reconstructed,
            GENERATED: self.generated(number),
        }
        num_classes, hidden = self.sampler.prior.num_classes, 2 * self.channels[-1]
        model = Classifier(num_classes, self.channels, hidden)
        for arm in ARMS:
            pool = functools.reduce(lambda a, b: a + b, map(sets.get, arm.kinds))
            variables = classifier.train(
                model,
                self._batches(pool, arm.change, number),
                num_steps=self.num_steps,
                learning_rate=self.learning_rate,
                seed=self.stream_seed(number, "parameters"),
            )
            test = self.data_sets.test
            accuracy = classifier.accuracy(model, variables, test.images, test.labels)
            yield Trained(arm.name, len(pool), accuracy)

    @functools.cached_property
    def reconstructed(self) -> LabelledImages:
        """The real training images through the tokenizer."""
        train = self.data_sets.train
        images = self.sampler.tokenizer.reconstruct(train.images)
        return LabelledImages(images, train.labels)

    def generated(
        self, number: int, labels: Int[np.ndarray, "n"] | None = None
    ) -> LabelledImages:
        """Images of the prior, one of each label; by default of each class as many as
        there are real ones, or `generated_per_real` times as many (CAS, Ravuri and
        Vinyals, 1905.10887). An image depends on its place and its own label alone."""
        if labels is None:
            labels = np.tile(self.data_sets.train.labels, self.generated_per_real)
        seed = self.stream_seed(number, "generated")
        images = self.sampler.sample(len(labels), labels, seed, **self.sampling)
        return LabelledImages(images, labels)

    def _batches(self, pool: LabelledImages, change, number: int) -> Iterator[dict]:
        """`num_steps` batches; each image once before any comes again."""
        order = np.random.default_rng(self.stream_seed(number, "order"))
        draws = np.random.default_rng(self.stream_seed(number, "changes"))
        left = np.zeros(0, np.int64)
        for _ in range(self.num_steps):
            while len(left) < self.batch_size:
                left = np.concatenate([left, order.permutation(len(pool))])
            rows, left = left[: self.batch_size], left[self.batch_size :]
            images = pool.images[rows]
            if change is not None:
                images = np.stack([change(image, draws) for image in images])
            yield {"image": images, "label": pool.labels[rows]}

    def stream_seed(self, number: int, stream: str) -> int:
        """The seed of a repetition's draws of one kind, which has this name."""
        words = [self.seed, number, zlib.crc32(stream.encode())]
        return int(np.random.SeedSequence(words).generate_state(1)[0])
