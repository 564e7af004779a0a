"""Writes a data set, or a folder of images, as codes on disk.

Images of a folder are encoded whole, those of a data set as training crops them; --fit
chooses. `vq_jax.data.codes.CodeSource(OUT)` reads codes and labels, and images.csv in
OUT has the names of the files.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from etils import epath

from vq_jax.cli import arguments, exits
from vq_jax.errors import InputError
from vq_jax.inference.fit import FITS, Fit


def main(argv: Sequence[str]) -> None:
    """Writes codes, labels and names."""
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
    arguments.add_data_flags(parser)
    args = parser.parse_args(argv[1:])
    source = "--images" if args.images else "--data"
    flags = {**arguments.DATA_FLAGS, r"config\.data\.source": source}
    with exits.clear_errors(flags):
        _tokenize(args)


def _tokenize(args) -> None:
    from vq_jax.data import codes, pipeline
    from vq_jax.inference.load import load_workdir
    from vq_jax.inference.tokenizer import Tokenizer
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "tokenize")
    trained = load_workdir(args.workdir)
    tokenizer = Tokenizer(trained.model, trained.variables)
    data = trained.config.data
    split = args.split or ("all" if args.images else data.train_split)
    if args.images:
        data.source = f"folder:{args.images}"
    elif args.data:
        data.source = args.data
    arguments.apply_data_flags(data, args)
    fit = Fit(args.fit or ("whole" if args.images else "crop"), data, tokenizer.stride)
    records = pipeline.open_records(data, split)
    make_folder(args.out, "--out")
    exits.console().print(str(fit), soft_wrap=True)
    fitted = pipeline.each_record(data, records, fit)
    images = list(_encoded(tokenizer, fitted, data.source))
    codes.write_codes(
        args.out,
        images,
        codebook_size=tokenizer.codebook_size,
        classes=records.source.classes,
        origin={
            "source": data.source,
            "split": split,
            "fit": fit.kind,
            "preprocessing": str(fit),
            "skipped": [*records.skipped.values()],
            "image_size": data.image_size,
            "stride": tokenizer.stride,
            "workdir": str(args.workdir),
            "step": trained.step,
        },
    )
    _report(args.out, [image.codes.shape for image in images], records)


def _encoded(tokenizer, images: Iterable, source: str) -> Iterator:
    """An `EncodedImage` of each `FittedImage`; neighbours of one size go together."""
    import numpy as np

    from vq_jax.data.codes import EncodedImage

    root = f"{epath.Path(source.removeprefix('folder:')).expanduser()}/"
    for shape, group in itertools.groupby(images, lambda fitted: fitted.image.shape):
        most = tokenizer.most_at_once(*shape[:2])
        while batch := list(itertools.islice(group, most)):
            _check_size(tokenizer, shape, batch[0].name)
            codes = tokenizer.encode(np.stack([fitted.image for fitted in batch]))
            for row, (_, size, label, name) in zip(codes, batch, strict=True):
                yield EncodedImage(row, name.removeprefix(root), label, size)


def _check_size(tokenizer, shape: tuple[int, ...], name: str) -> None:
    """Raises InputError where the codes are those of one size of images only."""
    try:
        tokenizer.model.tokens_shape(*shape[:2])
    except InputError as error:
        raise InputError(
            f"{name}: {error} --fit=crop makes all images as large as in training."
        ) from error


def _report(out: str, shapes: Sequence[tuple[int, ...]], records) -> None:
    sizes = ["x".join(map(str, shape)) for shape in sorted(set(shapes))]
    each = f"{sizes[0]} each" if len(sizes) == 1 else f"from {sizes[0]} to {sizes[-1]}"
    exits.console().print(
        f"wrote the codes of {len(shapes)} images, {each}, to {out}", soft_wrap=True
    )
    if records.skipped:
        exits.console().print(f"left out {len(records.skipped)} broken images")
