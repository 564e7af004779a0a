"""How well holes of held-out photographs are filled, beside simpler ways.

    python benchmarks/inpainting.py --workdir=PRIOR --num_images=16 --hole=24

Tiles of the run's held-out split, with a square hole in the centre. Prints PSNR over
the hole alone, the step of intensity across its border, and how far samples differ
from each other.
"""

import argparse
import itertools
import sys

import numpy as np
from skimage import restoration

from vq_jax import Sampler
from vq_jax.apps.inpainting import Inpainter
from vq_jax.data import pipeline
from vq_jax.evaluation import pictures
from vq_jax.inference.load_prior import open_prior
from vq_jax.metrics import holes
from vq_jax.ops import hole_fill


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, default=16)
    parser.add_argument("--num_samples", type=int, default=4)
    parser.add_argument("--hole", type=int, default=24)
    parser.add_argument("--picture")
    args = parser.parse_args()
    saved = open_prior(args.workdir)
    data = saved.config.data
    records = pipeline.open_records(data, data.eval_split)
    step = max(1, len(records) // args.num_images)
    images = [records[i]["image"] for i in range(0, len(records), step)]
    images = images[: args.num_images]
    size = images[0].shape[0]
    hole = np.zeros((size, size), bool)
    start = (size - args.hole) // 2
    hole[start : start + args.hole, start : start + args.hole] = True
    inpainter = Inpainter(Sampler(saved, batch_size=args.num_samples))
    rows = [fills(inpainter, image, hole, args.num_samples) for image in images]
    for name in rows[0]:
        report(name, [row[name] for row in rows], images, hole)
    report("the original", [image[None] for image in images], images, hole)
    if args.picture:
        shown = [
            pictures.side_by_side(
                np.where(hole[..., None], np.uint8(255), image),
                *(row["biharmonic"][0], *row["samples of the prior"], image),
            )
            for image, row in zip(images[:6], rows, strict=False)
        ]
        pictures.write_png(args.picture, pictures.stack(shown))


def fills(inpainter, image, hole, count) -> dict[str, np.ndarray]:
    """uint8 [n, h, w, c] by the name of each way."""
    mean = np.rint(image[~hole].mean(axis=0)).astype(np.uint8)
    filled = hole_fill.pull_push(image, hole)
    smooth = restoration.inpaint_biharmonic(image, hole, channel_axis=-1)
    smooth = np.rint(255 * np.clip(smooth, 0, 1)).astype(np.uint8)
    through = inpainter.sampler.tokenizer.reconstruct(filled[None])[0]
    return {
        "mean colour": np.where(hole[..., None], mean, image)[None],
        "pull-push": filled[None],
        "biharmonic": np.where(hole[..., None], smooth, image)[None],
        "pull-push through the tokenizer": hole_fill.pasted(
            image, through, hole, inpainter.feather
        )[None],
        "samples of the prior": inpainter.inpaint(image, hole, count=count),
    }


def report(name, found, images, hole) -> None:
    """One line, of means over images and samples."""
    pairs = zip(found, images, strict=True)
    psnr = [holes.hole_psnr(x, image, hole) for each, image in pairs for x in each]
    seam = [holes.seam_error(x, hole) for each in found for x in each]
    apart = [
        np.abs(a[hole].astype(float) - b[hole]).mean()
        for each in found
        for a, b in itertools.combinations(each, 2)
    ]
    text = f"{name:<32} {np.mean(psnr):6.2f} dB  seam {np.mean(seam):5.1f}"
    text += f"  apart {np.mean(apart):5.1f}" if apart else ""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
