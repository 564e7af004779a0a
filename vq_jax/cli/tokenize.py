"""Writes a data set, or a folder of images, as codes on disk.

`vq_jax.data.codes.CodeSource(OUT)` reads them back.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, exits


def main(argv: Sequence[str]) -> None:
    """Writes codes and labels."""
    parser = arguments.Parser("tokenize", __doc__)
    parser.add_argument("--workdir", required=True, help="folder of a training run")
    parser.add_argument("--out", required=True, help="folder for the codes")
    parser.add_argument("--split", help="default: train; of --images, all")
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--data", help="source, as tfds:NAME; default: the run's own")
    given.add_argument("--images", help="a folder of images, all of it")
    args = parser.parse_args(argv[1:])
    with exits.clear_errors():
        _tokenize(args)


def _tokenize(args) -> None:
    from vq_jax.data import codes, pipeline
    from vq_jax.inference.load import load_workdir
    from vq_jax.inference.tokenizer import Tokenizer

    trained = load_workdir(args.workdir)
    tokenizer = Tokenizer(trained.model, trained.variables)
    data = trained.config.data
    split = args.split or ("all" if args.images else data.train_split)
    if args.images:
        data.source = f"folder:{args.images}"
    elif args.data:
        data.source = args.data
    batch_size = trained.config.evaluations.reconstruction.batch_size

    def encoded():
        for batch in pipeline.eval_batches(data, split, batch_size=batch_size):
            real = batch["mask"] > 0
            yield tokenizer.encode(batch["image"][real]), batch["label"][real]

    count = codes.write_codes(
        args.out,
        encoded(),
        codebook_size=tokenizer.codebook_size,
        origin={
            "source": data.source,
            "split": split,
            "image_size": data.image_size,
            "stride": tokenizer.stride,
            "workdir": str(args.workdir),
            "step": trained.step,
        },
    )
    exits.console().print(f"wrote the codes of {count} images to {args.out}")
