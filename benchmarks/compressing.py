"""Files of the held-out photographs: their bytes, and how near what they hold is.

    pip install -e '.[lpips,compress]'
    python benchmarks/compressing.py --workdir=PRIOR --out=FILE.json

One file of all photographs by each coder, and what theory promises. Beside them JPEG
and WebP at their lowest quality, and of the photographs at a half and a quarter of
their size (bicubic, both ways) at the highest quality that takes no more bytes than the
file of the prior. Bytes of all photographs together; distances are means over them.
"""

import argparse
import io

import numpy as np
import timing
from distances import NAMES, Distances
from PIL import Image
from rich.console import Console
from rich.table import Table

from vq_jax.apps.compression import rates
from vq_jax.apps.compression.compressor import Compressor, NamedImage
from vq_jax.data.sources import photos
from vq_jax.evaluation import pictures

FORMATS = ("JPEG", "WEBP")
SCALES = (2, 4)
BICUBIC = Image.Resampling.BICUBIC


def main() -> None:
    """Measures all, prints a table, and writes the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True, help="of the prior")
    parser.add_argument("--out", help="the JSON file to write")
    parser.add_argument("--picture", help="a PNG of a part of the first photograph")
    args = parser.parse_args()
    originals = [NamedImage(*each) for each in photos.held_out_photographs().items()]
    rows, decoded, num_bytes = of_codes(args.workdir, originals)
    found = {"the codes": (num_bytes, decoded)}
    for kind in FORMATS:
        found[f"{kind}, lowest quality"] = through(originals, kind, 1, 1)
        for scale in SCALES:
            name = f"{kind}, 1/{scale} of the size"
            found[name] = best(originals, kind, scale, num_bytes)
    distances = Distances()
    rows += [
        {"what": name, "bytes": size, **means(distances, images, originals)}
        for name, (size, images) in found.items()
    ]
    pixels = sum(image.shape[0] * image.shape[1] for _, image in originals)
    for row in rows:
        row["bits_per_pixel"] = 8 * row["bytes"] / pixels
    Console(width=110, highlight=False).print(table(rows))
    if args.out:
        timing.write_json(args.out, {**timing.origin(), "rows": rows})
    if args.picture:
        columns = ("the codes", "JPEG, lowest quality", "JPEG, 1/2 of the size")
        columns += ("WEBP, 1/2 of the size",)
        shown = [originals[0].image, *(found[name][1][0] for name in columns)]
        cut = [image[60:252, 130:322] for image in shown]
        pictures.write_png(args.picture, pictures.side_by_side(*cut))


def of_codes(workdir: str, originals) -> tuple[list[dict], list[np.ndarray], int]:
    """Rows of rates, the decoded photographs, and the bytes of the prior's file."""
    rows = []
    for coder in ("order0", "prior"):
        compressor = Compressor.load(workdir, coder=coder)
        codes = [*compressor.encode(originals)]
        content = compressor.compress(codes)
        again = compressor.decompress(content, coder)
        for one, other in zip(again, codes, strict=True):
            np.testing.assert_array_equal(one.codes, other.codes)
        rows += [
            {"what": f"{rate.name}, coder {coder}", "bytes": rate.num_bytes}
            for rate in rates.ladder(compressor, codes, len(content))
        ]
    decoded = [each.image for each in compressor.decode(again)]
    return rows, decoded, len(content)


def through(originals, kind: str, scale: int, quality: int):
    """Bytes of the files, and the images that they hold, at their first size."""
    total, images = 0, []
    for _, image in originals:
        picture = Image.fromarray(image)
        if scale > 1:
            size = [max(1, side // scale) for side in picture.size]
            picture = picture.resize(size, BICUBIC)
        file = io.BytesIO()
        picture.save(file, format=kind, quality=quality)
        total += file.tell()
        opened = Image.open(file).convert("RGB")
        images.append(np.asarray(opened.resize(image.shape[1::-1], BICUBIC)))
    return total, images


def best(originals, kind: str, scale: int, most: int):
    """`through` at the highest quality of at most so many bytes, or at the lowest."""
    for quality in reversed(rates.QUALITIES):
        found = through(originals, kind, scale, quality)
        if found[0] <= most:
            break
    return found


def means(distances: Distances, images, originals) -> dict[str, float]:
    found = [
        distances(image[None], original.image[None])
        for image, original in zip(images, originals, strict=True)
    ]
    return {name: float(np.mean([each[name] for each in found])) for name in NAMES}


def table(rows: list[dict]) -> Table:
    forms = {"psnr": ".2f", "ssim": ".3f", "lpips_alexnet": ".3f"}
    found = Table("what")
    for heading in ("bytes", "bits a pixel", *forms):
        found.add_column(heading, justify="right")
    for row in rows:
        numbers = (format(row[n], f) if n in row else "" for n, f in forms.items())
        rate = f"{row['bits_per_pixel']:.4f}"
        found.add_row(row["what"], f"{row['bytes']:,.0f}", rate, *numbers)
    return found


if __name__ == "__main__":
    main()
