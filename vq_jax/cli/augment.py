"""Whether a tokenizer and a prior with classes help to train a classifier.

A small classifier is trained on real images, on these through the tokenizer, on images
of the prior, on real and such images together, and on real images with flips and crops
or RandAugment: as many steps each, with several seeds. It learns from the very images
that prior and tokenizer were trained on, and is tested on others once, at the end.

OUT/augmentation.json has all numbers and how they were made, OUT/augmentation.md the
tables, OUT/images.png some images of each kind. OUT has to be new; it appears when all
is done. Several --workdir, as of priors trained on fewer and on more images, give a
table each.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, compiled_programs, exits, sampling_flags
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError

FLAGS = {
    r"\bsampling\.(\w+)": r"--\1",
    r"\b(top_k|guidance)=": r"--\1=",
    r"\btest_split=": "--test_split=",
}
MIN_SEEDS = 5
SAMPLED_AT_ONCE = 256


def main(argv: Sequence[str]) -> None:
    """Trains the classifiers, prints and writes the tables."""
    parser = arguments.Parser("augment", __doc__)
    text = "folder of a prior's training run; may be given several times"
    parser.add_argument(
        "--workdir", type=arguments.path, required=True, action="append", help=text
    )
    text = "new folder for the results"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = "split of real images to test on; default: the run's eval_split"
    parser.add_argument("--test_split", help=text)
    text = f"classifiers an arm, {MIN_SEEDS} or more; default: {MIN_SEEDS}"
    parser.add_argument("--num_seeds", type=int, default=MIN_SEEDS, help=text)
    text = "of everything; default: 0"
    parser.add_argument("--seed", type=int, default=0, help=text)
    text = "of each classifier's training; default: 1000"
    parser.add_argument("--num_steps", type=int, default=1_000, help=text)
    text = "images of a step; default: 64"
    parser.add_argument("--batch_size", type=int, default=64, help=text)
    text = "the highest of the classifier's AdamW; default: 0.002"
    parser.add_argument("--learning_rate", type=float, default=2e-3, help=text)
    text = "of the classifier's convolutions; default: 16,32,64"
    parser.add_argument("--channels", type=arguments.sequence, help=text)
    parser.set_defaults(channels=[16, 32, 64])
    text = "generated images of its class for each real image; default: 1"
    parser.add_argument("--generated_per_real", type=int, default=1, help=text)
    sampling_flags.add(parser, without=["num_steps"])  # that of the classifier
    args = parser.parse_args(argv[1:])
    args.sampling = sampling_flags.given(args)
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _augment(args)


def _augment(args) -> None:
    from vq_jax.apps.augmentation import report
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import check_new_folder

    check_flags(GUARDS, "augment")
    _check(args)
    out, console = check_new_folder(args.out, "--out"), exits.console()
    # All of them before any work, so that no error comes after an hour.
    opened = [_open(workdir, args) for workdir in args.workdir]
    finished = []
    for saved, experiment in opened:
        arms = _run(saved, experiment, args.num_seeds, console)
        finished.append(report.Finished(saved, experiment, arms))
        _print(finished[-1], console)
    report.write(out, finished)
    console.print(f"wrote {out}", soft_wrap=True)


def _check(args) -> None:
    if args.num_seeds < MIN_SEEDS:
        raise InputError(
            f"--num_seeds={args.num_seeds} gives no interval to rely on; give "
            f"{MIN_SEEDS} or more."
        )
    check_range(args.seed, 0, 2**32 - 1, where="--seed")
    for name in ("num_steps", "batch_size", "generated_per_real"):
        check_range(getattr(args, name), 1, where=f"--{name}")
    for width in args.channels:
        check_range(width, 1, 2**12, where="--channels")
    check_range(args.learning_rate, 1e-6, 1.0, where="--learning_rate")
    if len({*args.workdir}) < len(args.workdir):
        raise InputError("--workdir names one folder twice; name each once.")


def _open(workdir: str, args):
    """The prior of a run, and the experiment with it; all that can be checked is."""
    from vq_jax.apps.augmentation.data_sets import open_data_sets
    from vq_jax.apps.augmentation.experiment import Experiment
    from vq_jax.inference.load_prior import open_prior
    from vq_jax.inference.sampler import Sampler

    saved = open_prior(workdir)
    sampler = Sampler(saved, batch_size=SAMPLED_AT_ONCE)
    sampler.settings(**args.sampling)
    return saved, Experiment(
        sampler=sampler,
        data_sets=open_data_sets(saved, args.test_split),
        num_steps=args.num_steps,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        channels=tuple(args.channels),
        generated_per_real=args.generated_per_real,
        seed=args.seed,
        sampling=args.sampling,
    )


def _run(saved, experiment, num_seeds: int, console) -> list:
    """The arms over all seeds; says what each classifier reached."""
    from vq_jax.apps.augmentation import summary
    from vq_jax.apps.augmentation.experiment import ARMS

    sets = experiment.data_sets
    console.print(
        f"{saved.workdir}: {len(sets.train)} real images; tested on {len(sets.test)} "
        f"of {sets.test_split!r}, of which {sets.copies} are training images, too",
        soft_wrap=True,
    )
    accuracies, num_images, done = {arm.name: [] for arm in ARMS}, {}, 0
    for number in range(num_seeds):
        console.print(f"seed {number}: drawing images of the prior")
        for trained in experiment.repetition(number):
            accuracies[trained.arm].append(trained.accuracy)
            num_images[trained.arm] = trained.num_images
            done += 1
            console.print(
                f"{done} of {num_seeds * len(ARMS)} · seed {number} · {trained.arm}: "
                f"{trained.accuracy:.2%}",
                soft_wrap=True,
            )
    return summary.summarise(accuracies, num_images)


def _print(finished, console) -> None:
    """The table, narrow enough for 80 columns, and what follows from it."""
    from rich.table import Table

    from vq_jax.apps.augmentation import summary

    table = Table(title=finished.title, title_justify="left")
    table.add_column("trained on")
    for heading in ("accuracy, %", "gain, points"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for arm in finished.arms:
        accuracy, gain = arm.accuracy, arm.gain
        table.add_row(
            arm.name,
            f"{100 * accuracy.mean:.2f} ± {100 * accuracy.width:.2f}",
            gain and f"{100 * gain.mean:+.2f} ± {100 * gain.width:.2f}",
            arm.verdict,
        )
    console.print(table)
    console.print(summary.verdict(finished.arms), soft_wrap=True)
