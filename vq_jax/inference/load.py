"""A trained model from the workdir of its run."""

import dataclasses
import functools
import hashlib
import json

import jax
import jax.numpy as jnp
from etils import epath
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_autoencoder
from vq_jax.ops.token_layout import TokenLayout
from vq_jax.pretrained import cache
from vq_jax.pretrained.nets import Net
from vq_jax.typing import Variables
from vq_jax.workdirs import checkpoint


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A model, its variables (averaged parameters where there are any), its origin."""

    model: Autoencoder
    variables: dict
    config: ConfigDict
    step: int


@dataclasses.dataclass(frozen=True)
class SavedTokenizer:
    """The autoencoder of a run's latest checkpoint, of which no array is read yet.

    Attributes:
        workdir: folder of the run.
        model: the autoencoder.
        config: the configuration of the run.
        step: that of the checkpoint.
    """

    workdir: epath.Path
    model: Autoencoder
    config: ConfigDict
    step: int

    @property
    def layout(self) -> TokenLayout:
        """How the codes of an image of the training's size lie."""
        size = self.config.data.image_size
        return self.model.token_layout(size, size)

    def shapes(self) -> dict:
        """Shapes and dtypes of the variables."""
        size, channels = self.config.data.image_size, self.config.data.channels
        images = jax.ShapeDtypeStruct((1, size, size, channels), "float32")
        init = functools.partial(self.model.init, train=False)
        return jax.eval_shape(init, jax.random.key(0), images)

    def zeros(self) -> dict:
        """Variables of the right shapes, all 0: what a model is initialised with."""
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), self.shapes())

    def load(self) -> dict:
        """The variables for inference, on the default device; read once."""
        return self._variables

    @property
    def net(self) -> Net:
        """The tokenizer as a pretrained network."""
        return Net(self.shapes, self.load)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the model and its variables: the same for the same codes."""
        model = json.dumps(self.config.model.to_dict(), sort_keys=True)
        content = f"{model}\n{digest(self.load())}"
        return hashlib.sha256(content.encode()).hexdigest()

    @functools.cached_property
    def _variables(self) -> dict:
        return load_variables(
            self.workdir,
            self.step,
            self.shapes(),
            averaged=self.config.ema_decay > 0,
            place=jax.sharding.SingleDeviceSharding(jax.local_devices()[0]),
        )


def open_workdir(
    workdir: epath.PathLike, *, dtype: str | None = None
) -> SavedTokenizer:
    """The autoencoder of a run's latest checkpoint; only its configuration is read.

    Args:
        workdir: folder of the run.
        dtype: takes the place of `config.model.dtype`, if one is given.

    Raises:
        InputError: there is no checkpoint in `workdir`, it holds no autoencoder, or
            there is no such dtype.
    """
    config, step = checkpoint.load_config(workdir)
    if dtype is not None and "model" in config:
        config.model.dtype = dtype
    return tokenizer_of(workdir, config, step)


def tokenizer_of(
    workdir: epath.PathLike, config: ConfigDict, step: int = 0
) -> SavedTokenizer:
    """The autoencoder of a configuration, which `workdir` has, or will have.

    Until then all but its variables is known: their shapes and the codes' are.

    Raises:
        InputError: the configuration is that of no autoencoder.
    """
    if "model" not in config:
        raise InputError(
            f"{workdir} is a run of config.task={config.task!r}, which trains no "
            "autoencoder; name the workdir of a tokenizer."
        )
    model = build_autoencoder(config.model, channels=config.data.channels)
    return SavedTokenizer(epath.Path(workdir), model, config, step)


def open_tokenizer(workdir: str) -> SavedTokenizer:
    """The tokenizer that `config.tokenizer` names, for a prior; nothing is read yet.

    Raises:
        InputError: none is named, or there is none.
    """
    if not workdir:
        raise InputError(
            "config.tokenizer is empty; name the workdir of a trained tokenizer, as "
            "--config.tokenizer=runs/vqvae_fashion_mnist."
        )
    try:
        return open_workdir(workdir)
    except InputError as error:
        raise InputError(f"config.tokenizer={workdir}: {error}") from error


def load_workdir(workdir: epath.PathLike, *, dtype: str | None = None) -> TrainedModel:
    """The autoencoder of a run's latest checkpoint, on the default device.

    The optimizer's state is not restored. `dtype` is as for `open_workdir`.

    Raises:
        InputError: as `open_workdir`.
    """
    saved = open_workdir(workdir, dtype=dtype)
    return TrainedModel(saved.model, saved.load(), saved.config, saved.step)


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


def digest(variables: Variables) -> str:
    """SHA-256 of names, dtypes, shapes and values of all arrays."""
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(variables))
    return cache.digest({jax.tree_util.keystr(path): leaf for path, leaf in leaves})
