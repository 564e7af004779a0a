"""Scores images, and maps their pixels, by how unlike they are to normal ones.

The prior and its tokenizer were trained on normal images. OUT/scores.json has, of each
image, nats_per_pixel: -log p of its codes over height x width; and residual: how far it
is, in levels of 255, from itself with the unlikely codes drawn anew. OUT/NAME.png shows
the image, the map of the nats and that of the residual, from black over red and yellow
to white: at twice the threshold, and at 128 levels.

Codes are unlikely above a threshold: a quantile of the nats of codes of normal images
that were not trained on, by default of the run's evaluation split. Images have any size
and mode that reconstruct takes. Broken ones are left out and named, and the exit code
is 2 then.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from etils import epath
from ml_collections import ConfigDict
from rich.console import Console

from vq_jax.cli import arguments, compiled_programs, each_image, exits, image_files
from vq_jax.cli.each_image import Picture
from vq_jax.errors import InputError

FLAGS = {
    **image_files.FLAGS,
    r"config\.tokenizer": "--tokenizer",
    r"\b(threshold|quantile|num|seed|num_normal)=": r"--\1=",
}
# Flags of the calibration, with their defaults.
CALIBRATION = {"normal": None, "num_normal": 256, "quantile": 0.97}
SCORES = "scores.json"
WHITE_LEVELS = 128  # of the residual


def main(argv: Sequence[str]) -> None:
    """Writes scores and maps."""
    parser = arguments.Parser("detect", __doc__)
    text = "folder of a prior's training run, on normal images"
    arguments.add_workdir(parser, text)
    text = image_files.HELP
    parser.add_argument("--images", type=arguments.path, required=True, help=text)
    text = f"folder for {SCORES} and the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = "normal images that were not trained on; default: the run's eval_split"
    parser.add_argument("--normal", type=arguments.path, help=text)
    text = "so many of them set the threshold; default: 256"
    parser.add_argument("--num_normal", type=int, help=text)
    text = "of the nats of their codes, that is the threshold; default: 0.97"
    parser.add_argument("--quantile", type=float, help=text)
    text = "nats above which a code is drawn anew, in place of the three above"
    parser.add_argument("--threshold", type=float, help=text)
    text = "samples of an image; default: 4"
    parser.add_argument("--num", type=int, default=4, help=text)
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _detect(args)


def _detect(args) -> None:
    from vq_jax.inference.load_prior import open_prior
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder, write_json

    check_flags(GUARDS, "detect")
    _settle_calibration(args)
    saved = open_prior(args.workdir, args.tokenizer)
    _check_images(args, saved.config.data)
    out, console = make_folder(args.out, "--out"), exits.console()
    normal = _NormalImages(args.normal, saved.config.data, console)
    detector = _detector(args, saved, normal)
    console.print(
        f"codes of more than {detector.threshold:.3f} nats are drawn anew",
        soft_wrap=True,
    )
    scores = {}

    def through(picture: Picture) -> Picture:
        return _through(detector, scores, picture)

    try:
        each_image.convert(
            args.images, out, saved.config.data, through, compare=False, together=""
        )
    finally:  # broken images end in an error, after the others
        if scores:
            settings = {
                "workdir": str(args.workdir),
                "step": saved.step,
                "digest": saved.digest,
                "threshold": detector.threshold,
                "calibration": _calibration(args, normal),
                "num_samples": detector.num_samples,
                "seed": detector.seed,
            }
            path = write_json(out / SCORES, {**settings, "images": scores})
            console.print(f"wrote {path} ({len(scores)} images)", soft_wrap=True)
    if normal.broken:
        count = normal.num_read + len(normal.broken)
        raise InputError(f"--normal: {image_files.left_out(normal.broken, count)}")


def _settle_calibration(args) -> None:
    """Gives the flags of the calibration their defaults.

    Raises:
        InputError: one of them is given, and the threshold too.
    """
    for name, default in CALIBRATION.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
        elif args.threshold is not None:
            raise InputError(
                f"--{name} finds a threshold, and threshold={args.threshold:g} is "
                "one; leave one of them out."
            )


def _check_images(args, data) -> None:
    """Raises InputError where there are none, before any work."""
    out = epath.Path(args.out)
    next(image_files.each(args.images, data, lambda name: out / f"{name}.png"))
    if args.normal:
        next(_given(args.normal, data))


def _calibration(args, normal) -> dict | None:
    """Where the threshold came from; None where it was given."""
    if args.threshold is not None:
        return None
    return {
        "normal": normal.place,
        "num_normal": normal.num_read,
        "quantile": args.quantile,
    }


def _detector(args, saved, normal):
    """One of the threshold that is given, or that normal images have."""
    from vq_jax.apps.anomaly import AnomalyDetector
    from vq_jax.config.checks import check_range
    from vq_jax.inference.sampler import Sampler

    check_range(args.quantile, 0.0, 0.999_999, where="quantile")
    check_range(args.num_normal, 1, where="num_normal")
    check_range(args.num, 1, where="num")
    sampler = Sampler(saved, batch_size=args.num)  # images come one by one
    # Checked before anything is computed, whatever the threshold will be.
    given = 0.0 if args.threshold is None else args.threshold
    detector = AnomalyDetector(sampler, given, args.num, args.seed)
    if args.threshold is not None:
        return detector
    normal.console.print(f"calibrating on {normal.place}", soft_wrap=True)
    return AnomalyDetector.calibrated(
        sampler,
        (image[None] for image in itertools.islice(normal, args.num_normal)),
        quantile=args.quantile,
        num_samples=args.num,
        seed=args.seed,
    )


@dataclasses.dataclass
class _NormalImages:
    """uint8 [h, w, c] of a file, a folder or "photos"; or of the evaluation split.

    Attributes:
        spec: what the user gives; None is the split.
        data: `config.data` of the prior's run.
        console: where broken images are named.
        num_read: images so far.
        broken: names of those that were left out.
    """

    spec: str | None
    data: ConfigDict
    console: Console
    num_read: int = 0
    broken: list[str] = dataclasses.field(default_factory=list)

    @property
    def place(self) -> str:
        """Where they come from."""
        return self.spec or f"the run's split {self.data.eval_split!r}"

    def __iter__(self) -> Iterator[np.ndarray]:
        for image in self._of_split() if self.spec is None else self._of_files():
            self.num_read += 1
            yield image

    def _of_split(self) -> Iterator[np.ndarray]:
        from vq_jax.data import pipeline

        split = self.data.eval_split
        for batch in pipeline.eval_batches(self.data, split, batch_size=1):
            if batch["mask"][0]:
                yield batch["image"][0]

    def _of_files(self) -> Iterator[np.ndarray]:
        for name, read in _given(self.spec, self.data):
            try:
                image = read()
            except InputError as error:
                text = f"left out {name} of --normal: {error}"
                self.console.print(text, soft_wrap=True)
                self.broken.append(name)
                continue
            yield image


def _given(spec: str, data) -> Iterator:
    """Images that nothing is written for."""
    numbers = itertools.count()
    return image_files.each(spec, data, lambda _: epath.Path(f"{next(numbers)}"))


def _through(detector, scores: dict, picture: Picture) -> Picture:
    """The picture beside its maps."""
    from vq_jax.evaluation import pictures

    found = detector.detect(picture.image[None])
    scores[picture.name] = {
        "nats_per_pixel": float(found.nats_per_pixel[0]),
        "residual": float(found.mean_residual[0]),
        "redrawn": float(found.redrawn[0]),
    }
    white = 2 * max(detector.nats_scale, 1e-6)
    shown = pictures.side_by_side(
        pictures.to_rgb(picture.image[None])[0],
        pictures.heat(found.nats[0] / white),
        pictures.heat(found.residual[0] / WHITE_LEVELS),
    )
    text = "{nats_per_pixel:.4f} nats a pixel, residual {residual:.2f}, {redrawn:.1%}"
    fitted = text.format(**scores[picture.name]) + " of codes drawn anew"
    return dataclasses.replace(picture, result=shown, fitted=fitted)
