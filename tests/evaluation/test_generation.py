"""Distances of sets of images: each image once, equal numbers, whatever the batch."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.evaluation import feature_nets
from vq_jax.evaluation.feature_nets import FEATURE_NETS, FeatureNet
from vq_jax.evaluation.generation import Generation
from vq_jax.evaluation.image_batches import ImageBatches
from vq_jax.inference.labels import balanced_labels
from vq_jax.metrics.frechet import frechet_distance
from vq_jax.models.priors.base import NO_CLASS
from vq_jax.pretrained.nets import Net


def quarters(params, images):
    """Means of the 16 squares of 8 x 8 pixels of an image, of one channel."""
    means = images[..., 0].reshape(len(images), 4, 8, 4, 8).mean(axis=(2, 4))
    return params["scale"] * means.reshape(len(images), 16)


@pytest.fixture
def judged(monkeypatch):
    """Means of squares in the place of Lite0."""
    net = Net(dict, lambda: {"scale": jnp.float32(2.0)})
    monkeypatch.setitem(FEATURE_NETS, "lite0", FeatureNet(net, quarters))


def report(tiny_prior, *, subject_fields=None, **fields):
    subject, variables, nets = tiny_prior(num_classes=2)
    subject = dataclasses.replace(subject, **(subject_fields or {}))
    evaluation = Generation(
        subject=subject, where="here", feature_size=32, **{"batch_size": 8, **fields}
    )
    loaded = {
        name: net.load() for name, net in evaluation.nets.items() if name[0] == "f"
    }
    return evaluation(variables, {**nets, **loaded}).metrics


def test_the_size_of_a_batch_changes_nothing(judged, tiny_prior):
    whole, *others = (report(tiny_prior, batch_size=size) for size in (24, 8, 16))
    assert whole["num_generated"] == 20
    for other in others:
        assert other.keys() == whole.keys()
        for name, value in whole.items():
            np.testing.assert_allclose(other[name], value, rtol=1e-4, err_msg=name)


def test_it_is_the_distance_of_samples_from_real_images(judged, tiny_prior):
    subject, variables, nets = tiny_prior(num_classes=2)
    images = ImageBatches(subject, 8, 0)
    everything = subject.variables(variables, nets)

    def features(batches):
        rows = []
        for batch in batches:
            small = feature_nets.prepared(jnp.asarray(batch["image"]), 32)
            found = np.asarray(quarters({"scale": 2.0}, small))
            rows.append(found[np.asarray(batch["mask"]) > 0])
        return np.concatenate(rows)

    samples = features(images.samples(everything, balanced_labels(20, 2)))
    real = features(images.real("test"))
    assert len(samples) == len(real) == 20
    found = report(tiny_prior)
    wanted = frechet_distance(samples, real)[0]
    np.testing.assert_allclose(found["frechet_lite0_32"], wanted, rtol=1e-5)
    assert found["frechet_lite0_32_low"] < wanted < found["frechet_lite0_32_high"]


def test_images_are_no_floor_of_themselves(judged, tiny_prior):
    found = report(tiny_prior, subject_fields={"split": "train"}, num_images=30)
    assert found["num_generated"] == 30
    assert not any(name.endswith("_floor") for name in found)
    assert found["frechet_lite0_32"] > 0.1
    assert found["frechet_lite0_32_ceiling"] > 0.1


def test_the_seed_decides(judged, tiny_prior):
    first, again, other = (report(tiny_prior, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first["frechet_lite0_32"] != other["frechet_lite0_32"]


def test_without_networks_there_is_nothing_to_load_and_to_report(tiny_prior):
    assert report(tiny_prior, features=()) == {}


def test_the_pretrained_networks_are_loaded_apart_from_those_of_lpips(tiny_prior):
    subject, *_ = tiny_prior()
    evaluation = Generation(subject=subject, where="x", features=("alexnet", "lite0"))
    assert set(evaluation.nets) == {"tokenizer", "features_alexnet", "features_lite0"}


def test_a_size_too_small_to_see_is_an_error(tiny_prior):
    subject, *_ = tiny_prior()
    with pytest.raises(InputError, match=r"x.feature_size=16 .* give 32 or more"):
        Generation(subject=subject, where="x", feature_size=16)


def test_samples_do_not_depend_on_the_batch_and_follow_their_label(tiny_prior):
    subject, variables, nets = tiny_prior(num_classes=2)
    everything = subject.variables(variables, nets)
    labels = balanced_labels(10, 2)

    def drawn(size, labels):
        batches = list(ImageBatches(subject, size, 3).samples(everything, labels))
        return np.concatenate([batch["image"] for batch in batches])[: len(labels)]

    first = drawn(16, labels)
    np.testing.assert_array_equal(drawn(8, labels), first)
    swapped = drawn(8, np.where(np.arange(10) == 4, 1, labels))
    changed = [i for i in range(10) if (swapped[i] != first[i]).any()]
    assert changed == [4]


def test_labels_are_balanced():
    np.testing.assert_array_equal(np.bincount(balanced_labels(30, 10)), [3] * 10)
    assert set(balanced_labels(5, 0)) == {NO_CLASS}


def test_real_images_are_chosen_from_the_whole_split_and_once(tiny_prior):
    subject, *_ = tiny_prior()
    batches = list(ImageBatches(subject, 8, 0).real("train", 12))
    assert [float(batch["mask"].sum()) for batch in batches] == [8.0, 4.0]
    chosen = np.concatenate([batch["image"] for batch in batches])[:12]
    whole = list(ImageBatches(subject, 8, 0).real("train"))
    everything = np.concatenate([batch["image"] for batch in whole])[:50]
    rows = [
        int(np.flatnonzero((everything == image).all(axis=(1, 2, 3)))[0])
        for image in chosen
    ]
    assert len(set(rows)) == 12
    assert max(rows) > 25  # and not the first twelve


def test_grey_images_are_judged_as_rgb_of_the_size():
    grey = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    found = feature_nets.prepared(jnp.asarray(grey), 64)
    assert found.shape == (2, 64, 64, 3)
    # Processors may round one channel of three another way.
    np.testing.assert_allclose(found[..., 0], found[..., 2], atol=1e-6)
    same = feature_nets.prepared(jnp.asarray(grey), 28)
    np.testing.assert_allclose(same[..., :1], grey / 127.5 - 1.0, atol=1e-6)
