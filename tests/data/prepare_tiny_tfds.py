"""Prepares a tiny TFDS data set in ArrayRecord form: `prepare_tiny_tfds.py DIR`.

Writing image features needs TensorFlow (`pip install 'vq_jax[tfds]'`); reading them
does not. `test_tfds.py` therefore writes its records by hand, and this script makes the
real thing wherever TensorFlow is installed.
"""

import argparse

import numpy as np
import tensorflow_datasets as tfds

SIZE, CLASSES = 32, ("cold", "warm")
NUM_IMAGES = {"train": 48, "test": 16}


class TinyImages(tfds.core.GeneratorBasedBuilder):
    """64 images of 32 x 32 pixels in two classes that differ in colour."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(SIZE, SIZE, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=CLASSES),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Gradients with noise, made for tests.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        del dl_manager
        return {split: self._generate_examples(split) for split in NUM_IMAGES}

    def _generate_examples(self, split: str):
        rng = np.random.default_rng(len(split))
        for index in range(NUM_IMAGES[split]):
            label = index % len(CLASSES)
            image = rng.integers(0, 64, (SIZE, SIZE, 3), dtype=np.uint8)
            image[..., 2 * (1 - label)] += np.arange(SIZE, dtype=np.uint8) * 4
            yield index, {"image": image, "label": label}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", help="where `tiny_images/1.0.0` is written")
    data_dir = parser.parse_args().data_dir
    builder = TinyImages(data_dir=data_dir, file_format="array_record")
    builder.download_and_prepare()


if __name__ == "__main__":
    main()
