"""Training a prior: a distribution over the codes of a trained tokenizer."""

import functools
import math
from collections.abc import Mapping

from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.config.tables import from_section
from vq_jax.errors import InputError
from vq_jax.evaluation.build import build_evaluations
from vq_jax.evaluation.prior import PriorSubject
from vq_jax.inference.code_data import open_code_data
from vq_jax.inference.load import SavedTokenizer, open_tokenizer
from vq_jax.inference.load_prior import open_prior
from vq_jax.metrics.signs import Sign
from vq_jax.models.build import build_prior
from vq_jax.models.priors.base import STREAMS, TOKENIZER, initial_params
from vq_jax.ops.sampling import Sampling
from vq_jax.training import optim, rng, warm_start
from vq_jax.training.prior_step import PriorStep
from vq_jax.training.state import TrainState
from vq_jax.training.tasks.base import RunFields, Task, count_parameters


class PriorFields(RunFields):
    """The configuration of a run that trains a prior.

    Attributes:
        tokenizer: workdir of the run that trained the tokenizer.
        codes: "online" encodes images in each step; else a folder with the codes of
            each split, as `vq-jax tokenize --out=FOLDER/SPLIT` writes them.
        ema_decay: of averaged parameters, per step; 0 keeps none.
        prior: one of `models/build.py: PRIORS`, and its fields.
        sampling: how evaluations and programs draw codes.
    """

    tokenizer: str
    codes: str
    ema_decay: ranges.Decay
    prior: Mapping
    sampling: Sampling


class PriorTask(Task):
    """A prior over the codes of a tokenizer that stays as it is.

    Args:
        config: of the run.
        tokenizer: the one that `config.tokenizer` names, if none is given.
    """

    fields = PriorFields
    shown = ("train/loss", "train/code_perplexity")

    def __init__(self, config: ConfigDict, tokenizer: SavedTokenizer | None = None):
        super().__init__(config)
        self.tokenizer = tokenizer or open_tokenizer(config.tokenizer)
        self.data = open_code_data(config.codes, self.tokenizer, config.data)
        self.prior = build_prior(
            config.prior, self.tokenizer.model, config.data.image_size
        )
        self.sampling = from_section(Sampling, config.sampling, "config.sampling")
        self.prior.check_sampling(self.sampling)
        self.learning_rate = optim.make_schedule(config.optim, config.num_steps)
        self._tx = optim.make_optimizer(config.optim, self.learning_rate)

    @property
    def nets(self):
        needed = {TOKENIZER: self.tokenizer.net} if self.prior.reads_tokenizer else {}
        return {**self.data.nets, **needed}

    @property
    def origin(self):
        return {TOKENIZER: self.tokenizer.digest}

    @property
    def abstract_batch(self):
        return self.data.abstract_batch(self.config.batch_size)

    def batches(self, *, process_index=0, process_count=1):
        return self.data.train_batches(
            seed=self.config.seed,
            batch_size=self.config.batch_size,
            process_index=process_index,
            process_count=process_count,
        )

    def describe_data(self):
        data = self.config.data
        found = len(self.data.classes(data.train_split))
        _check_classes(self.prior.num_classes, found)
        return self.data.describe()

    def init(self, key):
        rngs = rng.step_keys(key, 0, ("params", *STREAMS))
        # Its variables are not read yet.
        params = initial_params(self.prior, rngs, self.tokenizer.zeros())
        return TrainState.create(params, self._tx, ema_decay=self.config.ema_decay)

    def init_from_run(self, state, workdir):
        # An error where its tokenizer is another one, whose codes mean other things.
        open_prior(workdir, self.config.tokenizer)
        return warm_start.init_from_run(state, workdir, section="config.prior")

    @functools.cached_property
    def step(self):
        return PriorStep(
            prior=self.prior,
            data=self.data,
            tx=self._tx,
            ema_decay=self.config.ema_decay,
            accumulation=self.config.optim.accumulation,
        )

    def evaluations(self, mesh):
        data = self.config.data
        subject = PriorSubject(
            self.prior,
            data,
            data.eval_split,
            mesh,
            tokenizer=self.tokenizer,
            code_data=self.data,
            sampling=self.sampling,
        )
        return build_evaluations(self.config, subject)

    def signs(self):
        size = self.prior.layout.codebook_size
        # Of a small batch fewer codes are seen than there are.
        seen = self.config.batch_size * self.prior.layout.num_tokens
        seen //= self.tokenizer.model.quantizer.num_codebooks
        few = max(2.0, 0.02 * min(size, seen))
        return {
            "codes_collapsed": Sign(
                lambda metrics: metrics["train/code_perplexity"] < few,
                f"the codes that it learns have collapsed: as if fewer than {few:g} "
                f"of {size} were in use. Look at the tokenizer: vq-jax evaluate "
                f"--workdir={self.config.tokenizer}; docs/quantizers.md says what "
                "helps.",
            )
        }

    def describe(self, abstract_state):
        layout = self.prior.layout
        grids = " + ".join(f"{height}x{width}" for height, width in layout.grids)
        return {
            "tokenizer": f"{self.tokenizer.workdir}, step {self.tokenizer.step}",
            "prior": f"{count_parameters(abstract_state.params):,} parameters, "
            f"{grids} codes of {layout.codebook_size}, "
            f"{self.prior.num_classes or 'no'} classes; "
            f"uniform: {math.log(layout.codebook_size):.3f} nats a token",
        }


def _check_classes(wanted: int, found: int) -> None:
    if wanted and wanted != found:
        raise InputError(
            f"config.prior.num_classes={wanted} but the training data have "
            f"{found or 'no'} classes; set it to {found}."
        )
