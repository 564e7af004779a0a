"""Tokenizers as of a run's checkpoint, that nobody trained."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from etils import epath
from ml_collections import ConfigDict

from vq_jax.inference.load import SavedTokenizer
from vq_jax.testing import tiny


@dataclasses.dataclass(frozen=True)
class UntrainedTokenizer(SavedTokenizer):
    """A tokenizer whose variables are those that training starts with.

    Attributes:
        seed: of them.
    """

    seed: int = 0

    @functools.cached_property
    def _variables(self):
        size, channels = self.config.data.image_size, self.config.data.channels
        init = jax.jit(functools.partial(self.model.init, train=False))
        return init(jax.random.key(self.seed), jnp.zeros((1, size, size, channels)))


def untrained(
    data: ConfigDict, *, quantizer: str = "vq", seed: int = 0
) -> UntrainedTokenizer:
    """That of `tiny.model`, at step 7 of runs/tiny; `data` is its `config.data`."""
    config = ConfigDict(
        {
            "model": tiny.model_config(quantizer),
            "data": data.to_dict(),
            "ema_decay": 0.0,
        }
    )
    workdir, model = epath.Path("runs/tiny"), tiny.model(quantizer)
    return UntrainedTokenizer(workdir, model, config, 7, seed)
