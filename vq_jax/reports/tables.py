"""The tables of a comparison."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from vq_jax.reports.document import Table
from vq_jax.reports.fairness import ABSENT

# metric -> (heading, how to print); the arrow points to the better side
COLUMNS = {
    "psnr": ("PSNR, dB ↑", "{:.2f}"),
    "ssim": ("SSIM ↑", "{:.4f}"),
    "lpips_alexnet": ("LPIPS-Alex ↓", "{:.4f}"),
    "lpips_vgg16": ("LPIPS-VGG ↓", "{:.4f}"),
    "usage": ("usage ↑", "{:.1%}"),
    "perplexity": ("perplexity ↑", "{:.1f}"),
    "images_per_second": ("images/s ↑", "{:.1f}"),
}
SIZE = "bits_per_position"  # None of a model without codes
SIZE_HEADING = "codes a position"


def results_table(results: Sequence[dict]) -> Table:
    """A row a configuration: mean ± standard deviation (n - 1) over its seeds.

    A metric that no run has gets no column, nor does a size that all runs have.
    """
    return _table(results, "config")


def seeds_table(results: Sequence[dict]) -> Table:
    """A row a run."""
    return _table(results, "config", "seed")


def differences_table(
    differences: Mapping[str, Mapping[str, Any]], labels: Sequence[str]
) -> Table:
    """A row a field that differs; a dash where a configuration lacks it."""
    rows = [
        [field, *("-" if values[n] is ABSENT else str(values[n]) for n in labels)]
        for field, values in differences.items()
    ]
    return Table(["field of config", *labels], rows)


def group(results: Sequence[dict], *names: str) -> list[list[dict]]:
    """Results with the same values of `names` together, in order of appearance."""
    groups = {}
    for result in results:
        groups.setdefault(tuple(result[name] for name in names), []).append(result)
    return list(groups.values())


def shown_columns(results: Sequence[dict]) -> dict[str, tuple[str, str]]:
    """COLUMNS of the metrics that any result has."""
    return {
        metric: column
        for metric, column in COLUMNS.items()
        if any(result.get(metric) is not None for result in results)
    }


def summarise(results: Sequence[dict], metric: str) -> tuple[float, float] | None:
    """Mean and standard deviation (n - 1; 0 of one) over those that have the metric."""
    values = [r[metric] for r in results if r.get(metric) is not None]
    if not values:
        return None
    return statistics.fmean(values), statistics.stdev(values) if values[1:] else 0.0


def _table(results: Sequence[dict], *names: str) -> Table:
    """A row for each value of `names`, which come first, then a metric a column."""
    columns = shown_columns(results)
    headings, sized = list(names), len(group(results, SIZE)) > 1
    if sized:
        headings.append(SIZE_HEADING)
    rows = []
    for own in group(results, *names):
        words = [str(own[0][name]) for name in names]
        if sized:
            bits = own[0][SIZE]
            words.append("-" if bits is None else f"2^{bits:.3g}")
        cells = (_cell(own, metric, form) for metric, (_, form) in columns.items())
        rows.append([*words, *cells])
    return Table([*headings, *(heading for heading, _ in columns.values())], rows)


def _cell(results: Sequence[dict], metric: str, form: str) -> str:
    """Mean ± standard deviation; of one result the value alone."""
    summary = summarise(results, metric)
    if summary is None:
        return "-"
    mean, deviation = map(form.format, summary)
    return f"{mean} ± {deviation}" if len(results) > 1 else mean
