"""What runs recorded over their steps, as one figure."""

from collections.abc import Mapping, Sequence

from etils import epath

from vq_jax.evaluation import comparison

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
COLUMNS = 3


def shown_panels(
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


def curve(records: Sequence[dict], name: str) -> tuple[list[int], list[float]]:
    """Steps and values of a metric, where it was recorded."""
    points = [(r["step"], r[name]) for r in records if name in r]
    return [step for step, _ in points], [value for _, value in points]


def write_figure(
    path: epath.PathLike, runs: Mapping[str, Sequence[Sequence[dict]]], split: str
) -> epath.Path:
    """Label -> records of each seed: a colour a label, a line a seed.

    Training values are those of single batches, so they scatter.
    """
    from matplotlib.figure import Figure

    shown = shown_panels(runs, split)
    height = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(12, 3.2 * height + 0.5), layout="constrained")
    axes = figure.subplots(height, COLUMNS, squeeze=False).ravel()
    for axis, panel in zip(axes, shown, strict=False):
        _draw_panel(axis, runs, panel)
    for axis in axes[len(shown) :]:
        axis.axis("off")
    handles = [_handle(label, index) for index, label in enumerate(runs)]
    figure.legend(handles=handles, ncols=3, loc="outside upper center")
    return comparison.save_figure(path, figure)


def _draw_panel(axis, runs: Mapping, panel: tuple) -> None:
    title, lines, logarithmic = panel
    for index, seeds in enumerate(runs.values()):
        for records in seeds:
            for name, style in lines.items():
                steps, values = curve(records, name)
                # A single evaluation is a point.
                marker = "o" if len(steps) == 1 else None
                axis.plot(
                    steps, values, style, color=f"C{index}", marker=marker, lw=1.2
                )
    low, high = axis.get_ylim()
    # Over a narrow range a logarithmic axis has no round numbers to mark.
    if logarithmic and 0 < 3 * low < high:
        axis.set_yscale("log")
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("step")
    axis.grid(alpha=0.3)


def _handle(label: str, index: int):
    from matplotlib.lines import Line2D

    return Line2D([], [], color=f"C{index}", label=label)
