"""A trained prior, and the tokenizer that it is one of, from the workdir of its run."""

import dataclasses
import functools

import jax
from etils import epath

from vq_jax.config.tables import from_section
from vq_jax.data import pipeline
from vq_jax.inference.load import digest
from vq_jax.inference.load_on_codes import SavedOnCodes, open_on_codes
from vq_jax.models.build import build_prior
from vq_jax.models.priors.base import STREAMS, Prior, initial_params
from vq_jax.ops.sampling import Sampling


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedPrior(SavedOnCodes):
    """The prior of a run's latest checkpoint.

    Attributes:
        prior: the prior.
    """

    prior: Prior

    @property
    def sampling(self) -> Sampling:
        """How the run's evaluations draw codes."""
        return from_section(Sampling, self.config.sampling, "config.sampling")

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters."""
        return digest(self.params)

    def card(self) -> dict:
        """Which prior and which tokenizer these are, for the card of what they made."""
        return {
            "workdir": str(self.workdir),
            "step": self.step,
            "digest": self.digest,
            "tokenizer": {
                "workdir": str(self.tokenizer.workdir),
                "step": self.tokenizer.step,
                "digest": self.tokenizer.digest,
            },
        }

    def classes(self) -> list[str]:
        """Names of the classes of the training data, which are opened for that.

        Raises:
            InputError: the data are not there.
        """
        data = self.config.data
        return list(pipeline.open_records(data, data.train_split).source.classes)

    def init(self, key):
        names = ("params", *STREAMS)
        keys = jax.random.split(key, len(names))
        rngs = dict(zip(names, keys, strict=True))
        return initial_params(self.prior, rngs, self.tokenizer.zeros())


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
    found = open_on_codes(
        workdir,
        tokenizer,
        section="prior",
        otherwise="trains no prior, so there is nothing to draw from; name the workdir "
        "of a prior.",
    )
    config = found["config"]
    prior = build_prior(config.prior, found["tokenizer"].model, config.data.image_size)
    return SavedPrior(prior=prior, **found)
