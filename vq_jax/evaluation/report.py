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
    "degraded_psnr": ("of what the model was given", "{:.2f}"),
    "degraded_ssim": ("of what the model was given", "{:.4f}"),
    "degraded_lpips_alexnet": ("of what the model was given", "{:.4f}"),
    "degraded_lpips_vgg16": ("of what the model was given", "{:.4f}"),
    "cross_entropy": ("of the clean image's codes, nats a token", "{:.4f}"),
    "code_accuracy": ("codes predicted as in the clean image", "{:.1%}"),
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
    "num_generated": ("on each side of a distance", "{:d}"),
    "nearest_samples": ("grey levels to the nearest training image, median", "{:.2f}"),
    "nearest_held_out": ("of held-out images through the tokenizer", "{:.2f}"),
    "nearest_copies": ("of training images through the tokenizer", "{:.2f}"),
    "recognised_samples": ("of the class asked for, by a classifier", "{:.1%}"),
    "recognised_samples_low": ("lower end of its 95 % interval", "{:.1%}"),
    "recognised_samples_high": ("upper end of it", "{:.1%}"),
    "recognised_recons": ("held-out images through the tokenizer", "{:.1%}"),
    "recognised_real": ("held-out images", "{:.1%}"),
}

# What names end in that the network and the size are part of.
ENDINGS = {
    "_low": "lower end of its 95 % interval",
    "_high": "upper end of it",
    "_floor": "of real training images",
    "_ceiling": "of held-out images through the tokenizer",
}


def print_table(report: dict, *, title: str, console: Console) -> None:
    """One row a metric, those of COLUMNS first; None is for models without codes."""
    table = Table(title=title, title_justify="left")
    for heading, justify in (("metric", "left"), ("value", "right"), ("", "left")):
        table.add_column(heading, justify=justify)
    for name in sorted(report, key=[*COLUMNS, *report].index):
        note, form = COLUMNS.get(name, (_note(name), "{:.4g}"))
        value = report[name]
        table.add_row(name, "no codes" if value is None else form.format(value), note)
    console.print(table)


def _note(name: str) -> str:
    return next((note for end, note in ENDINGS.items() if name.endswith(end)), "")
