"""The tables of a comparison of configurations."""

from collections.abc import Mapping, Sequence
from typing import Any

from vq_jax.evaluation import comparison
from vq_jax.evaluation.config_diff import ABSENT
from vq_jax.evaluation.document import Table

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


def results_table(results: Sequence[dict]) -> Table:
    """A row a configuration: mean ± standard deviation (n - 1) over its seeds.

    A metric that no run has gets no column.
    """
    labels = dict.fromkeys(r["config"] for r in results)
    groups = {n: [r for r in results if r["config"] == n] for n in labels}
    return _table(results, ["config"], [([n], own) for n, own in groups.items()])


def seeds_table(results: Sequence[dict]) -> Table:
    """A row a run."""
    runs = [([one["config"], str(one["seed"])], [one]) for one in results]
    return _table(results, ["config", "seed"], runs)


def differences_table(
    differences: Mapping[str, Mapping[str, Any]], labels: Sequence[str]
) -> Table:
    """A row a field that differs; a dash where a configuration lacks it."""
    rows = [
        [field, *("-" if values[n] is ABSENT else str(values[n]) for n in labels)]
        for field, values in differences.items()
    ]
    return Table(["field of config", *labels], rows)


def _table(results: Sequence[dict], names: list[str], groups: list) -> Table:
    """`names` above the words of each group, then a metric a column."""
    shown = {
        metric: column
        for metric, column in COLUMNS.items()
        if any(r.get(metric) is not None for r in results)
    }
    rows = []
    for words, own in groups:
        cells = (
            comparison.cell(comparison.summarise(own, metric), form, len(own))
            for metric, (_, form) in shown.items()
        )
        rows.append([*words, *cells])
    return Table([*names, *(heading for heading, _ in shown.values())], rows)
