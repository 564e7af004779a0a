"""Training an autoencoder alone: VQ-VAE, VAE, or no bottleneck at all."""

import functools
import math
from typing import Literal, NotRequired

import jax
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.data import pipeline
from vq_jax.errors import InputError
from vq_jax.evaluation.base import Subject
from vq_jax.evaluation.build import build_evaluations
from vq_jax.losses.objective import LossFields, PerceptualFields, build_objective
from vq_jax.metrics.signs import Sign
from vq_jax.models.build import ModelFields, build_autoencoder
from vq_jax.models.quantizers.base import STATE as CODEBOOK
from vq_jax.pretrained.lpips import lpips_nets
from vq_jax.training import optim, warm_start
from vq_jax.training.autoencoder_trainer import AutoencoderTrainer
from vq_jax.training.tasks.base import RunFields, Task, count_parameters
from vq_jax.training.vae_step import VaeStep

MODULES = ("decoder", "encoder", "head", "quantizer")


class AutoencoderFields(RunFields):
    """The configuration of a run that trains an autoencoder.

    Attributes:
        ema_decay: of averaged parameters, per step; 0 keeps none.
        usage_window: number of images over which the use of codes is counted.
        freeze: modules that stay as they came from `init_from`.
        perceptual: only with a weight of `losses.perceptual`.
    """

    ema_decay: ranges.Decay
    usage_window: ranges.Count
    freeze: tuple[Literal[MODULES], ...]
    model: ModelFields
    losses: LossFields
    perceptual: NotRequired[PerceptualFields]


class AutoencoderTask(Task):
    """An autoencoder on images."""

    fields = AutoencoderFields
    shown = ("train/loss", "train/l2", "train/usage", "train/perplexity")

    def __init__(self, config: ConfigDict):
        super().__init__(config)
        self.model = build_autoencoder(config.model, channels=config.data.channels)
        self.model.tokens_shape(config.data.image_size, config.data.image_size)
        self.objective = build_objective(config, self.model)
        frozen = _frozen_modules(config)
        self.learning_rate = optim.make_schedule(config.optim, config.num_steps)
        self.autoencoder = AutoencoderTrainer(
            model=self.model,
            tx=optim.make_optimizer(config.optim, self.learning_rate, frozen=frozen),
            ema_decay=config.ema_decay,
            usage_window=config.usage_window,
            frozen=frozen,
        )

    @property
    def nets(self):
        return lpips_nets(self.objective.nets)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a training image."""
        data = self.config.data
        return (data.image_size, data.image_size, data.channels)

    @property
    def abstract_batch(self):
        shape = (self.config.batch_size, *self.image_shape)
        return {"image": jax.ShapeDtypeStruct(shape, "uint8")}

    def batches(self, *, process_index=0, process_count=1):
        return pipeline.train_batches(
            self.config.data,
            seed=self.config.seed,
            batch_size=self.config.batch_size,
            process_index=process_index,
            process_count=process_count,
        )

    def describe_data(self):
        return pipeline.describe(self.config.data)

    def init(self, key):
        return self.autoencoder.init(key, self.config.data.image_size)

    @property
    def needs_data_init(self):
        # Codes of another run are in their places already.
        return self.model.quantizer.needs_data_init and not self.config.init_from

    def init_from_data(self, state, batch, key):
        return self.autoencoder.init_codebook_from_data(state, batch, key)

    def init_from_run(self, state, workdir):
        return warm_start.init_from_run(state, workdir)

    def check_training(self, abstract_state):
        state, freeze = self.model_state(abstract_state), self.config.freeze
        learnt = {name for name, part in state.params.items() if jax.tree.leaves(part)}
        if CODEBOOK in state.variables:
            learnt.add("quantizer")
        if learnt <= set(freeze):
            raise InputError(
                f"config.freeze={tuple(freeze)} leaves nothing that learns; take one "
                f"of {sorted(learnt)} out."
            )

    @functools.cached_property
    def step(self):
        return VaeStep(
            autoencoder=self.autoencoder,
            objective=self.objective,
            accumulation=self.config.optim.accumulation,
        )

    def evaluations(self, mesh):
        data = self.config.data
        subject = Subject(self.model, data, data.eval_split, mesh)
        return build_evaluations(self.config, subject)

    def signs(self):
        codebook_size = self.model.quantizer.codebook_size
        return _collapse(codebook_size) if codebook_size else {}

    def describe(self, abstract_state):
        size = self.config.data.image_size
        tokens = "x".join(map(str, self.model.tokens_shape(size, size)))
        return {
            "model": f"{count_parameters(abstract_state.params):,} parameters, stride "
            f"{self.model.downsampling_factor}, {tokens} codes of "
            f"{self.model.quantizer.codebook_size}"
        }


def _frozen_modules(config: ConfigDict) -> tuple[str, ...]:
    if config.freeze and not config.init_from:
        raise InputError(
            f"config.freeze={tuple(config.freeze)} would hold random parameters fast; "
            "name the run they come from in config.init_from."
        )
    return tuple(config.freeze)


def _collapse(codebook_size: int) -> dict[str, Sign]:
    """Fewer than 2 % of the codes in use, by number or by perplexity."""
    few = max(2.0, 0.02 * codebook_size)

    def collapsed(metrics):
        used = codebook_size * metrics.get("train/usage", 1.0)
        return min(used, metrics.get("train/perplexity", math.inf)) < few

    return {
        "codebook_collapsed": Sign(
            collapsed,
            f"the codebook collapses: fewer than {few:g} of {codebook_size} codes are "
            "in use. Restart dead codes (restart_threshold of config.model.quantizer), "
            "start them on data (codebook_init='data'), lower config.model.code_dim, "
            "or use fsq; docs/quantizers.md compares them.",
        )
    }
