"""Signs of a training that goes wrong, in the metrics that are logged."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

PATIENCE = 5
"""Logged steps in a row that a sign has to last."""


class Sign(NamedTuple):
    """What to look for, and what to do about it."""

    shows: Callable[[Mapping[str, float]], bool]
    message: str


def of_discriminator(max_weight: float) -> dict[str, Sign]:
    """Signs of an adversarial run whose adaptive weight is clamped at `max_weight`.

    A fixed weight is logged as 1: give infinity then.
    """
    return {
        "discriminator_won": Sign(
            # One that is not heard yet may win: nobody loses by it.
            lambda m: (
                m.get("train/adversarial_weight", 0.0) > 0.0
                and m.get("train/disc_accuracy", 0.0) > 0.99
            ),
            "the discriminator has won: it tells every patch, and the generator has "
            "little to learn from it. Lower config.disc_optim.learning_rate, set "
            "config.discriminator.norm='spectral', give r1_weight or lecam_weight of "
            "config.adversarial a value, or augment what it sees (augment).",
        ),
        "weight_pinned": Sign(
            lambda m: m.get("train/adaptive_weight", 0.0) >= 0.999 * max_weight,
            f"the adaptive weight is pinned at its clamp, {max_weight:g}: the "
            "discriminator's gradient is far below the reconstruction's, and what is "
            "left of it is blown up. Lower config.adversarial.max_weight, or set "
            "config.adversarial.weighting='fixed'; see too whether the discriminator "
            "still learns (train/disc_grad_norm).",
        ),
    }


def of_codebook(codebook_size: int) -> dict[str, Sign]:
    """Signs of a run with codes: fewer than 2 % in use, by number or by perplexity."""
    few = max(2.0, 0.02 * codebook_size)

    def collapsed(metrics):
        used = codebook_size * metrics.get("train/usage", 1.0)
        return min(used, metrics.get("train/perplexity", math.inf)) < few

    return {
        "codebook_collapsed": Sign(
            collapsed,
            f"the codebook collapses: fewer than {few:g} of {codebook_size} codes are "
            "in use. Restart dead codes (restart_threshold of config.model.quantizer), "
            "start them on data (codebook_init='data'), lower config.model.code_dim, "
            "or use fsq; docs/quantizers.md compares them.",
        )
    }


class Alarms:
    """Tells of a sign once it has lasted, and again only after it had gone."""

    def __init__(self, signs: Mapping[str, Sign]):
        self._signs = signs
        self._lasted = dict.fromkeys(signs, 0)

    def check(self, metrics: Mapping[str, float]) -> dict[str, str]:
        """{name: message} of the signs that have now lasted for `PATIENCE` calls."""
        told = {}
        for name, sign in self._signs.items():
            self._lasted[name] = self._lasted[name] + 1 if sign.shows(metrics) else 0
            if self._lasted[name] == PATIENCE:
                told[name] = sign.message
        return told
