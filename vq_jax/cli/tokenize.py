"""Writes a data set, or a folder of images, as codes on disk.

Images of a folder are encoded whole, those of a data set as training's evaluations see
them; --fit chooses. `vq_jax.data.codes.CodeSource(OUT)` reads codes and labels, and the
names of the files. A prior learns from OUT/train and OUT/test with --config.codes=OUT.

The same command goes on where it was stopped, however that was, and writes the same
files. Two shards of codes are in memory.
"""

from collections.abc import Sequence

from etils import epath

from vq_jax.cli import arguments, compiled_programs, exits
from vq_jax.inference.fit import FITS, Fit


def main(argv: Sequence[str]) -> None:
    """Writes codes, labels and names."""
    args = _parser().parse_args(argv[1:])
    source = "--images" if args.images else "--data"
    flags = {**arguments.DATA_FLAGS, r"config\.data\.source": source}
    with arguments.joined(args), exits.clear_errors(flags):
        compiled_programs.keep()
        _tokenize(args)


def _parser() -> arguments.Parser:
    from vq_jax.data.transforms import CROPS

    parser = arguments.Parser("tokenize", __doc__)
    arguments.add_workdir(parser, "folder of a training run")
    parser.add_argument(
        "--out", type=arguments.path, required=True, help="folder for the codes"
    )
    parser.add_argument("--split", help="default: train; of --images, all")
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--data", help="source, as tfds:NAME; default: the run's own")
    text = "a folder of images, all of it"
    given.add_argument("--images", type=arguments.path, help=text)
    text = (
        "whole: all of each image; resize: that, with its shorter side scaled to the "
        "size of training; crop: the centre, as training's evaluations see it. "
        "Default: whole of --images, crop of data sets"
    )
    parser.add_argument("--fit", choices=FITS, help=text)
    text = "crops of each image: the centre, and others at random, as in training"
    parser.add_argument("--crops", type=int, default=1, help=text)
    text = "how random crops are taken; default: as the run takes them"
    parser.add_argument("--crop", choices=CROPS[1:], help=text)
    text = "the mirror image of each crop, too"
    parser.add_argument("--flip", action="store_true", help=text)
    parser.add_argument("--seed", type=int, default=0, help="of random crops")
    text = "images of a file of codes; those of two are kept in memory. Default: 4096"
    parser.add_argument("--shard_size", type=int, default=4096, help=text)
    arguments.add_distributed(parser)
    arguments.add_data_flags(parser)
    return parser


def _tokenize(args) -> None:
    import jax

    from vq_jax.config.checks import check_range
    from vq_jax.data import pipeline
    from vq_jax.inference.encoding import code_settings
    from vq_jax.inference.load import open_workdir
    from vq_jax.inference.tokenizer import Tokenizer, check_has_codes
    from vq_jax.inference.views import Views
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder
    from vq_jax.workdirs.lock import LOCK, locked

    check_flags(GUARDS, "tokenize")
    check_range(args.shard_size, 1, where="--shard_size")
    trained = open_workdir(args.workdir)
    check_has_codes(trained.model, "tokenize")
    tokenizer = Tokenizer(trained.model, trained.load())
    data = trained.config.data
    split = args.split or ("all" if args.images else data.train_split)
    source = f"folder:{args.images}" if args.images else args.data or data.source
    # They number the classes of the run's source; and --images is all of a folder.
    if args.images or source != data.source:
        data.exclude_labels = ()
    data.source = source
    data.crop = args.crop or data.crop
    arguments.apply_data_flags(data, args)
    fit = Fit(args.fit or ("whole" if args.images else "crop"), data, tokenizer.stride)
    views = Views(fit=fit, crops=args.crops, mirror=args.flip, seed=args.seed)
    records = pipeline.open_records(data, split, random_crops=args.crops > 1)
    make_folder(args.out, "--out")
    console = exits.console()
    first = jax.process_index() == 0
    console.quiet = console.quiet or not first
    console.print(str(views), soft_wrap=True)
    settings = code_settings(trained, views, records, args.shard_size)
    settings["workdir"] = str(args.workdir)
    with locked(args.out, "--out"):
        try:
            _write(args.out, settings, console, tokenizer, views, records)
            if first:
                _report(args.out, console)
        finally:  # whatever ends this, the folder has codes only
            if first:
                (epath.Path(args.out) / LOCK).unlink(missing_ok=True)


def _write(out: str, settings: dict, console, tokenizer, views, records) -> None:
    """Writes the shards of this process that are missing, and the card."""
    import jax

    from vq_jax.data.code_writer import CodeWriter
    from vq_jax.inference.encoding import write_codes

    folder = epath.Path(views.fit.data.source.removeprefix("folder:")).expanduser()
    writer = CodeWriter(
        out,
        settings,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    write_codes(writer, tokenizer, records, views, root=f"{folder}/", say=console.print)


def _report(out: str, console) -> None:
    from vq_jax.data.codes import CodeSource

    source = CodeSource(out)
    sizes = ["x".join(map(str, shape)) for shape in source.token_shapes]
    each = f"{sizes[0]} each" if len(sizes) == 1 else f"from {sizes[0]} to {sizes[-1]}"
    views = f" in {source.num_views} views" if source.num_views > 1 else ""
    console.print(
        f"wrote the codes of {source.num_images} images{views}, {each}, to {out}",
        soft_wrap=True,
    )
    if source.card["skipped"]:
        console.print(f"left out {len(source.card['skipped'])} broken images")
