"""Trains a tokenizer, or goes on with its training.

The same command resumes from the latest checkpoint of its workdir.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, exits
from vq_jax.cli.configuration import load_config
from vq_jax.errors import InputError


def main(argv: Sequence[str]) -> None:
    """Trains, and exits with the run's code."""
    parser = arguments.Parser("train", __doc__, arguments.OVERRIDES)
    text = "the experiment and its variant, as configs/quickstart.py:smoke"
    parser.add_argument("--config", type=arguments.path, required=True, help=text)
    arguments.add_workdir(parser, "folder of the run")
    text = "join the processes of a TPU pod or a cluster, before anything else"
    parser.add_argument("--distributed", action="store_true", help=text)
    args, overrides = parser.parse_known_args(argv[1:])
    with exits.clear_errors():
        config = load_config(args.config, overrides)
        if args.distributed:
            _join()
        from vq_jax.training import run

        signal = run.train(config, args.workdir, exits.console())
    exits.leave(signal)


def _join() -> None:
    """Joins the processes of a job.

    Raises:
        InputError: there is no job, or the others could not be reached.
    """
    import jax

    try:
        jax.distributed.initialize()
    except (RuntimeError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise InputError(
            f"--distributed finds no job of several processes ({reason}). Leave it out "
            "on one machine; on several, start the program by what JAX knows, such as "
            "a TPU pod, Slurm or MPI, and not by hand."
        ) from error
