"""Draws new images from a trained prior.

OUT/images has them as PNG files, OUT/samples.npz all together as ADM's evaluator reads
them (arr_0: uint8 [n, h, w, 3], arr_1: labels), OUT/grid.png the first ones, and
OUT/samples.json says how they were drawn. OUT has to be new; it appears when all is
done. The same seed gives the same images, whatever the batch size, and the first ones
of a larger sample.
"""

import datetime
import time
from collections.abc import Iterator, Sequence

from vq_jax.cli import arguments, compiled_programs, exits, sampling_flags
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError

FLAGS = {
    r"config\.tokenizer": "--tokenizer",
    r"\bsampling\.(\w+)": r"--\1",
    r"\b(top_k|guidance|seed|batch_size)=": r"--\1=",
    r"\blabels=": "--label=",
}


def main(argv: Sequence[str]) -> None:
    """Draws and writes the images."""
    parser = arguments.Parser("sample", __doc__)
    arguments.add_workdir(parser, "folder of a prior's training run")
    text = "new folder for the images"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = "number of images; default: 64"
    parser.add_argument("--num", type=int, default=64, help=text)
    text = (
        "a class by number or name, digits being a number; several in turn, as 3,5; "
        "all: each in turn, so that there are equally many; none. Default: all, where "
        "the prior has classes"
    )
    parser.add_argument("--label", type=arguments.all_words, help=text)
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    sampling_flags.add(parser)
    text = "images at once; default: 64, or all of fewer"
    parser.add_argument("--batch_size", type=int, help=text)
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _sample(args)


def _sample(args) -> None:
    from vq_jax.evaluation import image_set
    from vq_jax.inference.load_prior import open_prior
    from vq_jax.inference.sampler import Sampler
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import check_new_folder

    check_flags(GUARDS, "sample")
    check_range(args.num, 1, where="--num")
    out, console = check_new_folder(args.out, "--out"), exits.console()
    saved = open_prior(args.workdir, args.tokenizer)
    batch_size = min(64, args.num) if args.batch_size is None else args.batch_size
    sampler = Sampler(saved, batch_size=batch_size)
    given = sampling_flags.given(args)
    labels = _labels(args.label, args.num)
    batches = sampler.code_batches(args.num, labels, args.seed, **given)
    images = ((sampler.decode(codes), part) for codes, part in batches)
    image_set.write(
        out,
        _with_progress(images, args.num, console),
        image_shape=sampler.image_shape,
        count=args.num,
        columns=_columns(labels, sampler.prior.num_classes),
        card=_card(args, saved, sampler, given),
    )
    console.print(f"wrote {args.num} images to {out}", soft_wrap=True)


def _labels(words: list[str] | None, count: int):
    """What `sample_codes` takes as labels."""
    if words == []:
        raise InputError("--label= is empty; name a class, all or none.")
    if words is None or len(words) == 1:
        return words and words[0]
    return [words[i % len(words)] for i in range(count)]


def _columns(labels, num_classes: int) -> int:
    """Of the grid: a class each, where all are drawn and there are few."""
    return num_classes if labels in (None, "all") and 1 < num_classes <= 16 else 8


def _card(args, saved, sampler, given: dict) -> dict:
    """How the images were drawn."""
    import vq_jax
    from vq_jax.inference.settings import settings_card

    return {
        "vq_jax": vq_jax.__version__,
        **saved.card(),
        "num": args.num,
        "seed": args.seed,
        "labels": ",".join(
            args.label or ["all" if saved.prior.num_classes else "none"]
        ),
        "labels_in_turn": True,
        "sampling": settings_card(sampler, **given),
        "batch_size": sampler.batch_size,
    }


def _with_progress(batches, total: int, console) -> Iterator:
    """The batches; says every ten seconds how far it has come."""
    done, started = 0, time.monotonic()
    said = started
    for images, labels in batches:
        yield images, labels
        done, now = done + len(images), time.monotonic()
        if now - said >= 10 and done < total:
            rate, said = done / (now - started), now
            left = datetime.timedelta(seconds=round((total - done) / rate))
            console.print(f"{done} of {total} · {rate:.1f} images/s · {left} left")
