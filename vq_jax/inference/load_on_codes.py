"""What is saved of a model over a tokenizer's codes: a prior, or a restorer."""

import abc
import dataclasses
import functools

import jax
from etils import epath
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.inference.load import SavedTokenizer, load_variables, open_tokenizer
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.workdirs import checkpoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedOnCodes(abc.ABC):
    """A run's latest checkpoint of such a model.

    Attributes:
        workdir: folder of the run.
        tokenizer: the one that it was trained with.
        config: the configuration of the run.
        step: that of the checkpoint.
    """

    workdir: epath.Path
    tokenizer: SavedTokenizer
    config: ConfigDict
    step: int

    @abc.abstractmethod
    def init(self, key: jax.Array) -> dict:
        """Random parameters of the model; pure."""

    @functools.cached_property
    def params(self) -> dict:
        """The parameters for inference, averaged where there are any; read once."""
        return load_variables(
            self.workdir,
            self.step,
            {"params": jax.eval_shape(self.init, jax.random.key(0))},
            averaged=self.config.ema_decay > 0,
            place=jax.sharding.SingleDeviceSharding(jax.local_devices()[0]),
        )["params"]


def open_on_codes(
    workdir: epath.PathLike,
    tokenizer: epath.PathLike | None,
    *,
    section: str,
    otherwise: str,
) -> dict:
    """The fields of `SavedOnCodes`, of a run whose configuration has this section.

    Args:
        workdir: of the model's run.
        tokenizer: workdir of its tokenizer, where that has moved; by default the one
            that the run was trained with, a relative path from the current folder.
        section: that only runs of this kind have.
        otherwise: what to say of a run of another kind; the end of a sentence.

    Raises:
        InputError: there is no checkpoint, it is one of another kind, or the tokenizer
            is not there or another one than that of the training.
    """
    config, step = checkpoint.load_config(workdir)
    if section not in config:
        raise InputError(
            f"{workdir} is a run of config.task={config.task!r}, which {otherwise}"
        )
    saved = open_tokenizer(config.tokenizer if tokenizer is None else str(tokenizer))
    checkpoint.check_origin(workdir, step, {TOKENIZER: saved.digest})
    return {
        "workdir": epath.Path(workdir),
        "tokenizer": saved,
        "config": config,
        "step": step,
    }
