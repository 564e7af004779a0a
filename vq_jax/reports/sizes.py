"""Metrics against the size of the codebook, as one figure."""

import functools
from collections.abc import Mapping, Sequence

from vq_jax.reports import figures, tables

MARKERS = "os^vDPX*"  # which colour-blind readers tell apart


def differ(results: Sequence[dict]) -> bool:
    """Whether any family has codebooks of several sizes."""
    families = tables.group(results, "family")
    return any(len(tables.group(own, tables.SIZE)) > 1 for own in families)


def figure(results: Sequence[dict]):
    """A panel a metric, a line a family with bars of one standard deviation.

    A family without codes is a line across.
    """
    families = {own[0]["family"]: own for own in tables.group(results, "family")}
    styles = {
        family: {**colour, "marker": MARKERS[index % len(MARKERS)]}
        for index, (family, colour) in enumerate(figures.colours(families).items())
    }
    panels = {
        heading: functools.partial(
            _draw, families=families, styles=styles, metric=metric
        )
        for metric, (heading, _) in tables.shown_columns(results).items()
    }
    return figures.grid(panels, styles)


def _draw(axis, families: Mapping, styles: Mapping, metric: str) -> None:
    axis.set_xscale("log", base=2)
    axis.set_xlabel(tables.SIZE_HEADING)
    for family, results in families.items():
        points = {
            own[0][tables.SIZE]: summary
            for own in tables.group(results, tables.SIZE)
            if (summary := tables.summarise(own, metric))
        }
        if None in points:
            axis.axhline(points[None][0], color=styles[family]["color"], label=family)
        elif points:
            bits = sorted(points)
            means, deviations = zip(*map(points.get, bits), strict=True)
            sizes = [2**number for number in bits]
            axis.errorbar(
                sizes, means, deviations, label=family, capsize=2, **styles[family]
            )
