"""Restorers beside the methods without training, on the held-out photographs.

    pip install -e '.[lpips]' PyWavelets bm3d
    python benchmarks/restoration.py --out=FILE.json \
        noise_15,noise_25,noise_50=runs/denoise jpeg_10,jpeg_20=runs/jpeg …

Each argument names degradations of `data/degradations/presets.py` and the workdir of
the run whose restorer undoes them. The photographs are whole, cropped to a multiple of
4, and each is degraded alike for all methods. PSNR and SSIM are of RGB, without a
border taken off; LPIPS is AlexNet's, which no loss here has seen. Consistency is the
mean absolute difference, in levels, of the result degraded again (without its noise) to
what was given; the row "clean" has what noise leaves of that. Strengths of the methods
without training are known to them (noise σ, kernel), those of the restorers are not. A
method whose package is missing is left out.
"""

import argparse
import importlib.util

import numpy as np
import timing
from distances import NAMES, Distances
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import restoration
from skimage.util import img_as_float

from vq_jax.apps.restore import ImageRestorer
from vq_jax.data.degradations import kernels
from vq_jax.data.degradations.degradation import consistency, enlarge, evaluation_rng
from vq_jax.data.degradations.presets import FIXED
from vq_jax.data.sources import photos
from vq_jax.evaluation.pictures import side_by_side, write_png
from vq_jax.inference.padding import pad_to_multiple
from vq_jax.inference.tokenizer import Tokenizer

COLUMNS = (*NAMES, "consistency")
SEED = 0
GIVEN = "given (of SR: bicubic)"
FIDELITIES = (0.0, 1.0)


def main() -> None:
    """Measures all, prints a table a degradation, and writes the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="DEGRADATION,…=WORKDIR")
    parser.add_argument("--out", help="the JSON file to write")
    parser.add_argument("--pictures", help="a folder for one picture a degradation")
    args = parser.parse_args()
    content = {**timing.origin(), "seed": SEED, "rows": []}
    console, distances = Console(width=110, highlight=False), Distances()
    for run in args.runs:
        names, workdir = run.split("=", 1)
        restorer = ImageRestorer.load(workdir)
        tokenizer = Tokenizer.load(restorer.config.tokenizer, chunk_size=1)
        for name in names.split(","):
            rows = measured(name, restorer, tokenizer, distances, args.pictures)
            content["rows"] += rows
            console.print(_table(name, rows))
            if args.out:
                timing.write_json(args.out, content)


def measured(name, restorer, tokenizer, distances, pictures) -> list[dict]:
    """A row a method: the means over the photographs, and each of them."""
    found = {}
    for index, (photo, image) in enumerate(photos.held_out_photographs().items()):
        height, width = (side // 4 * 4 for side in image.shape[:2])
        clean = np.ascontiguousarray(image[:height, :width])
        drawn = FIXED[name].draw(evaluation_rng(SEED, index))
        given = drawn(clean)
        results = {
            **_ours(restorer, given),
            **_references(tokenizer, clean, enlarge(given, FIXED[name].scale)),
            **_without_training(name, given, (height, width)),
        }
        for method, result in results.items():
            of_photo = distances(result[None], clean[None])
            found.setdefault(method, {})[photo] = {
                **{name: float(values[0]) for name, values in of_photo.items()},
                "consistency": consistency(result, given, drawn),
            }
        if pictures and index == 0:
            _write_picture(f"{pictures}/{name}.png", results)
    return [
        {
            "degradation": name,
            "method": method,
            **{c: float(np.mean([p[c] for p in each.values()])) for c in COLUMNS},
            "photographs": each,
        }
        for method, each in found.items()
    ]


def _ours(restorer, given) -> dict:
    return {_title(w): restorer(given, fidelity=w) for w in FIDELITIES}


def _title(fidelity: float) -> str:
    return f"ours, w = {fidelity:g}"


def _references(tokenizer, clean, large) -> dict:
    """What was given, and both ends: the tokenizer's own loss, and none."""

    def through(image):
        padded = pad_to_multiple(image, tokenizer.stride)
        height, width = image.shape[:2]
        return tokenizer.reconstruct(padded[None])[0, :height, :width]

    return {
        GIVEN: large,
        "tokenizer of given": through(large),
        "tokenizer of clean": through(clean),
        "clean": clean,
    }


