"""How far variations of held-out images are from them, and from each other, by share.

    pip install -e '.[lpips]'
    python benchmarks/variation.py --workdir=PRIOR --num_images=16

Tiles of the run's held-out split. Prints means over images and variations: the share
of codes that differ from the image's, PSNR and LPIPS-AlexNet to the tokenizer's round
trip, LPIPS to the image, LPIPS between two variations, and the prior's nats a token.
Beside the prior stand codes that are drawn at the same places from the histogram of
these images' codes, as a prior that knows nothing of neighbours would.
"""

import argparse
import itertools
import sys

import jax
import numpy as np

from vq_jax import Sampler
from vq_jax.apps.redrawing import no_class
from vq_jax.apps.variation import Varier
from vq_jax.data import pipeline
from vq_jax.evaluation import pictures
from vq_jax.inference.load_prior import open_prior
from vq_jax.metrics.lpips import lpips
from vq_jax.metrics.psnr import psnr
from vq_jax.ops import images as image_ops
from vq_jax.pretrained.lpips import load_lpips

HEADINGS = ("share", "drawn", "differ", "PSNR", "LPIPS", "of image", "apart", "nats")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, default=16)
    parser.add_argument("--num_samples", type=int, default=4)
    parser.add_argument("--shares", default="0.1,0.3,0.5,0.7,1.0")
    parser.add_argument("--choice")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--picture")
    args = parser.parse_args()
    saved = open_prior(args.workdir)
    images = held_out(saved.config.data, args.num_images)
    varier = Varier(Sampler(saved, batch_size=args.num_samples), args.choice)
    report, shares = Report(varier.sampler, images), args.shares.split(",")
    rows = [images, report.plain]
    report("0", "round trip", report.codes[:, None])
    for share in shares:
        drawn = [
            varier.codes(
                image,
                float(share),
                count=args.num_samples,
                seed=number,
                temperature=args.temperature,
            )
            for number, image in enumerate(images)
        ]
        rows.append(report(share, "prior", np.stack(drawn)))
        chosen = [
            varier.chosen(
                image.shape[:2], float(share), count=args.num_samples, seed=number
            )
            for number, image in enumerate(images)
        ]
        report(share, "histogram", report.from_histogram(np.stack(chosen)))
    report("", "other image", np.roll(report.codes, 1, axis=0)[:, None])
    if args.picture:
        columns = [pictures.grid(row[:8], columns=1) for row in rows]
        pictures.write_png(args.picture, np.concatenate(columns, axis=1))


def held_out(data, count: int) -> np.ndarray:
    """Images of the held-out split, evenly spread over it."""
    records = pipeline.open_records(data, data.eval_split)
    step = max(1, len(records) // count)
    return np.stack([records[i]["image"] for i in range(0, step * count, step)])


class Report:
    """Prints a line for each way of drawing codes."""

    def __init__(self, sampler: Sampler, images: np.ndarray):
        self.sampler, self.images = sampler, images
        self.codes = sampler.tokenizer.encode(images)
        self.plain = sampler.decode(self.codes)
        nets = {"alexnet": load_lpips("alexnet")}

        def distances(found, others):
            pair = [image_ops.from_uint8(x) for x in (found, others)]
            return psnr(found, others), lpips(nets, *pair)["lpips_alexnet"]

        self._distances = jax.jit(distances)
        sys.stdout.write("".join(f"{heading:>12}" for heading in HEADINGS) + "\n")

    def __call__(self, share: str, drawn: str, codes: np.ndarray) -> np.ndarray:
        """Of codes [images, samples, *tokens]; returns the first sample of each."""
        found = [self.sampler.decode(each) for each in codes.swapaxes(0, 1)]
        near = [self._distances(each, self.plain) for each in found]
        pairs = itertools.combinations(found, 2)
        apart = [self._distances(*pair)[1] for pair in pairs]
        label = no_class(self.sampler.prior)
        flat = codes.reshape(-1, *self.codes.shape[1:])
        nats = -self.sampler.log_prob(flat, label).mean()
        numbers = (
            np.mean(codes != self.codes[:, None]),
            np.mean([decibel for decibel, _ in near]),
            np.mean([distance for _, distance in near]),
            np.mean([self._distances(each, self.images)[1] for each in found]),
            np.mean(apart) if apart else np.nan,
            nats / self.sampler.prior.layout.num_tokens,
        )
        text = "".join(f"{number:12.3f}" for number in numbers)
        sys.stdout.write(f"{share:>12}{drawn:>12}{text}\n")
        sys.stdout.flush()
        return found[0]

    def from_histogram(self, chosen: np.ndarray) -> np.ndarray:
        """The images' codes with any codes of any image where `chosen`."""
        rng = np.random.default_rng(0)
        drawn = rng.choice(self.codes.ravel(), chosen.shape)
        return np.where(chosen, drawn, self.codes[:, None])


if __name__ == "__main__":
    main()
