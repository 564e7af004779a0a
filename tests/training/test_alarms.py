import pytest

from configs import quickstart, vqgan_stability
from vq_jax.metrics.signs import PATIENCE
from vq_jax.training.alarms import Alarms
from vq_jax.training.tasks.build import build_task


def _signs(weighting="adaptive"):
    """Those of a VQGAN whose adaptive weight is clamped at 10, with 64 codes."""
    config = vqgan_stability.get_config("smoke")
    config.adversarial.weighting = weighting
    return build_task(config).signs()


SIGNS = _signs()
CASES = {
    "discriminator_won": (
        {"train/disc_accuracy": 1.0, "train/adversarial_weight": 0.1},
        {"train/disc_accuracy": 0.8, "train/adversarial_weight": 0.1},
    ),
    "weight_pinned": ({"train/adaptive_weight": 10.0}, {"train/adaptive_weight": 5.0}),
    "codebook_collapsed": (
        {"train/usage": 0.01, "train/perplexity": 1.5},
        {"train/usage": 0.5, "train/perplexity": 30.0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_sign_is_reported_once_it_lasts_and_again_after_it_had_gone(name):
    bad, good = CASES[name]
    watch = Alarms(SIGNS)
    reported = [set(watch.check(bad)) for _ in range(2 * PATIENCE)]
    assert reported == [set()] * (PATIENCE - 1) + [{name}] + [set()] * PATIENCE
    assert not watch.check(good)
    reported = [set(watch.check(bad)) for _ in range(PATIENCE)]
    assert reported[-1] == {name}


@pytest.mark.parametrize("name", CASES)
def test_a_sign_that_comes_and_goes_is_not_reported(name):
    bad, good = CASES[name]
    watch = Alarms(SIGNS)
    for _ in range(5):
        for metrics in (*[bad] * (PATIENCE - 1), good):
            assert not watch.check(metrics)


def test_a_discriminator_may_win_before_its_loss_acts():
    watch = Alarms(SIGNS)
    for _ in range(2 * PATIENCE):
        metrics = {"train/disc_accuracy": 1.0, "train/adversarial_weight": 0.0}
        assert not watch.check(metrics)


def test_a_fixed_weight_and_metrics_of_other_runs_raise_nothing():
    watch = Alarms(_signs("fixed"))
    for _ in range(2 * PATIENCE):
        assert not watch.check({"train/adaptive_weight": 1.0, "train/loss": 0.1})


def test_a_run_without_discriminator_or_codes_has_no_signs_of_them():
    assert set(build_task(quickstart.get_config("smoke")).signs()) == {
        "codebook_collapsed"
    }
    assert not build_task(quickstart.get_config("smoke,none")).signs()
