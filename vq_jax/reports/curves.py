"""What runs recorded over their steps, as one figure."""

import functools
from collections.abc import Mapping, Sequence

from vq_jax.reports import figures

# (title, metric -> style of its line, logarithmic); a metric without a slash is of the
# held-out split. A panel without any record is left out.
PANELS = (
    ("held-out PSNR, dB", {"psnr": "-"}, False),
    ("held-out SSIM", {"ssim": "-"}, False),
    ("held-out LPIPS-Alex", {"lpips_alexnet": "-"}, False),
    ("held-out LPIPS-VGG", {"lpips_vgg16": "-"}, False),
    ("held-out l1", {"l1": "-"}, True),
    ("held-out l2", {"l2": "-"}, True),
    ("train l1", {"train/l1": "-"}, True),
    ("train l2", {"train/l2": "-"}, True),
    ("train perceptual", {"train/perceptual": "-"}, False),
    ("train quantizer", {"train/quantizer": "-"}, True),
    ("train perplexity", {"train/perplexity": "-"}, False),
    (
        "logits, real (line) and fake (dashes)",
        {"train/logits_real": "-", "train/logits_fake": "--"},
        False,
    ),
    ("adaptive weight", {"train/adaptive_weight": "-"}, True),
)


def curve(records: Sequence[dict], name: str) -> tuple[list[int], list[float]]:
    """Steps and values of a metric, where it was recorded."""
    points = [(r["step"], r[name]) for r in records if name in r]
    return [step for step, _ in points], [value for _, value in points]


def figure(runs: Mapping[str, Sequence[Sequence[dict]]], split: str):
    """A panel a metric that any run recorded: a colour a label, a line a seed.

    Training values are those of single batches, so they scatter.
    """
    recorded = {n for seeds in runs.values() for own in seeds for r in own for n in r}
    legend, panels = figures.colours(runs), {}
    for title, metrics, logarithmic in PANELS:
        lines = {
            name if "/" in name else f"eval/{split}/{name}": style
            for name, style in metrics.items()
        }
        if recorded & set(lines):
            panels[title] = functools.partial(
                _draw, runs=runs, legend=legend, lines=lines, logarithmic=logarithmic
            )
    return figures.grid(panels, legend)


def _draw(
    axis, runs: Mapping, legend: Mapping, lines: Mapping[str, str], logarithmic: bool
) -> None:
    for label, seeds in runs.items():
        for records in seeds:
            for name, style in lines.items():
                steps, values = curve(records, name)
                # A single evaluation is a point.
                marker = "o" if len(steps) == 1 else None
                axis.plot(steps, values, style, marker=marker, lw=1.2, **legend[label])
    low, high = axis.get_ylim()
    # Over a narrow range a logarithmic axis has no round numbers to mark.
    if logarithmic and 0 < 3 * low < high:
        axis.set_yscale("log")
    axis.set_xlabel("step")
