"""Areas under curves against their definitions, scikit-learn, and new images."""

import numpy as np
import pytest
from sklearn import metrics

from vq_jax import InputError
from vq_jax.metrics import bootstrap, ranking
from vq_jax.metrics.ranking import Ranking


def _scores(seed, ties):
    rng = np.random.default_rng(seed)
    positive = rng.random(200) < 0.3
    scores = rng.normal(size=200) + positive
    return (np.round(scores) if ties else scores), positive


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_areas_are_those_of_their_definitions(seed, ties):
    scores, positive = _scores(seed, ties)
    apart = scores[positive][:, None] - scores[~positive][None]
    pairs = np.mean((apart > 0) + 0.5 * (apart == 0))
    assert abs(Ranking(scores, positive).auroc() - pairs) < 1e-12
    assert abs(metrics.roc_auc_score(positive, scores) - pairs) < 1e-12
    expected, recall = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        above = scores >= threshold
        now = (above & positive).sum() / positive.sum()
        expected += (now - recall) * positive[above].mean()
        recall = now
    found = Ranking(scores, positive).average_precision()
    assert abs(found - expected) < 1e-12
    assert abs(metrics.average_precision_score(positive, scores) - expected) < 1e-12


def test_weights_count_an_element_several_times_or_not_at_all():
    scores, positive = _scores(0, ties=True)
    counts = np.random.default_rng(1).integers(0, 4, 200)
    whole = Ranking(scores, positive)
    repeated = Ranking(scores.repeat(counts), positive.repeat(counts))
    weights = counts.astype(float)
    assert abs(whole.auroc(weights) - repeated.auroc()) < 1e-12
    found = whole.average_precision(weights)
    assert abs(found - repeated.average_precision()) < 1e-12


def test_scores_that_say_nothing_have_a_half_and_the_share_of_positives():
    positive = np.arange(10) < 3
    assert Ranking(np.zeros(10), positive).auroc() == 0.5
    assert Ranking(np.zeros(10), positive).average_precision() == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("scores", "positive", "text"),
    [
        (np.zeros(3), np.ones(3, bool), "of 3 scores 3 are positives"),
        (np.zeros(3), np.zeros(3, bool), "0 are positives"),
        (np.array([0.0, np.nan]), np.array([True, False]), "not finite"),
    ],
)
def test_what_cannot_be_ranked_is_one_error(scores, positive, text):
    with pytest.raises(InputError, match=text):
        Ranking(scores, positive).auroc()


def test_intervals_of_images_are_as_wide_as_new_images_show():
    found = [Ranking(*_scores(seed, ties=False)).auroc() for seed in range(200)]
    scores, positive = _scores(0, ties=False)
    value, low, high = ranking.image_intervals(scores, positive)["auroc"]
    assert low < value < high
    np.testing.assert_allclose(high - low, 3.92 * np.std(found), rtol=0.25)
    assert ranking.image_intervals(scores, positive, seed=0)["auroc"] == (
        value,
        low,
        high,
    )


def test_intervals_of_pixels_know_that_those_of_an_image_belong_together():
    rng = np.random.default_rng(0)
    positive = rng.random((30, 8, 8)) < 0.2
    # An offset of each image, which all of its pixels share.
    offset = 2 * rng.normal(size=(30, 1, 1))
    scores = rng.normal(size=positive.shape) + positive + offset
    _, low, high = ranking.pixel_intervals(scores, positive)["auroc"]
    _, inner, outer = ranking.image_intervals(scores.ravel(), positive.ravel())["auroc"]
    assert low < Ranking(scores.ravel(), positive.ravel()).auroc() < high
    assert high - low > 1.2 * (outer - inner)


def test_each_stratum_keeps_its_size():
    strata = np.array([0, 1, 0, 1, 1])
    low, high = bootstrap.resampled(
        lambda counts: (counts[strata == 0].sum(), counts[0]), strata, resamples=50
    )
    assert (low[0], high[0]) == (2, 2)
    assert (low[1], high[1]) == (0, 2)
