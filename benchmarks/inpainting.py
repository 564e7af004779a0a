"""How well holes of held-out photographs are filled, beside simpler ways, by hole size.

    pip install -e '.[lpips]' opencv-python-headless
    python benchmarks/inpainting.py --workdir=PRIOR --restorer=RESTORER --out=FILE.json

Tiles of the run's held-out split, with a square hole in the centre, and several samples
of each. Prints PSNR, SSIM and LPIPS-AlexNet over the hole alone, the step of intensity
across its border, and how far samples differ from each other. The seam's error is how
far that step is from the original's. Telea needs OpenCV, and is left out without.
"""

import argparse
import importlib.util
import itertools

import numpy as np
import timing
from rich.console import Console
from rich.table import Table
from skimage import restoration

from vq_jax import Sampler
from vq_jax.apps.inpainting import Inpainter, RestoringInpainter, composited
from vq_jax.apps.restore import ImageRestorer
from vq_jax.data import pipeline
from vq_jax.evaluation import pictures
from vq_jax.inference.load_prior import open_prior
from vq_jax.metrics import holes
from vq_jax.ops import hole_fill
from vq_jax.pretrained.lpips import load_lpips

SAMPLES, RESTORED = "samples of the prior", "restorer of holes, w = {:g}"
FIDELITIES = (0.0, 1.0)
NUMBERS = ("psnr", "ssim", "lpips_alexnet", "seam", "seam_error", "apart")
COLUMNS = ("hole", "way", *NUMBERS)


