"""An evaluation as a file and as a table."""

import json

from etils import epath
from rich.console import Console
from rich.table import Table

# name -> (unit and definition, how to print)
COLUMNS = {
    "psnr": ("dB, per image, then averaged", "{:.2f}"),
    "ssim": ("Gaussian window 11, sigma 1.5", "{:.4f}"),
    "lpips_alexnet": ("version 0.1, uint8 images", "{:.4f}"),
    "lpips_vgg16": ("version 0.1, uint8 images", "{:.4f}"),
    "l1": ("images in [-1, 1]", "{:.4f}"),
    "l2": ("images in [-1, 1]", "{:.5f}"),
    "usage": ("codes hit over the split", "{:.1%}"),
    "perplexity": ("of the split's codes", "{:.1f}"),
    "bits_per_pixel": ("log2(codebook_size) a token", "{:.4f}"),
    "num_images": ("", "{:d}"),
}


def write_json(path: epath.PathLike, report: dict) -> epath.Path:
    """Writes `report`, whole or not at all."""
    path = epath.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n")
    return draft.replace(path)


def print_table(report: dict, *, title: str, console: Console) -> None:
    """One row a metric that is there; one that is None does not apply and says so."""
    table = Table(title=title, title_justify="left")
    for heading, justify in (("metric", "left"), ("value", "right"), ("", "left")):
        table.add_column(heading, justify=justify)
    for name in filter(report.__contains__, COLUMNS):
        note, form = COLUMNS[name]
        value = report[name]
        table.add_row(name, "no codes" if value is None else form.format(value), note)
    console.print(table)
