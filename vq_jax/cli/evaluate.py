"""Measures how well a tokenizer reconstructs a split, and how it uses its codebook.

Writes WORKDIR/eval/SPLIT.json and SPLIT.png, and prints the table.
"""

from collections.abc import Sequence

from etils import epath

from vq_jax.cli import arguments, exits


def main(argv: Sequence[str]) -> None:
    """Evaluates the latest checkpoint."""
    parser = arguments.Parser("evaluate", __doc__)
    parser.add_argument("--workdir", required=True, help="folder of a training run")
    parser.add_argument("--split", help="default: the run's config.data.eval_split")
    parser.add_argument("--data", help="another source than the run's, as folder:PATH")
    parser.add_argument("--batch_size", type=int, help="default: the run's")
    parser.add_argument("--lpips", help="nets, as alexnet,vgg16; default: the run's")
    args = parser.parse_args(argv[1:])
    with exits.clear_errors():
        _evaluate(args)


def _evaluate(args) -> None:
    import jax

    from vq_jax import sharding
    from vq_jax.data import pipeline
    from vq_jax.evaluation import pictures, reconstruction, report
    from vq_jax.inference.load import load_workdir
    from vq_jax.pretrained.lpips import load_nets

    trained = load_workdir(args.workdir)
    model, data = trained.model, trained.config.data
    split = args.split or data.eval_split
    name = split
    if args.data and args.data != data.source:
        data.source = args.data
        name = f"{_slug(args.data)}_{split}"
    # All devices here, whatever the mesh was in training: variables are replicated.
    mesh = sharding.make_mesh(data=-1, fsdp=1)
    batch_size = args.batch_size
    if batch_size is None:
        batch_size = trained.config.eval.batch_size
    sharding.check_batch_size(batch_size, mesh, "--batch_size")
    everywhere = sharding.replicated(mesh)
    variables = jax.device_put(trained.variables, everywhere)
    if args.lpips is None:
        judges = trained.config.eval.get("lpips", ())  # absent in runs before it
    else:
        judges = [net for net in args.lpips.split(",") if net]
    nets = jax.device_put(load_nets(judges), everywhere)
    batches = pipeline.eval_batches(data, split, batch_size=batch_size)
    result = reconstruction.evaluate(
        jax.jit(reconstruction.make_eval_step(model)),
        variables,
        (sharding.global_batch(batch, mesh) for batch in batches),
        model,
        image_size=data.image_size,
        nets=nets,
    )
    folder = epath.Path(args.workdir) / "eval"
    origin = {"source": data.source, "split": split, "step": trained.step}
    path = report.write_json(folder / f"{name}.json", {**result, **origin})
    images = pipeline.first_images(data, split, pictures.NUM_PICTURES)
    recons = jax.jit(reconstruction.make_reconstruct(model))(variables, images)
    grid = pictures.comparison_grid(images, jax.device_get(recons))
    picture = pictures.write_png(folder / f"{name}.png", grid)
    console = exits.console()
    title = f"{data.source}, split {split}, step {trained.step}"
    report.print_table(result, title=title, console=console)
    console.print(f"wrote {path}", soft_wrap=True)
    console.print(f"wrote {picture} (originals above reconstructions)", soft_wrap=True)


def _slug(source: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in source).strip("-")
