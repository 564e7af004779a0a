"""How far variations of held-out images are from them, and from each other, by share.

    pip install -e '.[lpips]'
    python benchmarks/variation.py --workdir=PRIOR --num_images=16 --out=FILE.json

Tiles of the run's held-out split. Means over images and variations: the share of codes
that differ from the image's, PSNR and LPIPS-AlexNet to the tokenizer's round trip,
LPIPS to the image, LPIPS between two variations, and the prior's nats a token.
Beside the prior stand codes that are drawn at the same places from the histogram of
these images' codes, as a prior that knows nothing of neighbours would.
"""

import argparse
import itertools

import numpy as np
import timing
from distances import Distances
from rich.console import Console
from rich.table import Table

from vq_jax import Sampler
from vq_jax.apps.redrawing import no_class
from vq_jax.apps.variation import Varier
from vq_jax.data import pipeline
from vq_jax.evaluation import pictures
from vq_jax.inference.load_prior import open_prior

FORMS = {
    "differ": ".3f",
    "psnr": ".2f",
    "lpips": ".3f",
    "lpips_of_image": ".3f",
    "apart": ".3f",
    "nats_per_token": ".3f",
}


def main() -> None:
    """Measures all, prints a table, and writes the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True, help="of the prior")
    parser.add_argument("--num_images", type=int, default=16)
    parser.add_argument("--num_samples", type=int, default=4)
    parser.add_argument("--shares", default="0.1,0.3,0.5,0.7,1.0")
    parser.add_argument("--choice", help="as of vq-jax vary")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--out", help="the JSON file to write")
    parser.add_argument("--picture", help="a PNG of the tiles and variations of them")
    args = parser.parse_args()
    saved = open_prior(args.workdir)
    images = held_out(saved.config.data, args.num_images)
    varier = Varier(Sampler(saved, batch_size=args.num_samples), args.choice)
    report, shares = Report(varier.sampler, images), args.shares.split(",")
    shown = [images, report.plain]
    report(0.0, "round trip", report.codes[:, None])
    for share in map(float, shares):
        drawn = [
            varier.codes(
                image,
                share,
                count=args.num_samples,
                seed=number,
                temperature=args.temperature,
            )
            for number, image in enumerate(images)
        ]
        shown.append(report(share, "prior", np.stack(drawn)))
        chosen = [
            varier.chosen(image.shape[:2], share, count=args.num_samples, seed=number)
            for number, image in enumerate(images)
        ]
        report(share, "histogram", report.from_histogram(np.stack(chosen)))
    report(None, "other image", np.roll(report.codes, 1, axis=0)[:, None])
    Console(width=110, highlight=False).print(table(report.rows))
    if args.out:
        given = {"images": len(images), "num_samples": args.num_samples}
        given["temperature"] = args.temperature
        timing.write_json(args.out, {**timing.origin(), **given, "rows": report.rows})
    if args.picture:
        columns = [pictures.grid(column[:8], columns=1) for column in shown]
        pictures.write_png(args.picture, np.concatenate(columns, axis=1))


def held_out(data, count: int) -> np.ndarray:
    """Images of the held-out split, evenly spread over it."""
    records = pipeline.open_records(data, data.eval_split)
    step = max(1, len(records) // count)
    return np.stack([records[i]["image"] for i in range(0, step * count, step)])


class Report:
    """A row for each way of drawing codes."""

    def __init__(self, sampler: Sampler, images: np.ndarray):
        self.sampler, self.images, self.rows = sampler, images, []
        self.codes = sampler.tokenizer.encode(images)
        self.plain = sampler.decode(self.codes)
        self._distances = Distances()

    def __call__(self, share: float | None, drawn_by: str, codes: np.ndarray):
        """Of codes [images, samples, *tokens]; returns the first sample of each."""
        found = [self.sampler.decode(each) for each in codes.swapaxes(0, 1)]
        near = [self._distances(each, self.plain) for each in found]
        label = no_class(self.sampler.prior)
        flat = codes.reshape(-1, *self.codes.shape[1:])
        nats = -self.sampler.log_prob(flat, label).mean()
        row = {
            "share": share,
            "drawn_by": drawn_by,
            "differ": np.mean(codes != self.codes[:, None]),
            "psnr": np.mean([each["psnr"] for each in near]),
            "lpips": np.mean([each["lpips_alexnet"] for each in near]),
            "lpips_of_image": np.mean([self._lpips(x, self.images) for x in found]),
            "nats_per_token": nats / self.sampler.prior.layout.num_tokens,
        }
        if len(found) > 1:
            pairs = itertools.combinations(found, 2)
            row["apart"] = np.mean([self._lpips(*pair) for pair in pairs])
        numbers = {name: float(row[name]) for name in FORMS if name in row}
        self.rows.append({**row, **numbers})
        return found[0]

    def _lpips(self, found, others) -> np.ndarray:
        return self._distances(found, others)["lpips_alexnet"]

    def from_histogram(self, chosen: np.ndarray) -> np.ndarray:
        """The images' codes with any codes of any image where `chosen`."""
        rng = np.random.default_rng(0)
        drawn = rng.choice(self.codes.ravel(), chosen.shape)
        return np.where(chosen, drawn, self.codes[:, None])


def table(rows: list[dict]) -> Table:
    found = Table("share", "drawn by")
    for heading in FORMS:
        found.add_column(heading, justify="right")
    for row in rows:
        share = "" if row["share"] is None else f"{row['share']:g}"
        numbers = (format(row[n], f) if n in row else "" for n, f in FORMS.items())
        found.add_row(share, row["drawn_by"], *numbers)
    return found


if __name__ == "__main__":
    main()
