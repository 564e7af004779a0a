"""An evaluation as a table."""

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
    "usage": ("codes used in the split", "{:.1%}"),
    "perplexity": ("of the split's codes", "{:.1f}"),
    "bits_per_pixel": ("log2(codebook_size) a token", "{:.4f}"),
    "num_images": ("", "{:d}"),
}


def print_table(report: dict, *, title: str, console: Console) -> None:
    """One row a metric, those of COLUMNS first; None is for models without codes."""
    table = Table(title=title, title_justify="left")
    for heading, justify in (("metric", "left"), ("value", "right"), ("", "left")):
        table.add_column(heading, justify=justify)
    for name in sorted(report, key=[*COLUMNS, *report].index):
        note, form = COLUMNS.get(name, ("", "{:.4g}"))
        value = report[name]
        table.add_row(name, "no codes" if value is None else form.format(value), note)
    console.print(table)
