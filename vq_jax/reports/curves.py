"""What runs recorded over their steps, as one figure."""

import functools
from collections.abc import Mapping, Sequence

from vq_jax.reports import figures

# (title, metric -> style of its line, logarithmic); EVALUATED of the held-out split,
# the others of training. A panel without any record is left out.
EVALUATED = (
    ("held-out PSNR, dB", {"psnr": "-"}, False),
    ("held-out SSIM", {"ssim": "-"}, False),
    ("held-out LPIPS-Alex", {"lpips_alexnet": "-"}, False),
    ("held-out LPIPS-VGG", {"lpips_vgg16": "-"}, False),
    ("held-out l1", {"l1": "-"}, True),
    ("held-out l2", {"l2": "-"}, True),
)
TRAINED = (
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
    """A panel a metric; of each label's records, a colour a label and a line a seed.

    Training values are those of single batches, so they scatter.
    """
    legend = figures.colours(runs)
    panels = {
        title: functools.partial(
            _draw, runs=runs, legend=legend, lines=lines, logarithmic=logarithmic
        )
        for title, lines, logarithmic in _shown_panels(runs, split)
    }
    return figures.grid(panels, legend)


def _shown_panels(
    runs: Mapping[str, Sequence[Sequence[dict]]], split: str
) -> list[tuple[str, dict[str, str], bool]]:
    """(title, name in the records -> style of its line, logarithmic) of what is there.

    A panel is drawn where any run has it: a loss of one configuration alone, too.
    """
    evaluated = [
        (title, {f"eval/{split}/{name}": style for name, style in lines.items()}, log)
        for title, lines, log in EVALUATED
    ]
    everything = [r for seeds in runs.values() for records in seeds for r in records]
    names = set().union(*everything)
    return [panel for panel in (*evaluated, *TRAINED) if names & set(panel[1])]


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
