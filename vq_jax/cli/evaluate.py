"""Measures how well a tokenizer reconstructs a split, a prior predicts its codes, or a
restorer undoes what is done to it.

Runs all evaluations of the run's configuration, writes SPLIT.json and pictures into
WORKDIR/eval or OUT, and prints the table.
"""

import re
from collections.abc import Sequence

from etils import epath

from vq_jax.cli import arguments, compiled_programs, exits
from vq_jax.errors import InputError

FLAGS = {
    **arguments.DATA_FLAGS,
    r"config\.data\.source": "--data",
    r"config\.tokenizer": "--tokenizer",
    r"config\.evaluations\.\w+\.(batch_size|lpips|features)": r"--\1",
}


def main(argv: Sequence[str]) -> None:
    """Evaluates the latest checkpoint."""
    parser = arguments.Parser("evaluate", __doc__)
    arguments.add_workdir(parser, "folder of a training run")
    text = "folder for the results; default: eval in that of the run"
    parser.add_argument("--out", type=arguments.path, help=text)
    parser.add_argument("--split", help="default: the run's config.data.eval_split")
    parser.add_argument("--data", help="another source than the run's, as folder:PATH")
    parser.add_argument("--batch_size", type=int, help="default: the run's")
    text = "networks of LPIPS, as alexnet,vgg16; default: the run's"
    parser.add_argument("--lpips", type=arguments.words, help=text)
    text = "networks that judge samples, as lite0,alexnet; default: the run's"
    parser.add_argument("--features", type=arguments.words, help=text)
    arguments.add_tokenizer(parser)
    arguments.add_data_flags(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _evaluate(args)


def _evaluate(args) -> None:
    import jax

    from vq_jax import sharding
    from vq_jax.inference.load import load_variables
    from vq_jax.pretrained.nets import load
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.training.tasks.build import build_task
    from vq_jax.workdirs import checkpoint, files

    check_flags(GUARDS, "evaluate")
    config, step = checkpoint.load_config(args.workdir)
    name = _apply_flags(config, args)
    # All devices here, whatever the mesh was in training: variables are replicated.
    mesh = sharding.make_mesh(data=-1, fsdp=1)
    if args.batch_size is not None:
        sharding.check_batch_size(args.batch_size, mesh, "--batch_size")
    task = build_task(config)
    checkpoint.check_origin(args.workdir, step, task.origin)
    evaluations = task.evaluations(mesh).values()
    out = args.out or epath.Path(args.workdir) / "eval"
    out = files.make_folder(out, "--out")
    everywhere = sharding.replicated(mesh)
    state = task.model_state(jax.eval_shape(task.init, jax.random.key(0)))
    variables = load_variables(
        args.workdir,
        step,
        state.inference_variables(),
        averaged=bool(state.ema_params),
        place=everywhere,
    )
    nets = {k: net for evaluation in evaluations for k, net in evaluation.nets.items()}
    nets = jax.device_put(load(nets), everywhere)
    reports = [evaluation(variables, nets) for evaluation in evaluations]
    _write(config.data, out, name, step, reports)


def _apply_flags(config, args) -> str:
    """Changes what the flags name; returns the name of the files to write."""
    data = config.data
    if args.tokenizer:
        _name_tokenizer(config, args.tokenizer)
    arguments.apply_data_flags(data, args)
    data.eval_split = args.split or data.eval_split
    name = _file_name(data.eval_split)
    if args.data and args.data != data.source:
        data.source = args.data
        data.exclude_labels = ()  # they number the classes of the run's source
        name = f"{_slug(args.data)}_{name}"
        for section in config.evaluations.values():
            # The other source need not have the split that the run learnt from.
            section.update({"train_images": 0} if "train_images" in section else {})
    changes = {"max_images": 0}  # the whole split
    if args.batch_size is not None:
        changes["batch_size"] = args.batch_size
    for networks in ("lpips", "features"):
        if getattr(args, networks) is not None:
            changes[networks] = tuple(getattr(args, networks))
    for section in config.evaluations.values():
        section.update({k: v for k, v in changes.items() if k in section})
    return name


def _name_tokenizer(config, tokenizer: str) -> None:
    if "tokenizer" not in config:
        raise InputError(
            f"--tokenizer={tokenizer} is for runs on codes, and config.task of this is "
            f"{config.task!r}; leave it out."
        )
    config.tokenizer = tokenizer


def _write(data, folder: epath.Path, name: str, step: int, reports) -> None:
    from vq_jax.evaluation import pictures, report
    from vq_jax.metrics.joined import joined
    from vq_jax.workdirs.files import write_json

    console = exits.console()
    metrics = joined(*(found.metrics for found in reports))
    origin = {"source": data.source, "split": data.eval_split, "step": step}
    path = write_json(folder / f"{name}.json", {**metrics, **origin})
    title = f"{data.source}, split {data.eval_split}, step {step}"
    report.print_table(metrics, title=title, console=console)
    console.print(f"wrote {path}", soft_wrap=True)
    drawn = joined(*(found.pictures for found in reports))
    for picture, pixels in drawn.items():
        own = "" if picture == "reconstructions" else f"_{picture}"
        path = pictures.write_png(folder / f"{name}{own}.png", pixels)
        console.print(f"wrote {path} ({picture})", soft_wrap=True)


def _file_name(text: str) -> str:
    """`text` as the name of a file: nothing in it leads to another folder."""
    return re.sub(r"[/\\]", "-", text).lstrip(".") or "-"


def _slug(source: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in source).strip("-")
