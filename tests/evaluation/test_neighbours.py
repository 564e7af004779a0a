import dataclasses

import jax.numpy as jnp
import numpy as np

from vq_jax.evaluation.neighbours import Neighbours, nearest_image

RNG = np.random.default_rng(0)


def test_the_nearest_is_that_of_all_pairs_and_never_padding():
    queries, images = RNG.uniform(-1, 1, (5, 12)), RNG.uniform(-1, 1, (9, 12))
    images[3] = queries[1]
    mask = np.arange(9) != 7
    images[7] = queries[2]  # padding
    squares = ((queries[:, None] - images[None]) ** 2).mean(axis=-1)
    squares[:, ~mask] = np.inf
    found, rows = nearest_image(
        jnp.asarray(queries, jnp.float32),
        jnp.asarray(images, jnp.float32),
        jnp.asarray(mask),
    )
    np.testing.assert_array_equal(rows, squares.argmin(axis=1))
    np.testing.assert_allclose(found, squares.min(axis=1), atol=1e-6)


def _report(tiny_prior, **fields):
    subject, variables, nets = tiny_prior(num_classes=2)
    subject = dataclasses.replace(subject, split=fields.pop("split", "test"))
    evaluation = Neighbours(subject=subject, where="x", **fields)
    return evaluation, evaluation(variables, nets)


def test_images_of_the_training_split_are_found_in_it(tiny_prior):
    evaluation, _ = _report(tiny_prior, batch_size=8, num_images=20)
    train = [b["image"] for b in evaluation._images.real("train")]
    train = np.concatenate(train)[:50]
    order = RNG.permutation(50)
    distances, rows = evaluation._search(train[order])
    np.testing.assert_allclose(distances, 0.0, atol=0.1)
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_array_equal(evaluation._train_images(rows), train[order])


def test_the_report_has_medians_of_three_sets_and_a_picture(tiny_prior):
    _, small = _report(tiny_prior, batch_size=8, num_images=20)
    _, large = _report(tiny_prior, batch_size=16, num_images=20)
    assert small.metrics.keys() == {
        "nearest_samples",
        "nearest_held_out",
        "nearest_copies",
    }
    for name, value in small.metrics.items():
        np.testing.assert_allclose(large.metrics[name], value, rtol=1e-4)
    assert small.pictures["neighbours"].shape == (4 * 18, 8 * 18, 3)
    # Both are then the same images, chosen by the same seed.
    _, train = _report(tiny_prior, batch_size=8, num_images=20, split="train")
    assert train.metrics["nearest_held_out"] == train.metrics["nearest_copies"]
