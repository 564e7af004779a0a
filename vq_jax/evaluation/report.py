"""An evaluation as a table."""

from rich.console import Console
from rich.table import Table

RATES = {
    "nats_per_token": "cross-entropy of the codes",
    "bound_nats_per_token": "a bound on the cross-entropy",
    "order0_nats_per_token": "of a histogram of codes",
    "uniform_nats_per_token": "log K",
    "bits_per_pixel": "of the codes; of a tokenizer, log2 K a token",
    "bound_bits_per_pixel": "of the codes, a bound",
    "order0_bits_per_pixel": "of a histogram of codes",
    "uniform_bits_per_pixel": "log2 K a token",
}
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
    **{
        f"{prefix}{name}": (f"{whose}{note}", "{:.4f}")
        for prefix, whose in (("", ""), ("train_", "training images: "))
        for name, note in RATES.items()
    },
    "gap_nats_per_token": ("worse than on training images by", "{:.4f}"),
    "num_images": ("", "{:d}"),
    "train_num_images": ("training images", "{:d}"),
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