def _without_training(name: str, given, shape) -> dict:
    """Methods for this kind of damage."""
    kind = name.split("_")[0]
    if kind == "bicubic":
        return _scalers(given, shape)
    if kind == "noise":
        return _denoisers(given, float(name.split("_")[1]))
    return _deblurred(given) if kind == "gaussian" else _denoisers_blind(given)


def _scalers(small, shape) -> dict:
    kinds = {"nearest": Image.Resampling.NEAREST, "Lanczos": Image.Resampling.LANCZOS}
    picture = Image.fromarray(small)
    return {k: np.array(picture.resize(shape[::-1], v)) for k, v in kinds.items()}


def _denoisers(noisy, sigma: float) -> dict:
    image, level = img_as_float(noisy), sigma / 255.0
    found = {
        "NL-means": restoration.denoise_nl_means(
            image,
            patch_size=5,
            patch_distance=6,
            h=0.6 * level,
            sigma=level,
            channel_axis=-1,
        ),
        "TV": restoration.denoise_tv_chambolle(image, 2.0 * level, channel_axis=-1),
    }
    if importlib.util.find_spec("pywt"):
        found["wavelet"] = restoration.denoise_wavelet(
            image, sigma=level, channel_axis=-1, convert2ycbcr=True, rescale_sigma=True
        )
    if importlib.util.find_spec("bm3d"):
        import bm3d

        found["BM3D"] = bm3d.bm3d_rgb(image, level)
    return {method: _to_uint8(result) for method, result in found.items()}


def _denoisers_blind(image) -> dict:
    """TV and NL-means of a small strength, as for the blocks of JPEG."""
    image = img_as_float(image)
    smooth = restoration.denoise_tv_chambolle(image, 0.05, channel_axis=-1)
    sigma = float(np.mean(restoration.estimate_sigma(image, channel_axis=-1)))
    level = max(sigma, 5.0 / 255.0)
    means = restoration.denoise_nl_means(
        image, patch_size=5, patch_distance=6, h=0.8 * level, channel_axis=-1
    )
    return {"TV": _to_uint8(smooth), "NL-means": _to_uint8(means)}


def _deblurred(blurred) -> dict:
    """Those that know the kernel, on a mirrored border, channel by channel."""
    kernel, border = kernels.gaussian(13, 2.0, 2.0, 0.0), 16
    padding = ((border, border), (border, border), (0, 0))
    image = np.pad(img_as_float(blurred), padding, mode="reflect")

    def each(method):
        channels = [method(image[..., c]) for c in range(image.shape[-1])]
        return _to_uint8(np.stack(channels, -1)[border:-border, border:-border])

    return {
        "Wiener": each(lambda x: restoration.wiener(x, kernel, 0.02)),
        "Richardson-Lucy": each(
            lambda x: restoration.richardson_lucy(x, kernel, num_iter=20)
        ),
    }


def _to_uint8(image) -> np.ndarray:
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)


def _write_picture(path: str, results: dict) -> None:
    """A part of the first photograph: given, ours, the last other one, clean."""
    shown = (GIVEN, *(_title(w) for w in FIDELITIES), [*results][-1], "clean")
    cut = [results[method][60:252, 130:322] for method in shown]
    write_png(path, side_by_side(*cut))


def _table(name: str, rows: list[dict]) -> Table:
    table = Table(title=name, title_justify="left")
    for heading in ("method", *COLUMNS):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for row in rows:
        numbers = zip(COLUMNS, ("{:.2f}", "{:.4f}", "{:.4f}", "{:.2f}"), strict=True)
        table.add_row(row["method"], *(form.format(row[c]) for c, form in numbers))
    return table


if __name__ == "__main__":
    main()
