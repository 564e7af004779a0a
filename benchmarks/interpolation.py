"""What lies between two images: by a tokenizer's latents, by its codes, by pixels.

    pip install -e '.[lpips,figures]'
    python benchmarks/interpolation.py --workdir=TOKENIZER --out=FILE.json
    python benchmarks/interpolation.py --workdir=PRIOR --prior --size=64

Pairs of crops of the embedded held-out photographs. Along each path, as means over
pairs: LPIPS-AlexNet between neighbours; the distance of the latents to their codes,
over that at the ends of the path; LPIPS of a picture to its own round trip, which is
small for what the tokenizer takes for an image; and LPIPS to the cross-fade of the two
round trips, which is 0 for a double exposure. PSNR to that stands beside it.
"""

import argparse
import itertools
import sys

import numpy as np
import timing
from distances import Distances

from vq_jax import Sampler
from vq_jax.apps.interpolation import Interpolator, cross_fade
from vq_jax.apps.refinement import Refiner
from vq_jax.data.sources import photos
from vq_jax.evaluation import pictures
from vq_jax.inference.tokenizer import Tokenizer

WAYS = ("pixels", "latents", "codes", "refined")  # in pictures


def main() -> None:
    """Measures all, prints the numbers along the paths, and writes them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--size", type=int, default=192)
    text = "the workdir is a prior's: with the way refined"
    parser.add_argument("--prior", action="store_true", help=text)
    parser.add_argument("--out", help="the JSON file to write")
    parser.add_argument("--figure", help="curves along the paths")
    parser.add_argument("--picture", help="the paths of the first pair")
    args = parser.parse_args()
    refiner = None
    if args.prior:
        sampler = Sampler.load(args.workdir, batch_size=args.steps - 2)
        refiner, tokenizer = Refiner(sampler), sampler.tokenizer
    else:
        tokenizer = Tokenizer.load(args.workdir, chunk_size=args.steps)
    interpolator, distances, found = Interpolator(tokenizer), Distances(), {}
    for first, last in itertools.combinations(crops(args.size), 2):
        paths = pictures_between(interpolator, first, last, args.steps)
        if refiner:
            path = interpolator.code_path(first, last, args.steps)
            path[1:-1] = refiner.refine(path[1:-1])
            paths["refined"] = interpolator.decode(path, first.shape[:2])
        if args.picture and not found:
            shown = [paths[way] for way in WAYS if way in paths]
            rows = [pictures.side_by_side(*path[::2]) for path in shown]
            pictures.write_png(args.picture, pictures.stack(rows))
        for way, path in paths.items():
            fade = paths["pixels of round trips"]
            measured = along(distances, path, fade, interpolator.tokenizer)
            found.setdefault(way, []).append(measured)
    means = {
        way: {name: np.mean([m[name] for m in each], axis=0) for name in each[0]}
        for way, each in found.items()
    }
    far = [
        relative_distance(interpolator, first, last, args.steps)
        for first, last in itertools.combinations(crops(args.size), 2)
    ]
    means["latents"]["distance to codes"] = np.mean(far, axis=0)
    for way, measured in means.items():
        for name, values in measured.items():
            text = " ".join(f"{value:7.3f}" for value in values)
            sys.stdout.write(f"{way:<24}{name:<24}{text}\n")
    if args.out:
        lists = {
            way: {name: values.tolist() for name, values in measured.items()}
            for way, measured in means.items()
        }
        given = {"steps": args.steps, "size": args.size}
        timing.write_json(args.out, {**timing.origin(), **given, "ways": lists})
    if args.figure:
        draw(args.figure, means)


def crops(size: int) -> list[np.ndarray]:
    """The middle of each held-out photograph."""
    found = []
    for image in photos.held_out_photographs().values():
        top, left = ((side - size) // 2 for side in image.shape[:2])
        cut = image[top : top + size, left : left + size]
        found.append(np.ascontiguousarray(cut))
    return found


def pictures_between(interpolator, first, last, steps) -> dict[str, np.ndarray]:
    """uint8 [steps, h, w, c] by the name of each way."""
    ends = interpolator.tokenizer.reconstruct(np.stack([first, last]))
    return {
        "pixels": cross_fade(first, last, steps),
        "pixels of round trips": cross_fade(*ends, steps),
        "latents": interpolator.latents(first, last, steps),
        "codes": interpolator.codes(first, last, steps),
    }


def relative_distance(interpolator, first, last, steps) -> np.ndarray:
    """RMS of z_e - z_q at each step, over the mean of that at both ends."""
    model, variables = interpolator.tokenizer.model, interpolator.tokenizer.variables
    path = interpolator.latent_path(first, last, steps)
    z_q = model.apply(variables, path, method="quantize").z_q
    rms = np.sqrt(np.mean(np.square(path - z_q), axis=(1, 2, 3)))
    return rms / rms[[0, -1]].mean()


def along(distances, path, fade, tokenizer) -> dict[str, np.ndarray]:
    """Of the pictures of a path, by name: one number each, or one a step."""
    from_fade = distances(path, fade)
    trips = tokenizer.reconstruct(path)
    return {
        "LPIPS, neighbours": distances(path[1:], path[:-1])["lpips_alexnet"],
        "LPIPS, own round trip": distances(trips, path)["lpips_alexnet"],
        "LPIPS, cross-fade": from_fade["lpips_alexnet"],
        "PSNR, cross-fade": from_fade["psnr"],
    }


def draw(path: str, means: dict) -> None:
    """Three panels over the way from the first image to the last."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(10, 3), constrained_layout=True)
    names = ("LPIPS, neighbours", "LPIPS, own round trip", "distance to codes")
    for axis, name in zip(axes, names, strict=True):
        for number, way in enumerate(WAYS):
            values = means.get(way, {}).get(name)
            if values is None:
                continue
            first = 0.5 / len(values) if name == "LPIPS, neighbours" else 0.0
            at = np.linspace(first, 1 - first, len(values))
            axis.plot(at, values, color=f"C{number}", marker=".", label=way)
        axis.set(title=name, xlabel="part of the way", xlim=(0, 1))
        axis.set_ylim(bottom=0)
    axes[0].legend()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
