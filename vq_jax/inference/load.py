"""A trained model from the workdir of its run."""

import dataclasses
import functools

import jax
from etils import epath
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_autoencoder
from vq_jax.typing import Variables
from vq_jax.workdirs import checkpoint


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A model, its variables (averaged parameters where there are any), its origin."""

    model: Autoencoder
    variables: dict
    config: ConfigDict
    step: int


def load_workdir(workdir: epath.PathLike) -> TrainedModel:
    """The autoencoder of a run's latest checkpoint, on the default device.

    The optimizer's state is not restored.

    Raises:
        InputError: there is no checkpoint in `workdir`, or it holds no autoencoder.
    """
    config, step = checkpoint.load_config(workdir)
    if "model" not in config:
        raise InputError(
            f"{workdir} is a run of config.task={config.task!r}, which trains no "
            "autoencoder; name the workdir of a tokenizer."
        )
    model = build_autoencoder(config.model, channels=config.data.channels)
    size = config.data.image_size
    images = jax.ShapeDtypeStruct((1, size, size, config.data.channels), "float32")
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), images)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    averaged = config.ema_decay > 0
    variables = load_variables(workdir, step, shapes, averaged=averaged, place=device)
    return TrainedModel(model, variables, config, step)


def load_variables(
    workdir: epath.PathLike, step: int, shapes: Variables, *, averaged: bool, place
) -> dict:
    """Variables for inference of a run's model; nothing else is restored.

    Args:
        shapes: of the variables, `{"params": …}` and other collections.
        averaged: whether the run keeps averaged parameters, which are read then.
        place: the sharding of every array.

    Raises:
        InputError: the checkpoint lacks an array, or has it in another shape.
    """
    collections = dict(shapes)
    params = "ema_params" if averaged else "params"
    wanted = {params: collections.pop("params"), "variables": collections}
    wanted = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        {name: tree for name, tree in wanted.items() if jax.tree.leaves(tree)},
    )
    state = checkpoint.load_model_state(workdir, step, wanted)
    return {"params": state[params], **state.get("variables", {})}
