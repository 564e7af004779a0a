"""Figures of matplotlib: panels in a grid, under one legend."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from etils import epath

from vq_jax.errors import InputError

COLUMNS = 3


def check_installed() -> None:
    """Raises InputError where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(
            "the figures need matplotlib: pip install 'vq_jax[figures]'"
        ) from error


def colours(labels: Iterable[str]) -> dict[str, dict]:
    """Label -> {"color": …}: the usual ten, or as many as there are labels."""
    from matplotlib import colormaps

    labels = list(labels)
    found = [f"C{index}" for index in range(10)]
    if len(labels) > len(found):
        found = colormaps["turbo"](np.linspace(0, 1, len(labels)))
    return {label: {"color": found[i]} for i, label in enumerate(labels)}


def grid(panels: Mapping[str, Callable], legend: Mapping[str, dict]):
    """A figure with a panel for each title, which `draw(axis)` fills.

    `legend` has the style of each label.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows, legend_rows = (-(-len(many) // COLUMNS) for many in (panels, legend))
    size = 12, 3.2 * rows + 0.25 * (legend_rows + 1)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis, (title, draw) in zip(axes, panels.items(), strict=False):
        draw(axis)
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    for axis in axes[len(panels) :]:
        axis.remove()
    handles = [Line2D([], [], label=label, **style) for label, style in legend.items()]
    figure.legend(handles=handles, ncols=COLUMNS, loc="outside upper center")
    return figure


def save(path: epath.PathLike, figure) -> epath.Path:
    """Writes a figure as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = epath.Path(path)
    with path.open("wb") as file:
        FigureCanvasAgg(figure).print_png(file)
    return path
