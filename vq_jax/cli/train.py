"""vq-jax train --config=configs/X.py[:variant] --workdir=DIR [--config.a.b=value]

--distributed joins the processes of a TPU pod or a cluster, by jax.distributed, before
anything else.
"""

import os
import sys

from absl import flags
from ml_collections import config_flags

from vq_jax.cli import exits
from vq_jax.errors import InputError


def main(argv: list[str] | None = None) -> None:
    """Trains, and exits with the run's code."""
    with exits.clear_errors():
        values = parse(sys.argv if argv is None else argv)
        if values.distributed:
            import jax

            jax.distributed.initialize()
        from vq_jax.training import run

        signal = run.train(values.config, values.workdir, exits.console())
    sys.exit(exits.SIGNALLED + signal if signal else 0)


def parse(argv: list[str]) -> flags.FlagValues:
    """The flags: `config`, locked, `workdir` and `distributed`.

    Raises:
        InputError: a missing or unknown flag, config file, field or variant, or a value
            of the wrong type.
    """
    # A config file imports its neighbours as `configs.common`.
    sys.path.insert(0, os.getcwd())
    values = flags.FlagValues()
    config_flags.DEFINE_config_file(
        "config", None, "Path of the experiment.", flag_values=values, sys_argv=argv
    )
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    flags.DEFINE_boolean(
        "distributed", False, "Join the processes of a job.", flag_values=values
    )
    if {"-h", "--help"} & set(argv):
        exits.console().print(__doc__, markup=False)
        sys.exit(0)
    try:
        rest = values(argv)[1:]
        if values["config"].present:
            values.config.keys()  # a file that failed to load raises only when used
    except (
        flags.Error,
        AttributeError,
        KeyError,
        OSError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(_explain(error)) from error
    finally:
        sys.path.pop(0)
    for name in ("config", "workdir"):
        if values[name].value is None:
            raise InputError(
                f"--{name} is missing; usage: python train.py "
                "--config=configs/quickstart.py --workdir=runs/quickstart"
            )
    if rest:
        raise InputError(f"unexpected arguments {rest}; flags look like --name=value.")
    return values


def _explain(error: Exception) -> str:
    """The reason alone: config_flags puts reprs and whole tracebacks into messages."""
    text = str(error.args[0] if error.args else error)
    if isinstance(error, AttributeError | KeyError):
        field = text.replace("\\n", " ").replace("\\'", "'").replace("\n", " ")
        return f"--config has no field {field.strip(chr(39))}"
    last = [line.strip() for line in text.splitlines() if line.strip()][-1]
    return f"--config: {last.removeprefix('ValueError: ')}"
