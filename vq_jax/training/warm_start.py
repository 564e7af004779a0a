"""The model of another run as the start of a new one."""

import jax
from etils import epath

from vq_jax.training.state import TrainState
from vq_jax.workdirs import checkpoint


def init_from_run(
    fresh: TrainState, workdir: epath.PathLike, *, section: str = "config.model"
) -> tuple[TrainState, int]:
    """`fresh` with the model of `workdir`'s latest checkpoint, and that step.

    It begins with the variables that the other run evaluates with: averaged parameters
    where it has some. Step and optimizer stay those of a fresh run. With averages of
    its own, a run whose origin has them too takes over both, and else both begin with
    the same. `section` of the configuration describes the model.

    Raises:
        InputError: there is no checkpoint, it is damaged, or its model has other
            arrays.
    """
    config, step = checkpoint.load_config(workdir)
    wanted = {"params": fresh.params, "variables": fresh.variables}
    if config.ema_decay:
        wanted["ema_params"] = fresh.params
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=leaf.sharding
        ),
        {name: tree for name, tree in wanted.items() if jax.tree.leaves(tree)},
    )
    advice = (
        f"config.init_from={workdir}: give this run the fields of {section} that "
        f"{workdir} has, or start from another run, or from none."
    )
    saved = checkpoint.load_model_state(workdir, step, shapes, advice=advice)
    params = saved["params"]
    averaged = saved.get("ema_params", params)
    if not fresh.ema_params:
        params, ema_params = averaged, {}
    else:
        # A copy, because a donated buffer may not occur twice in a state.
        ema_params = jax.tree.map(lambda x: x.copy(), averaged)
    variables = saved.get("variables", fresh.variables)
    return fresh.replace(
        params=params, ema_params=ema_params, variables=variables
    ), step
