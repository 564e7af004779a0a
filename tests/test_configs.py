"""Every experiment builds, and its smoke variant takes two steps."""

import functools
import importlib
import json

import jax
import pytest
from ml_collections import ConfigDict
from rich.console import Console

from configs import restore_photos
from configs.parts.quantizers import QUANTIZERS
from vq_jax.models.build import build_autoencoder
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.testing.experiments import NAMES, config_of, tokenizer_of
from vq_jax.testing.runs import describe_run, initialise_run
from vq_jax.training import run, setup


def _slow_if_large(name):
    """Compiling a residual model for eight devices takes most of a minute."""
    large = name.endswith("256") or name == "vqgan_custom"
    return pytest.param(name, marks=pytest.mark.slow if large else ())


PRIORS = [name for name in NAMES if "prior" in config_of(name)]
RESTORERS = [name for name in NAMES if "restorer" in config_of(name)]
ON_CODES = [*PRIORS, *RESTORERS]
AUTOENCODERS = [name for name in NAMES if name not in ON_CODES]


# Experiments that go on from another, and that one.
ORIGINS = {"vqgan_photos_f8": "vqvae_photos_f8"}


@pytest.fixture
def experiment(tmp_path):
    """`experiment(name, variant)`: its configuration, with another run if need be."""

    def made(name, variant="", write_tokenizer=describe_run):
        config = config_of(name, variant)
        if name in ON_CODES:
            workdir = tmp_path / "tokenizer"
            write_tokenizer(tokenizer_of(name, variant), workdir)
            config.tokenizer = str(workdir)
        if name in ORIGINS:
            workdir = tmp_path / "origin"
            write_tokenizer(config_of(ORIGINS[name], variant), workdir)
            config.init_from = str(workdir)
        return config

    return made


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_experiment_builds_the_same_from_the_json_of_a_run(name, experiment):
    config = experiment(name)
    prepared = setup.prepare(config)
    again = setup.prepare(ConfigDict(json.loads(config.to_json())))
    model = "prior" if name in PRIORS else "model"
    model = "models" if name in RESTORERS else model
    assert getattr(again.task, model) == getattr(prepared.task, model)
    assert again.abstract_state == prepared.abstract_state


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_the_whole_model_gives_images_and_codes_of_the_size_that_it_says(name):
    config = config_of(name)
    model = build_autoencoder(config.model, channels=config.data.channels)
    size = config.data.image_size
    shape = (1, size, size, config.data.channels)
    init = functools.partial(model.init_with_output, train=False)
    images = jax.ShapeDtypeStruct(shape, "float32")
    out, _ = jax.eval_shape(init, jax.random.key(0), images)
    assert out.recon.shape == shape
    assert out.quantized.indices.shape == (1, *model.tokens_shape(size, size))


@pytest.mark.parametrize("name", PRIORS)
def test_the_whole_prior_draws_codes_and_says_their_probability(name, experiment):
    task = setup.prepare(experiment(name)).task
    prior, shapes = task.prior, jax.eval_shape(task.init, jax.random.key(0))
    variables = {"params": shapes.params, TOKENIZER: task.tokenizer.shapes()}
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2))
    labels = jax.ShapeDtypeStruct((2,), "int32")

    def draw(variables, keys, labels):
        codes = prior.apply(variables, keys, labels, task.sampling, method="sample")
        return codes, prior.apply(variables, codes, labels, method="log_prob")

    codes, nats = jax.eval_shape(draw, variables, keys, labels)
    size = task.config.data.image_size
    assert codes.shape == (2, *task.tokenizer.model.tokens_shape(size, size))
    assert (codes.dtype, nats.dtype, nats.shape) == ("int32", "float32", (2,))


@pytest.mark.parametrize("name", [_slow_if_large(name) for name in NAMES])
def test_the_smoke_variant_takes_two_steps(name, experiment, tmp_path):
    config = experiment(name, "smoke", write_tokenizer=initialise_run)
    config.num_steps, config.optim.warmup_steps = 2, 0
    if config.task == "adversarial":
        config.adversarial.update(disc_start=0, gen_start=1)
    for section in config.evaluations.values():
        section.update({"max_images": 8} if "max_images" in section else {})
    console = Console(record=True, quiet=True)
    assert run.train(config, tmp_path / "run", console) == 0
    assert (tmp_path / "run" / "checkpoints" / "2").is_dir()


@pytest.mark.parametrize("variant", restore_photos.VARIANTS)
@pytest.mark.parametrize("fused", ["", ",fused", ",fused,smoke"])
def test_every_damage_is_a_variant_that_builds(variant, fused, experiment):
    config = config_of("restore_photos", variant + fused)
    small = "smoke" if "smoke" in fused else ""
    config.tokenizer = experiment("restore_photos", small).tokenizer
    assert config.degradation.train == variant
    assert bool(setup.prepare(config).task.models.restorer.fuse_levels) == bool(fused)


@pytest.mark.parametrize("name", ["vqvae_fashion_mnist", "ar_fashion_mnist"])
def test_a_small_experiment_builds(name, experiment):
    """`:small` of the tokenizer is what `:small` of the prior takes."""
    assert setup.prepare(experiment(name, "small")).abstract_state


@pytest.mark.parametrize("name", ON_CODES)
def test_a_variant_of_tokenizers_is_none_of_what_takes_one(name):
    for word in ("vq", "patchgan", "vqvae", "perceptual"):
        with pytest.raises(ValueError, match=f"'{word}' changes a tokenizer"):
            config_of(name, word)


@pytest.mark.parametrize("family", QUANTIZERS)
def test_every_quantizer_is_a_variant_of_every_experiment(family):
    config = config_of("quickstart", family)
    assert config.model.quantizer.name == QUANTIZERS[family]["name"]
    setup.prepare(config)


def test_shared_fields_survive_a_change_of_family():
    assert config_of("vqvae_photos", "vq").model.quantizer.codebook_size == 1_024


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_is_locked_and_its_card_has_its_command(name):
    module = importlib.import_module(f"configs.{name}")
    assert f"--config=configs/{name}.py" in module.__doc__
    with pytest.raises(AttributeError):
        module.get_config().no_such_field = 1