def main() -> None:
    """Measures all, prints a table, and writes the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True, help="of the prior")
    parser.add_argument("--restorer", help="workdir of a restorer of holes")
    parser.add_argument("--num_images", type=int, default=16)
    parser.add_argument("--num_samples", type=int, default=4)
    parser.add_argument("--holes", default="16,24,32,40,48", help="sides, in pixels")
    parser.add_argument("--dilation", type=int, default=1, help="as of vq-jax inpaint")
    parser.add_argument("--feather", type=int, help="as of vq-jax inpaint")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--out", help="the JSON file to write")
    parser.add_argument("--picture", help="a PNG of the first images, largest hole")
    args = parser.parse_args()
    saved = open_prior(args.workdir)
    sampler = Sampler(saved, batch_size=args.num_samples)
    inpainter = Inpainter(sampler, args.dilation, args.feather)
    images, nets = _images(saved, args.num_images), {"alexnet": load_lpips("alexnet")}
    settings = {"count": args.num_samples, "temperature": args.temperature}
    restorers = _restorers(args.restorer, args.feather)
    rows, filled = [], []
    for side in map(int, args.holes.split(",")):
        hole = _square(images[0].shape[0], side)
        filled = [
            {
                **simple_ways(image, hole),
                **{w: x.inpaint(image, hole)[None] for w, x in restorers.items()},
                SAMPLES: inpainter.inpaint(image, hole, **settings),
                **ends(inpainter, image, hole),
            }
            for image in images
        ]
        found = [
            measured(nets, each, image, hole)
            for each, image in zip(filled, images, strict=True)
        ]
        rows += [{"hole": side, "way": way, **_means(found, way)} for way in found[0]]
        if args.out:
            content = {**timing.origin(), **settings, "images": len(images)}
            content.update(dilation=args.dilation, feather=args.feather)
            timing.write_json(args.out, {**content, "rows": rows})
    Console(width=110, highlight=False).print(_table(rows))
    if args.picture:
        _write_picture(args.picture, images, filled, hole)


def simple_ways(image, hole) -> dict[str, np.ndarray]:
    """uint8 [1, h, w, c] by the name of each way without training."""
    inside = hole[..., None]
    mean = np.rint(image[~hole].mean(axis=0)).astype(np.uint8)
    pulled = hole_fill.pull_push(image, hole)
    smooth = restoration.inpaint_biharmonic(image, hole, channel_axis=-1)
    smooth = np.rint(255 * np.clip(smooth, 0, 1)).astype(np.uint8)
    return {
        "mean colour": np.where(inside, mean, image)[None],
        "pull-push": pulled[None],
        "membrane": hole_fill.harmonic(image, hole)[None],
        "biharmonic": np.where(inside, smooth, image)[None],
        **_telea(image, hole),
    }


def ends(inpainter, image, hole) -> dict[str, np.ndarray]:
    """What the tokenizer of the prior makes of the fill and of the image itself."""
    fill, tokenizer = hole_fill.harmonic(image, hole), inpainter.sampler.tokenizer

    def through(given):
        decoded = tokenizer.reconstruct(given[None])[0]
        return composited(image, decoded, hole, inpainter.feather)[None]

    return {
        "membrane through the tokenizer": through(fill),
        "the image through the tokenizer": through(image),
        "the image": image[None],
    }


def _restorers(workdir: str | None, feather) -> dict[str, RestoringInpainter]:
    if not workdir:
        return {}
    restorer = ImageRestorer.load(workdir)
    return {
        RESTORED.format(w): RestoringInpainter(restorer, feather, w) for w in FIDELITIES
    }


def _telea(image, hole) -> dict[str, np.ndarray]:
    if not importlib.util.find_spec("cv2"):
        return {}
    import cv2

    mask = hole.astype(np.uint8) * 255
    return {"Telea": cv2.inpaint(image, mask, 3, cv2.INPAINT_TELEA)[None]}


def measured(nets, found, image, hole) -> dict[str, dict[str, float]]:
    """The numbers of each way on one image, means over its samples."""
    border = holes.seam_error(image, hole)
    numbers = {}
    for way, images in found.items():
        seams = [holes.seam_error(x, hole) for x in images]
        apart = [
            np.abs(a[hole].astype(float) - b[hole]).mean()
            for a, b in itertools.combinations(images, 2)
        ]
        numbers[way] = {
            "psnr": np.mean([holes.hole_psnr(x, image, hole) for x in images]),
            "ssim": np.mean(holes.hole_ssim(images, image, hole)),
            "lpips_alexnet": np.mean(
                holes.hole_lpips(nets, images, image, hole)["lpips_alexnet"]
            ),
            "seam": np.mean(seams),
            "seam_error": np.mean([abs(seam - border) for seam in seams]),
            **({"apart": np.mean(apart)} if apart else {}),
        }
    return numbers


def _means(found, way) -> dict[str, float]:
    return {
        name: float(np.mean([numbers[way][name] for numbers in found]))
        for name in found[0][way]
    }


def _images(saved, count: int) -> list[np.ndarray]:
    data = saved.config.data
    records = pipeline.open_records(data, data.eval_split)
    step = max(1, len(records) // count)
    return [records[i]["image"] for i in range(0, len(records), step)][:count]


def _square(size: int, side: int) -> np.ndarray:
    hole, start = np.zeros((size, size), bool), (size - side) // 2
    hole[start : start + side, start : start + side] = True
    return hole


def _table(rows) -> Table:
    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "way" else "right")
    forms = {"psnr": ".2f", "ssim": ".3f", "lpips_alexnet": ".3f"}
    for row in rows:
        numbers = [
            format(row[c], forms.get(c, ".1f")) if c in row else "" for c in NUMBERS
        ]
        table.add_row(str(row["hole"]), row["way"], *numbers)
    return table


def _write_picture(path, images, filled, hole) -> None:
    shown = [
        pictures.side_by_side(
            np.where(hole[..., None], np.uint8(255), image),
            each["biharmonic"][0],
            *each.get(RESTORED.format(FIDELITIES[0]), ()),
            *each[SAMPLES][:2],
            image,
        )
        for image, each in zip(images[:8], filled, strict=False)
    ]
    pictures.write_png(path, pictures.stack(shown))


if __name__ == "__main__":
    main()
