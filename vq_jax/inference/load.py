"""A trained model from the workdir of its run."""

import dataclasses
import functools

import jax
import optax
from etils import epath
from ml_collections import ConfigDict

from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_autoencoder
from vq_jax.training import checkpoint
from vq_jax.training.state import create_state


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A model, its variables (averaged parameters where there are any), its origin."""

    model: Autoencoder
    variables: dict
    config: ConfigDict
    step: int


def load_workdir(workdir: epath.PathLike) -> TrainedModel:
    """The latest checkpoint of `workdir`, on the default device.

    The optimizer's state is not read.

    Raises:
        InputError: there is no checkpoint in `workdir`.
    """
    config, step = checkpoint.load_config(workdir)
    model = build_autoencoder(config.model, channels=config.data.channels)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    tx = optax.identity()  # its state is not read
    init = functools.partial(
        create_state,
        model,
        tx,
        image_size=config.data.image_size,
        ema_decay=config.ema_decay,
    )
    shapes = jax.eval_shape(init, jax.random.key(0))
    wanted = {
        "params": {} if config.ema_decay else shapes.params,
        "ema_params": shapes.ema_params,
        "variables": shapes.variables,
    }
    wanted = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device),
        {name: tree for name, tree in wanted.items() if tree},
    )
    state = checkpoint.load_state(workdir, step, wanted)
    params = state["ema_params"] if config.ema_decay else state["params"]
    variables = {"params": params, **state.get("variables", {})}
    return TrainedModel(model, variables, config, step)
