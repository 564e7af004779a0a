"""Style against content over strength, beside simpler ways, on held-out photographs.

    pip install -e '.[lpips,figures]'
    python benchmarks/restyling.py --workdir=TOKENIZER --out=FILE.json --pictures=FOLDER

The centres of the held-out photographs get the styles of images that are not held out.
Both numbers come from AlexNet, which nothing here is optimised for: "style" is the
distance of Gram matrices to those of the style image (metrics/style.py), and "lpips"
that to the content image; "edges" is the correlation of edge strength with it. The row
"round trip" is the tokenizer alone, so what differs from it is style; "another crop" of
the style image is as much style as there is.
"""

import argparse
import functools
import pathlib
from collections.abc import Iterator

import jax
import numpy as np
import optax
import timing
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import color

from vq_jax import Tokenizer, compiler
from vq_jax.apps.style.adain import AdainStyle
from vq_jax.apps.style.gram import GramStyle
from vq_jax.data import transforms
from vq_jax.data.sources import photos
from vq_jax.evaluation.pictures import side_by_side, stack
from vq_jax.losses.style import StyleObjective
from vq_jax.metrics.lpips import lpips
from vq_jax.metrics.style import edge_correlation, gram_distance
from vq_jax.models.perceptual.lpips import Lpips, trunk_features
from vq_jax.ops import images as image_ops
from vq_jax.pretrained.lpips import load_lpips
from vq_jax.reports import figures

STYLES = ("immunohistochemistry", "brick")
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
OF_OTHERS = (0.5, 1.0)  # of AdaIN and of pixels
PIXEL_STEP = 0.05  # first step of Adam on pixels in [-1, 1]
NUMBERS = ("style", "lpips", "edges")
SHOWN = (
    *("content", "style", "round trip", "codes 0.5", "codes 0.75", "codes 1"),
    *("AdaIN 1", "AdaIN 1, no codes", "Reinhard", "pixels 0.5"),
)


