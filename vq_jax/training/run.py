"""A training run from configuration to last checkpoint: the one place that puts the
parts together and applies `jax.jit`, shardings and donation."""

import contextlib
import math
from signal import SIGTERM

import jax
from etils import epath
from ml_collections import ConfigDict
from rich.console import Console

from vq_jax import sharding
from vq_jax.data import pipeline
from vq_jax.errors import InputError
from vq_jax.evaluation import pictures, reconstruction
from vq_jax.evaluation.report import write_json
from vq_jax.pretrained.lpips import load_nets
from vq_jax.training import header, hooks, loop, rng, warm_start
from vq_jax.training.alarms import Alarms, of_codebook, of_discriminator
from vq_jax.training.checkpoint import Checkpointer
from vq_jax.training.interrupt import stop_on_signals
from vq_jax.training.outputs import Outputs
from vq_jax.training.setup import Setup, prepare


def train(config: ConfigDict, workdir: epath.PathLike, console: Console) -> int:
    """Trains until `config.num_steps`, resuming what `workdir` holds.

    Returns:
        0, or the number of the signal that stopped the run; it is saved then.

    Raises:
        InputError: bad configuration, data or workdir. Only a broken image may come
            late; `data.on_error="skip"` goes on from the latest checkpoint.
        FloatingPointError: a metric is not finite; the last good checkpoint stays.
    """
    console.quiet = console.quiet or jax.process_index() > 0
    setup = prepare(config)
    nets = load_nets({*setup.nets, *config.eval.lpips})
    workdir = make_workdir(workdir)
    batches = _train_batches(config)
    with (
        contextlib.closing(batches),  # ends worker processes, where there are any
        contextlib.closing(Checkpointer(workdir, config)) as checkpointer,
    ):
        state = _restore_or_initialise(setup, config, checkpointer, batches, console)
        if jax.process_index() == 0:
            write_json(workdir / "config.json", config.to_dict())
        start_step = int(state.step)
        if start_step >= config.num_steps:
            console.print(
                f"{workdir} has finished {start_step} steps already; a larger "
                "config.num_steps goes on, another --workdir starts anew.",
                soft_wrap=True,
            )
            return 0
        outputs = Outputs(
            workdir,
            console,
            start_step=start_step,
            num_steps=config.num_steps,
            batch_size=config.batch_size,
        )
        step, signal = _train_from(
            setup, config, state, nets, outputs, checkpointer, batches
        )
    if step == config.num_steps:
        console.print(f"Finished {step} steps in {workdir}.", soft_wrap=True)
        return 0
    console.print(
        f"Stopped and saved at step {step}; the same command goes on from there.",
        soft_wrap=True,
    )
    # Without a signal of its own, a process was stopped by its job's scheduler.
    return signal or SIGTERM


def _train_from(
    setup: Setup,
    config: ConfigDict,
    state,
    nets,
    outputs: Outputs,
    checkpointer,
    batches,
) -> tuple[int, int]:
    """Trains on; returns the number of finished steps and of the stopping signal."""
    start_step = int(state.step)
    key = rng.stream(jax.random.key(config.seed), "train")
    nets = jax.device_put(nets, sharding.replicated(setup.mesh))
    of_step = {net: nets[net] for net in setup.nets}
    compiled = _compile(setup, config, state, key, of_step)
    rows = header.describe(setup, config, outputs.workdir, compiled, start_step)
    outputs.display.header(rows)
    evaluate = _make_evaluate(setup, config, nets, outputs)
    with stop_on_signals() as stop, outputs.running(start_step):
        if config.init_from and start_step == 0:
            evaluate(0, state, {})  # where the other run had come to
        _, step = loop.train(
            lambda *args: compiled(*args, of_step),
            state,
            (sharding.global_batch(batch, setup.mesh) for batch in batches),
            key,
            start_step=start_step,
            num_steps=config.num_steps,
            hooks=_hooks(setup, config, evaluate, outputs, checkpointer, batches),
            should_stop=lambda n: checkpointer.reached_preemption(n) or stop(),
        )
    return step, stop.signal


def make_workdir(workdir: epath.PathLike) -> epath.Path:
    """The folder, made if need be and known to be writable.

    Raises:
        InputError: it cannot be written to.
    """
    workdir = epath.Path(workdir)
    probe = workdir / f".write_probe_{jax.process_index()}"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except (OSError, ImportError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"--workdir={workdir} cannot be written to ({reason}); choose a folder of "
            "your own."
        ) from error
    return workdir


