"""Classes that are left out are in no split, and the others are as before."""

import pathlib
import pickle

import numpy as np
import pytest
from PIL import Image

from vq_jax import InputError
from vq_jax.data import pipeline
from vq_jax.data.sources import exclusion, open_source
from vq_jax.data.sources.folder import FolderSource


@pytest.fixture
def source(tmp_path):
    """Three images of each of three classes, whose pixels are 10 label + number."""
    for label, name in enumerate(("boot", "coat", "shirt")):
        for split in ("train", "test"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(3):
                pixels = np.full((8, 8, 3), 10 * label + number, np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return f"folder:{tmp_path}"


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_images_keep_their_labels_and_their_order(source, data_config, split):
    config = data_config(source=source, exclude_labels=(1,))
    records = pickle.loads(pickle.dumps(pipeline.open_records(config, split)))
    found = [(record["label"], int(record["image"][0, 0, 0])) for record in records]
    assert found == [(0, 0), (0, 1), (0, 2), (2, 20), (2, 21), (2, 22)]
    labels = [records.source.label(index) for index in range(6)]
    assert labels == [0, 0, 0, 2, 2, 2]
    assert [*records.source.classes] == ["boot", "coat", "shirt"]


def test_batches_of_training_never_have_it(source, data_config):
    config = data_config(source=source, exclude_labels=(0, 2))
    batches = pipeline.train_batches(config, seed=0, batch_size=4)
    assert {int(label) for _ in range(6) for label in next(batches)["label"]} == {1}


def test_other_classes_are_other_records(source, data_config):
    prints = [
        pipeline.open_records(
            data_config(source=source, exclude_labels=labels), "train"
        ).source.fingerprint
        for labels in ((), (0,), (1,), (0, 1))
    ]
    assert len(set(prints)) == 4
    whole = open_source(source, "train", image_size=8)
    assert prints[0] == whole.fingerprint


@pytest.mark.parametrize(
    ("given", "labels", "text"),
    [
        ("photos", (0,), r"exclude_labels=\(0,\): photos has no labels"),
        (None, (3,), r"exclude_labels=\(3,\).*has labels 0 to 2"),
        (None, (-1,), r"exclude_labels=-1 must be in \[0, "),
        (None, (0, 1, 2), "leaves no image.*exclude fewer"),
        (None, ("coat",), "exclude_labels='coat' must be an int"),
    ],
)
def test_what_cannot_be_left_out_is_one_error(source, data_config, given, labels, text):
    config = data_config(source=given or source)
    config.exclude_labels = labels
    with pytest.raises(InputError, match=text):
        pipeline.open_records(config, "train")


def test_labels_are_read_once_for_the_same_records(source, data_config, monkeypatch):
    monkeypatch.setattr(exclusion, "_kept", {})
    read, label = [], FolderSource.label

    def counted(self, index):
        read.append(index)
        return label(self, index)

    monkeypatch.setattr(FolderSource, "label", counted)
    wanted = {(1,): [0, 2], (2, 0): [1], (0, 2): [1]}
    for labels, total in ((1,), 9), ((1,), 9), ((2, 0), 18), ((0, 2), 18):
        config = data_config(source=source, exclude_labels=labels)
        records = pipeline.open_records(config, "train")
        assert len(read) == total
        kept = records.source.positions.tolist()
        found = {label(records.source.source, index) for index in kept}
        assert sorted(found) == wanted[labels]
    (pathlib.Path(source.removeprefix("folder:")) / "train/boot/0.png").unlink()
    assert len(pipeline.open_records(config, "train")) == 3
    assert len(read) == 18 + 8