def main() -> None:
    """Measures all, prints a table, and writes numbers, a curve and a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--out", help="the JSON file to write")
    parser.add_argument("--pictures", help="a folder for the curve and the picture")
    args = parser.parse_args()
    if args.pictures:
        pathlib.Path(args.pictures).mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.load(args.workdir, chunk_size=1)
    ways, judge, rows, shown = Ways(tokenizer, args.steps), Judge(), [], []
    for style_name in STYLES:
        style, other = style_crops(style_name, args.size)
        for photo, image in photos.held_out_photographs().items():
            content = middle(image, args.size)
            results = {"another crop": other, **dict(ways(content, style))}
            pair = {"content": photo, "style_image": style_name}
            rows += [
                {**pair, "way": way, **judge(result, content, style)}
                for way, result in results.items()
            ]
            results |= {"content": content, "style": style}
            shown.append(side_by_side(*(results[way] for way in SHOWN)))
            settings = {"size": args.size, "steps": args.steps, "rows": rows}
            if args.out:
                timing.write_json(args.out, {**timing.origin(), **settings})
    Console(width=100, highlight=False).print(table(rows))
    if args.pictures:
        figures.save(f"{args.pictures}/restyling_curve.png", curve(rows))
        Image.fromarray(stack(shown)).save(f"{args.pictures}/restyling.jpg", quality=75)


def middle(image: np.ndarray, size: int) -> np.ndarray:
    """Its centre, after the shorter side is scaled to 1.25 times the size."""
    scaled = transforms.resize(image, size * 5 // 4, "shorter_side", "bicubic")
    return transforms.center_crop(scaled, size)


def style_crops(name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two parts of a style image at half its size, which do not overlap."""
    image = photos.photograph(name)
    half = transforms.resize(image, min(image.shape[:2]) // 2, "shorter_side", "box")
    return half[:size, :size], half[-size:, -size:]


class Ways:
    """All ways to restyle an image, by name."""

    def __init__(self, tokenizer: Tokenizer, steps: int):
        vgg16 = jax.device_put(load_lpips("vgg16"))
        self._tokenizer = tokenizer
        self._gram = GramStyle(tokenizer, vgg16, steps=steps)
        self._adain = AdainStyle(tokenizer)
        self._pixels = PixelStyle(vgg16, steps)
        self._decode = compiler.jit(
            lambda variables, latents: image_ops.to_uint8(
                tokenizer.model.apply(variables, latents, method="decode_latents")
            )
        )

    def __call__(self, content, style) -> Iterator[tuple[str, np.ndarray]]:
        through = functools.partial(round_trip, self._tokenizer)
        yield "identity", content
        yield "round trip", through(content)
        for strength in STRENGTHS:
            name = f"codes {strength:g}"
            yield name, self._gram(content, style, strength=strength)
        for strength in OF_OTHERS:
            name = f"AdaIN {strength:g}"
            yield name, self._adain(content, style, strength=strength)
            latents = self._adain.latents(content, style, strength)
            decoded = self._decode(self._tokenizer.variables, latents)
            yield f"{name}, no codes", np.asarray(decoded)[0]
            name = f"pixels {strength:g}"
            found = self._pixels(content, style, strength=strength)
            yield name, found
            yield f"{name}, round trip", through(found)
        yield "Reinhard", reinhard(content, style)
        yield "Reinhard, round trip", through(reinhard(content, style))


def round_trip(tokenizer: Tokenizer, image: np.ndarray) -> np.ndarray:
    """An image through the tokenizer; of multiples of the stride."""
    return tokenizer.reconstruct(image[None])[0]


def reinhard(content: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Mean and deviation of each channel of CIELab as the style image has them.

    Reinhard et al., Color Transfer between Images (2001), in CIELab, which later work
    takes in place of their l-alpha-beta.
    """
    a, b = color.rgb2lab(content), color.rgb2lab(style)
    axes = (0, 1)
    scale = b.std(axes) / np.maximum(a.std(axes), 1e-6)
    moved = (a - a.mean(axes)) * scale + b.mean(axes)
    return np.rint(255 * np.clip(color.lab2rgb(moved), 0, 1)).astype(np.uint8)


class PixelStyle:
    """As `GramStyle` with pixels in place of latents, which is Gatys et al. (2016).

    The content is the image itself, where the optimisation begins, too.
    """

    def __init__(self, vgg16: dict, steps: int):
        self._vgg16, self._steps = vgg16, steps
        optimizer = optax.adam(optax.cosine_decay_schedule(PIXEL_STEP, steps))
        objective, self._start = StyleObjective(), optimizer.init
        features = functools.partial(trunk_features, Lpips(net="vgg16"))

        def targets(vgg16, style, content):
            return objective.targets(features(vgg16, style), features(vgg16, content))

        def step(vgg16, targets, strength, pixels, state):
            def loss(pixels):
                return objective(features(vgg16, pixels), targets, strength)[0]

            updates, state = optimizer.update(jax.grad(loss)(pixels), state)
            return pixels + updates, state

        self._targets, self._step = compiler.jit(targets), compiler.jit(step)

    def __call__(self, content, style, *, strength: float) -> np.ndarray:
        pixels, style = (image_ops.from_uint8(x[None]) for x in (content, style))
        targets = self._targets(self._vgg16, style, pixels)
        state = self._start(pixels)
        for _ in range(self._steps):
            pixels, state = self._step(self._vgg16, targets, strength, pixels, state)
        return np.asarray(image_ops.to_uint8(pixels))[0]


class Judge:
    """The numbers of a result, by name."""

    def __init__(self):
        alexnet = jax.device_put(load_lpips("alexnet"))

        def distances(result, content, style):
            result, content, style = map(image_ops.from_uint8, (result, content, style))
            style = gram_distance(Lpips(net="alexnet"), alexnet, result, style)
            both = lpips({"alexnet": alexnet}, result, content)
            return {"style": style[0], "lpips": both["lpips_alexnet"][0]}

        self._distances = jax.jit(distances)

    def __call__(self, result, content, style) -> dict[str, float]:
        found = self._distances(*(x[None] for x in (result, content, style)))
        found = {name: float(value) for name, value in found.items()}
        return {**found, "edges": edge_correlation(result, content)}


def means(rows: list[dict], style_image: str = "") -> dict[str, dict[str, float]]:
    """way -> its numbers, over all pairs or those of one style image."""
    rows = [row for row in rows if not style_image or row["style_image"] == style_image]
    ways = dict.fromkeys(row["way"] for row in rows)
    return {
        way: {n: np.mean([r[n] for r in rows if r["way"] == way]) for n in NUMBERS}
        for way in ways
    }


def table(rows: list[dict]) -> Table:
    """A row a way: means over all pairs, and "style" for each style image."""
    found = Table()
    headings = ("way", *NUMBERS, *(f"style: {name}" for name in STYLES))
    for heading in headings:
        found.add_column(heading, justify="left" if heading == "way" else "right")
    each = [means(rows, name) for name in STYLES]
    for way, numbers in means(rows).items():
        values = [*numbers.values(), *(of_style[way]["style"] for of_style in each)]
        found.add_row(way, *(f"{value:.3f}" for value in values))
    return found


def curve(rows: list[dict]):
    """A panel a style image: style against LPIPS over strength, and other ways."""
    kinds = ("codes", "pixels", "AdaIN", "Reinhard", "identity")
    legend = {
        kind: {"marker": "o", **style} for kind, style in figures.colours(kinds).items()
    }

    def draw(axis, found):
        for kind, style in legend.items():
            own = [way for way in found if way.split()[0] == kind and "," not in way]
            # Strength 0 is the round trip of codes, and the image itself of pixels.
            zero = {"codes": ["round trip"], "AdaIN": ["round trip"]}
            ways = [*zero.get(kind, ["identity"] * (kind == "pixels")), *own]
            points = [(found[way]["lpips"], found[way]["style"]) for way in ways]
            axis.plot(*zip(*points, strict=True), **style)
        axis.set_xlabel("LPIPS-AlexNet to the content")
        axis.set_ylabel("distance of Gram matrices to the style")

    panels = {name: functools.partial(draw, found=means(rows, name)) for name in STYLES}
    panels["all"] = functools.partial(draw, found=means(rows))
    return figures.grid(panels, legend)


if __name__ == "__main__":
    main()
