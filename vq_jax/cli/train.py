"""Trains a tokenizer, or goes on with its training.

The same command resumes from the latest checkpoint of its workdir.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, compiled_programs, exits
from vq_jax.cli.configuration import load_config


def main(argv: Sequence[str]) -> None:
    """Trains, and exits with the run's code."""
    parser = arguments.Parser("train", __doc__, arguments.OVERRIDES)
    text = "the experiment and its variant, as configs/quickstart.py:smoke"
    parser.add_argument("--config", type=arguments.path, required=True, help=text)
    arguments.add_workdir(parser, "folder of the run")
    arguments.add_distributed(parser)
    args, overrides = parser.parse_known_args(argv[1:])
    with arguments.joined(args), exits.clear_errors():
        compiled_programs.keep()
        config = load_config(args.config, overrides)
        from vq_jax.training import run

        signal = run.train(config, args.workdir, exits.console())
    exits.leave(signal)
