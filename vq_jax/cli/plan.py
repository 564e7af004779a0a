"""What the step of a run needs and costs on chips that are not there.

Compiles the step of any kind of run, by the chips' own compiler and on shapes alone: no
chips, data, workdir or pretrained weights. Times are the compiler's estimates.
"""

import os
from collections.abc import Sequence

from vq_jax.cli import arguments, exits
from vq_jax.cli.configuration import load_config
from vq_jax.errors import InputError

# libtpu asks for the machine it runs on, which is none of its kind, and refuses to be
# loaded beside another process: planning uses no chip.
ENVIRONMENT = {
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
}
AFTER = f"""A compilation for TPUs takes minutes.

{arguments.OVERRIDES}"""


def main(argv: Sequence[str]) -> None:
    """Prints the plan, or writes the table of a sweep."""
    args, overrides = _parser().parse_known_args(argv[1:])
    _prepare_environment(args.platform)
    with exits.clear_errors():
        _check(args)
        config = load_config(args.config, overrides)
        tokenizer = _tokenizer(config, args.tokenizer)
        from vq_jax.planning import run

        printed = exits.console()
        planner = run.Planner(config, tokenizer, printed)
        if args.sweep:
            planner.sweep(args.platform, args.topology, args.per_chip, args.sweep)
        else:
            topology = args.topology[0] if args.topology else ""
            per_chip = args.per_chip[0] if args.per_chip else None
            planner.plan(args.platform, topology, per_chip, args.compilations)


def _parser() -> arguments.Parser:
    parser = arguments.Parser("plan", __doc__, AFTER)
    text = "the experiment and its variant, as configs/quickstart.py:smoke"
    parser.add_argument("--config", type=arguments.path, required=True, help=text)
    text = "tpu, which libtpu compiles for anywhere, or cuda, cpu: this machine's"
    parser.add_argument(
        "--platform", choices=("tpu", "cuda", "cpu"), default="tpu", help=text
    )
    text = "slice of TPUs, as v5e:16x16; several of a sweep, as v5e:2x2,v6e:16x16"
    parser.add_argument("--topology", type=arguments.words, default=[], help=text)
    text = "images a chip, in place of config.batch_size; several of a sweep, as 8,16"
    parser.add_argument("--per_chip", type=arguments.numbers, default=[], help=text)
    text = "configuration of the tokenizer of a prior or a restorer, if not trained yet"
    parser.add_argument("--tokenizer", type=arguments.path, help=text)
    text = "more compilations at most, to find the largest batch that fits; 0: none"
    parser.add_argument("--compilations", type=int, default=4, help=text)
    text = "folder to write plan.md and plan.json into, of all topologies and batches"
    parser.add_argument("--sweep", type=arguments.path, help=text)
    return parser


def _prepare_environment(platform: str) -> None:
    """Acts on a JAX that is not imported yet."""
    if platform != "cuda":
        os.environ["JAX_PLATFORMS"] = "cpu"
    if platform == "tpu":
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)


def _check(args) -> None:
    several = [
        f"--{name}" for name in ("topology", "per_chip") if len(getattr(args, name)) > 1
    ]
    if several and not args.sweep:
        raise InputError(
            f"{' and '.join(several)}: several are those of a sweep; name the folder "
            "of its table in --sweep, or give one."
        )
    if 0 in args.per_chip or args.compilations < 0:
        raise InputError("--per_chip must be at least 1, --compilations at least 0.")


def _tokenizer(config, path: str | None):
    """The untrained tokenizer of `--tokenizer`, or None where none is given.

    Raises:
        InputError: a prior has no tokenizer, or what is no prior has one.
    """
    is_prior = "tokenizer" in config
    if path is None:
        if is_prior and not config.tokenizer:
            raise InputError(
                "config.tokenizer is empty; name the configuration of a tokenizer that "
                "is yet to be trained, as --tokenizer=configs/vqvae_fashion_mnist.py, "
                "or the workdir of one that is, --config.tokenizer=runs/fashion_mnist."
            )
        return None
    if not is_prior or config.tokenizer:
        given = "config.tokenizer names one" if is_prior else "this is no prior"
        raise InputError(f"--tokenizer={path}: {given}; leave the flag out.")
    from vq_jax.inference.load import tokenizer_of

    return tokenizer_of(path, load_config(path, ()))