def _train_batches(config: ConfigDict):
    return pipeline.train_batches(
        config.data,
        seed=config.seed,
        batch_size=config.batch_size,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def _eval_batches(config: ConfigDict, limit: int | None):
    return pipeline.eval_batches(
        config.data,
        config.data.eval_split,
        batch_size=config.eval.batch_size,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        limit=limit,
    )


def _restore_or_initialise(
    setup: Setup, config: ConfigDict, checkpointer, batches, console: Console
):
    """The state to go on from: this workdir's, `config.init_from`'s, or a fresh one."""
    if checkpointer.latest_step is not None:
        return checkpointer.restore(setup.abstract_state, batches)
    key = jax.random.key(config.seed)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, setup.abstract_state)
    state = jax.jit(setup.init, out_shardings=shardings)(rng.stream(key, "init"))
    if config.init_from:
        state, step = warm_start.init_from(config.init_from, state)
        console.print(
            f"Goes on from the model of {config.init_from}, step {step}.",
            soft_wrap=True,
        )
    if setup.start is None:
        return state
    # An iterator of its own, so that training still begins with the first batch.
    with contextlib.closing(_train_batches(config)) as first_batches:
        first = sharding.global_batch(next(first_batches), setup.mesh)
    start = jax.jit(setup.start, out_shardings=shardings)
    return start(state, first, rng.stream(key, "start"))


def _compile(setup: Setup, config: ConfigDict, state, key, nets):
    shardings = jax.tree.map(lambda leaf: leaf.sharding, setup.abstract_state)
    everywhere = sharding.replicated(setup.mesh)
    step = jax.jit(
        setup.step,
        in_shardings=(
            shardings,
            sharding.batch_sharding(setup.mesh),
            everywhere,
            everywhere,
        ),
        out_shardings=(shardings, everywhere),
        donate_argnums=0,
    )
    size = config.data.image_size
    batch = {
        "image": jax.ShapeDtypeStruct(
            (config.batch_size, size, size, config.data.channels), "uint8"
        ),
        "label": jax.ShapeDtypeStruct((config.batch_size,), "int32"),
    }
    return step.lower(state, batch, key, nets).compile()


def _make_evaluate(setup: Setup, config: ConfigDict, nets, outputs):
    """The hook that evaluates the held-out split."""
    eval_step = jax.jit(
        reconstruction.make_eval_step(setup.model),
        out_shardings=sharding.replicated(setup.mesh),
    )

    def run_evaluation(variables):
        local_batches = _eval_batches(config, config.eval.max_images or None)
        return reconstruction.evaluate(
            eval_step,
            variables,
            (sharding.global_batch(batch, setup.mesh) for batch in local_batches),
            setup.model,
            image_size=config.data.image_size,
            nets={net: nets[net] for net in config.eval.lpips},
        )

    return hooks.evaluate(run_evaluation, outputs, config.data.eval_split)


def _hooks(setup: Setup, config: ConfigDict, evaluate, outputs, checkpointer, batches):
    reconstruct = jax.jit(
        reconstruction.make_reconstruct(setup.model),
        out_shardings=sharding.replicated(setup.mesh),
    )
    images = pipeline.first_images(
        config.data, config.data.eval_split, pictures.NUM_PICTURES
    )
    draw = hooks.draw_images(reconstruct, images, outputs)
    save = hooks.save(checkpointer, batches, outputs)
    alarms = hooks.raise_alarms(_alarms(setup, config), outputs)
    return [
        loop.Every(config.log_every, hooks.log_metrics(outputs, setup.schedule)),
        loop.Every(config.log_every, alarms),
        loop.Every(config.eval.every, evaluate),
        loop.Every(config.image_every, draw),
        loop.Every(config.checkpoint.every, save, on_stop=True),
    ]


def _alarms(setup: Setup, config: ConfigDict) -> Alarms:
    signs = {}
    if setup.model.quantizer.codebook_size:
        signs |= of_codebook(setup.model.quantizer.codebook_size)
    if setup.discriminator is not None:
        game = config.adversarial
        adaptive = game.weighting == "adaptive"
        signs |= of_discriminator(game.max_weight if adaptive else math.inf)
    return Alarms(signs)
