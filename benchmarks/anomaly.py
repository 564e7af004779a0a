"""How well a prior of normal images finds others, beside plain statistics.

    python benchmarks/anomaly.py --workdir=PRIOR --out=RESULT.json

The prior and its tokenizer were trained without the classes that are in the run's
config.data.exclude_labels (configs/anomaly_fashion_mnist.py). All images are of the
held-out split: the first ones of the other classes set the threshold and fit what is
fitted; the next ones are normal, and those of the excluded classes are the anomalies.
Pixels: scratches on normal images. Areas under the curves have 95 % intervals of a
bootstrap over images.
"""

import argparse
import io
import sys

import numpy as np
import timing
from PIL import Image
from scipy import ndimage

from vq_jax import Sampler
from vq_jax.apps.anomaly import AnomalyDetector
from vq_jax.data import pipeline
from vq_jax.data.degradations.scratches import scratched
from vq_jax.evaluation import pictures
from vq_jax.inference.load_prior import open_prior
from vq_jax.metrics import ranking

BATCH = 100


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--out", required=True, help="JSON file of the results")
    parser.add_argument("--num_images", type=int, default=500, help="of each kind")
    parser.add_argument("--num_scratched", type=int, default=200)
    parser.add_argument("--num_samples", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", help="PNG of some maps")
    args = parser.parse_args()
    saved = open_prior(args.workdir)
    fitting, normal, anomalies = held_out(saved.config.data, args.num_images)
    detector = AnomalyDetector.calibrated(
        Sampler(saved, batch_size=BATCH),
        batches(fitting),
        num_samples=args.num_samples,
        seed=args.seed,
    )
    say(f"threshold {detector.threshold:.3f} nats")
    scores = image_scores(
        detector, saved.config.data, fitting, np.concatenate([normal, anomalies])
    )
    positive = np.arange(len(normal) + len(anomalies)) >= len(normal)
    found = {"images": areas(ranking.image_intervals, scores, positive)}
    damaged, masks = with_scratches(normal[: args.num_scratched], args.seed)
    maps = pixel_maps(detector, damaged)
    found["pixels"] = areas(ranking.pixel_intervals, maps, masks)
    settings = {
        "excluded": [*saved.config.data.exclude_labels],
        "prior": saved.config.prior.name,
        "step": saved.step,
        "threshold": detector.threshold,
        "num_fitting": len(fitting),
        "num_normal": len(normal),
        "num_anomalies": len(anomalies),
        "num_scratched": len(damaged),
        "scratched_pixels": float(masks.mean()),
        "num_samples": args.num_samples,
        "seed": args.seed,
    }
    timing.write_json(args.out, {**timing.origin(), **settings, **found})
    if args.picture:
        shown = [*normal[:4], *anomalies[:4]]
        pictures.write_png(args.picture, figure(detector, shown, damaged, masks))


def held_out(data, count: int) -> list[np.ndarray]:
    """Images to fit on, normal ones and anomalies: `count` of each, or fewer."""
    normal = images(data, data.eval_split, 2 * count)
    classes = pipeline.open_records(data, data.eval_split).source.classes
    others = data.copy_and_resolve_references()
    excluded = set(data.exclude_labels)
    others.exclude_labels = tuple(set(range(len(classes))) - excluded)
    return [normal[:count], normal[count:], images(others, data.eval_split, count)]


def images(data, split: str, count: int) -> np.ndarray:
    return pipeline.first_images(data, split, count)


def batches(images):
    return (images[i : i + BATCH] for i in range(0, len(images), BATCH))


def image_scores(detector, data, fitting, images) -> dict[str, np.ndarray]:
    """[n] by the name of each score; larger is less normal."""
    found = [detector.detect(batch) for batch in batches(images)]
    pixels = images[0].size // images.shape[-1]
    nats = np.concatenate([maps.nats_per_pixel for maps in found]) * pixels
    of_fitting = [
        detector.nats_map(detector.code_nats(batch)[1], batch.shape[1:3])
        for batch in batches(fitting)
    ]
    fitting_nats = np.concatenate(of_fitting).sum(axis=(1, 2))
    size, fitting_size = png_bytes(images), png_bytes(fitting)
    slope, offset = np.polyfit(fitting_size, fitting_nats, 1)
    scores = {
        "nats of the codes": nats,
        "residual after drawing anew": np.concatenate(
            [maps.mean_residual for maps in found]
        ),
        "share of codes drawn anew": np.concatenate([maps.redrawn for maps in found]),
        "nats - PNG's": nats - size * 8 * np.log(2),
        "nats - line over PNG bytes": nats - slope * size - offset,
        "reconstruction error": reconstruction(detector, images).mean(axis=(1, 2)),
        "PNG bytes": size,
    }
    if detector.sampler.likelihood == "bound":
        scores["bound on the nats"] = -detector.sampler.log_prob(images)
    for name, statistic in (("mean", np.mean), ("deviation", np.std)):
        value, usual = (statistic(a, axis=(1, 2, 3)) for a in (images, fitting))
        scores[f"pixels' {name}, from the usual"] = np.abs(value - usual.mean())
    train = pipeline.first_images(data, data.train_split, 10_000)
    scores["distance to the nearest of 10,000 training images"] = nearest(images, train)
    return scores


def reconstruction(detector, images) -> np.ndarray:
    """Squared difference of each pixel from the tokenizer's round trip."""
    recon = detector.sampler.tokenizer.reconstruct(images)
    return np.square(recon.astype(np.float32) - images).mean(axis=-1)


def png_bytes(images) -> np.ndarray:
    found = []
    for image in images:
        file = io.BytesIO()
        shown = image[..., 0] if image.shape[-1] == 1 else image
        Image.fromarray(shown).save(file, format="PNG", optimize=True)
        found.append(len(file.getvalue()))
    return np.asarray(found, np.float64)


def nearest(images, train) -> np.ndarray:
    """Squared distance to the nearest training image."""
    a, b = (x.reshape(len(x), -1).astype(np.float32) / 255 for x in (images, train))
    return (a**2).sum(1) + ((b**2).sum(1)[None] - 2 * a @ b.T).min(axis=1)


def with_scratches(images, seed: int) -> tuple[np.ndarray, np.ndarray]:
    made = [
        scratched(image, np.random.default_rng([seed, i]))
        for i, image in enumerate(images)
    ]
    damaged, masks = zip(*made, strict=True)
    return np.stack(damaged), np.stack(masks)


def pixel_maps(detector, images) -> dict[str, np.ndarray]:
    """[n, h, w] by the name of each map."""
    found = [detector.detect(batch) for batch in batches(images)]
    smooth = ndimage.median_filter(images, (1, 5, 5, 1))
    return {
        "nats of the codes": np.concatenate([maps.nats for maps in found]),
        "residual after drawing anew": np.concatenate([m.residual for m in found]),
        "reconstruction error": reconstruction(detector, images),
        "difference from the median of 5x5": np.abs(
            images.astype(np.float32) - smooth
        ).mean(axis=-1),
        "intensity": images.mean(axis=-1),
    }


def areas(intervals, scores, positive) -> dict:
    """{score: {area: [value, low, high]}}, printed."""
    found = {}
    for name, values in scores.items():
        found[name] = intervals(values, positive)
        parts = [
            f"{area} {value:.3f} [{low:.3f}, {high:.3f}]"
            for area, (value, low, high) in found[name].items()
        ]
        say(f"{name:<52} {'  '.join(parts)}")
    return found


def figure(detector, shown, damaged, masks) -> np.ndarray:
    """Below each image its nats, its residual, and where its scratches are."""
    images = np.stack([*shown, *damaged[:4]])
    found = detector.detect(images)
    scratches = np.zeros_like(images)
    scratches[len(shown) :] = 255 * masks[:4, ..., None]
    rows = [
        pictures.to_rgb(images),
        np.stack([pictures.heat(m / (2 * detector.nats_scale)) for m in found.nats]),
        np.stack([pictures.heat(m / 128) for m in found.residual]),
        pictures.to_rgb(scratches),
    ]
    large = [np.kron(row, np.ones((1, 2, 2, 1), np.uint8)) for row in rows]
    return pictures.stack([pictures.side_by_side(*row) for row in large])


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
