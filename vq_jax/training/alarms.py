"""Warnings of a training that goes wrong, by signs in the metrics that are logged."""

from collections.abc import Mapping

from vq_jax.metrics.signs import Sign


class Alarms:
    """Reports a sign that has lasted as long as it has to, once an episode."""

    def __init__(self, signs: Mapping[str, Sign]):
        self._signs = signs
        self._lasted = dict.fromkeys(signs, 0)

    def check(self, metrics: Mapping[str, float]) -> dict[str, str]:
        """{name: message} of the signs that this check makes reports of."""
        reports = {}
        for name, sign in self._signs.items():
            self._lasted[name] = self._lasted[name] + 1 if sign.shows(metrics) else 0
            if self._lasted[name] == sign.patience:
                reports[name] = sign.message
        return reports
