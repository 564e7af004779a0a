"""A trained prior, and the tokenizer that it is one of, from the workdir of its run."""

import dataclasses
import functools

import jax
from etils import epath
from ml_collections import ConfigDict

from vq_jax.config.tables import from_section
from vq_jax.data import pipeline
from vq_jax.errors import InputError
from vq_jax.inference.load import SavedTokenizer, digest, load_variables, open_tokenizer
from vq_jax.models.build import build_prior
from vq_jax.models.priors.base import STREAMS, TOKENIZER, Prior, initial_params
from vq_jax.ops.sampling import Sampling
from vq_jax.workdirs import checkpoint


@dataclasses.dataclass(frozen=True)
class SavedPrior:
    """The prior of a run's latest checkpoint.

    Attributes:
        workdir: folder of the run.
        prior: the prior.
        tokenizer: the one that it was trained on.
        config: the configuration of the run.
        step: that of the checkpoint.
    """

    workdir: epath.Path
    prior: Prior
    tokenizer: SavedTokenizer
    config: ConfigDict
    step: int

    @property
    def sampling(self) -> Sampling:
        """How the run's evaluations draw codes."""
        return from_section(Sampling, self.config.sampling, "config.sampling")

    @functools.cached_property
    def params(self) -> dict:
        """The parameters for inference, averaged where there are any; read once."""
        return load_variables(
            self.workdir,
            self.step,
            {"params": self._shapes()},
            averaged=self.config.ema_decay > 0,
            place=jax.sharding.SingleDeviceSharding(jax.local_devices()[0]),
        )["params"]

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters."""
        return digest(self.params)

    def classes(self) -> list[str]:
        """Names of the classes of the training data, which are opened for that.

        Raises:
            InputError: the data are not there.
        """
        data = self.config.data
        return list(pipeline.open_records(data, data.train_split).source.classes)

    def _shapes(self) -> dict:
        def init(key):
            names = ("params", *STREAMS)
            keys = jax.random.split(key, len(names))
            rngs = dict(zip(names, keys, strict=True))
            return initial_params(self.prior, rngs, self.tokenizer.zeros())

        return jax.eval_shape(init, jax.random.key(0))


def open_prior(
    workdir: epath.PathLike, tokenizer: epath.PathLike | None = None
) -> SavedPrior:
    """The prior of a run's latest checkpoint, whose parameters are not read yet.

    Args:
        workdir: of the prior's run.
        tokenizer: workdir of its tokenizer, where that has moved; by default the one
            that the run was trained with, a relative path from the current folder.

    Raises:
        InputError: there is no checkpoint, it holds no prior, or the tokenizer is not
            there or another one than that of the training.
    """
    config, step = checkpoint.load_config(workdir)
    if "prior" not in config:
        raise InputError(
            f"{workdir} is a run of config.task={config.task!r}, which trains no "
            "prior, so there is nothing to draw from; name the workdir of a prior."
        )
    saved = open_tokenizer(config.tokenizer if tokenizer is None else str(tokenizer))
    checkpoint.check_origin(workdir, step, {TOKENIZER: saved.digest})
    prior = build_prior(config.prior, saved.model, config.data.image_size)
    return SavedPrior(epath.Path(workdir), prior, saved, config, step)
