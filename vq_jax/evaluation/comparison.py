"""Results of several runs side by side: a Markdown table and a figure."""

import statistics
from collections.abc import Sequence

import numpy as np
from etils import epath
from PIL import Image, ImageDraw

from vq_jax.errors import InputError
from vq_jax.evaluation import pictures

# metric -> (heading, how to print)
COLUMNS = {
    "psnr": ("PSNR, dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.3f}"),
    "usage": ("usage", "{:.3f}"),
    "perplexity": ("perplexity", "{:.1f}"),
    "images_per_second": ("images/s", "{:.0f}"),
}
LABEL_WIDTH = 110


def check_figures() -> None:
    """Raises InputError where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(
            "the figure needs matplotlib: pip install 'vq_jax[figures]'"
        ) from error


def summarise(results: Sequence[dict], metric: str) -> tuple[float, float] | None:
    """Mean and standard deviation (n - 1; 0 of one) over those that have the metric."""
    values = [r[metric] for r in results if r.get(metric) is not None]
    if not values:
        return None
    return statistics.fmean(values), statistics.stdev(values) if values[1:] else 0.0


def cell(summary: tuple[float, float] | None, form: str, count: int) -> str:
    """Mean ± standard deviation of `count` values; of one the value alone."""
    if summary is None:
        return "-"
    mean, deviation = map(form.format, summary)
    return f"{mean} ± {deviation}" if count > 1 else mean


def group(results: Sequence[dict]) -> dict[tuple[int, str], list[dict]]:
    """(bits, family) -> results of its seeds; by bits, then in order of appearance."""
    groups = {}
    for result in sorted(results, key=lambda r: r["bits"]):
        groups.setdefault((result["bits"], result["family"]), []).append(result)
    return groups


def markdown(results: Sequence[dict]) -> str:
    """One row a family and number of bits, mean ± standard deviation over seeds."""
    headings = ["quantizer", "codes", *(heading for heading, _ in COLUMNS.values())]
    lines = [
        "| " + " | ".join(headings) + " |",
        "|---|" + "---:|" * (len(headings) - 1),
    ]
    for (bits, family), rows in group(results).items():
        codes = "continuous" if family == "none" else f"2^{bits}"
        cells = [f"`{family}`", codes]
        for metric, (_, form) in COLUMNS.items():
            cells.append(cell(summarise(rows, metric), form, len(rows)))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write_figure(path: epath.PathLike, results: Sequence[dict]) -> epath.Path:
    """Metrics against codebook size, one line a family, bars of one deviation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 6.5), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    groups = group(results)
    families = list(dict.fromkeys(family for _, family in groups))
    for axis, (metric, (heading, _)) in zip(axes, COLUMNS.items(), strict=False):
        for i, family in enumerate(families):
            _draw_line(axis, groups, family, metric, i)
        axis.set_xscale("log", base=2)
        axis.set_xlabel("codes a position")
        axis.set_ylabel(heading)
        axis.grid(alpha=0.3)
    axes[-1].axis("off")
    axes[-1].legend(*axes[0].get_legend_handles_labels(), ncols=2, loc="center")
    return save_figure(path, figure)


def save_figure(path: epath.PathLike, figure) -> epath.Path:
    """Writes a figure of matplotlib as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = epath.Path(path)
    with path.open("wb") as file:
        FigureCanvasAgg(figure).print_png(file)
    return path


def labelled_rows(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Label -> uint8 [n, h, w, c], as rows of pictures with their label on the left."""
    strips = []
    for label, images in rows.items():
        strip = np.concatenate(list(pictures.to_rgb(images)), axis=1)
        margin = Image.new("RGB", (LABEL_WIDTH, strip.shape[0]), "white")
        place = (4, strip.shape[0] // 2 - 6)
        ImageDraw.Draw(margin).text(place, label, fill="black")
        strips.append(np.concatenate([np.asarray(margin), strip], axis=1))
    return np.concatenate(strips)


def _draw_line(axis, groups, family: str, metric: str, index: int) -> None:
    points = {
        2**bits: summarise(rows, metric)
        for (bits, name), rows in groups.items()
        if name == family
    }
    points = {size: point for size, point in points.items() if point}
    if not points:
        return
    means, deviations = zip(*points.values(), strict=True)
    # Ten colours that colour-blind readers tell apart best in pairs with markers.
    axis.errorbar(
        list(points),
        means,
        yerr=deviations,
        label=family,
        color=f"C{index % 10}",
        marker="os^vDPX*"[index % 8],
        linestyle=("-", "--")[index // 10 % 2],
        capsize=2,
    )
