"""A run that goes on from the model of another one."""

import jax
from etils import epath

from vq_jax.training import checkpoint
from vq_jax.training.state import AdversarialState, TrainState


def init_from(
    workdir: epath.PathLike, state: TrainState | AdversarialState
) -> tuple[TrainState | AdversarialState, int]:
    """`state` with the model of `workdir`'s latest checkpoint, and that step.

    The autoencoder begins with the variables that the other run evaluates with:
    averaged parameters where it has some. Step, optimizer and discriminator stay those
    of a fresh run. With averages of its own, a run whose origin has them too takes over
    both, and else both begin with the same.

    Raises:
        InputError: there is no checkpoint, or its model has other arrays.
    """
    fresh = state.generator if isinstance(state, AdversarialState) else state
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
    saved = checkpoint.load_state(workdir, step, shapes)
    params = saved["params"]
    averaged = saved.get("ema_params", params)
    warm = fresh.replace(
        params=params if fresh.ema_params else averaged,
        # A copy, because a donated buffer may not occur twice in a state.
        ema_params=jax.tree.map(lambda x: x.copy(), averaged)
        if fresh.ema_params
        else {},
        variables=saved.get("variables", fresh.variables),
    )
    if isinstance(state, AdversarialState):
        return state.replace(generator=warm), step
    return warm, step
