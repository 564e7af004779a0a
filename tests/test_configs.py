"""Every experiment builds, and its smoke variant takes two steps."""

import functools
import importlib
import json
import pathlib

import jax
import pytest
from ml_collections import ConfigDict
from rich.console import Console

from configs.parts.quantizers import QUANTIZERS
from vq_jax.models.build import build_autoencoder
from vq_jax.training import run, setup

NAMES = sorted(
    path.stem
    for path in (pathlib.Path(__file__).parents[1] / "configs").glob("*.py")
    if path.stem != "__init__"
)


def _slow_if_large(name):
    """Compiling a residual model for eight devices takes most of a minute."""
    large = name.endswith("256") or name == "vqgan_custom"
    return pytest.param(name, marks=pytest.mark.slow if large else ())


def _config(name, variant=""):
    return importlib.import_module(f"configs.{name}").get_config(variant)


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_experiment_builds_the_same_from_the_json_of_a_run(name):
    config = _config(name)
    prepared = setup.prepare(config)
    again = setup.prepare(ConfigDict(json.loads(config.to_json())))
    assert again.task.model == prepared.task.model
    assert again.abstract_state == prepared.abstract_state


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_model_gives_images_and_codes_of_the_size_that_it_says(name):
    config = _config(name)
    model = build_autoencoder(config.model, channels=config.data.channels)
    size = config.data.image_size
    shape = (1, size, size, config.data.channels)
    init = functools.partial(model.init_with_output, train=False)
    images = jax.ShapeDtypeStruct(shape, "float32")
    out, _ = jax.eval_shape(init, jax.random.key(0), images)
    assert out.recon.shape == shape
    assert out.quantized.indices.shape == (1, *model.tokens_shape(size, size))


@pytest.mark.parametrize("name", [_slow_if_large(name) for name in NAMES])
def test_the_smoke_variant_takes_two_steps(name, tmp_path):
    config = _config(name, "smoke")
    config.num_steps, config.optim.warmup_steps = 2, 0
    if config.task == "adversarial":
        config.adversarial.update(disc_start=0, gen_start=1)
    config.evaluations.reconstruction.max_images = 8
    console = Console(record=True, quiet=True)
    assert run.train(config, tmp_path, console) == 0
    assert (tmp_path / "checkpoints" / "2").is_dir()


@pytest.mark.parametrize("family", QUANTIZERS)
def test_every_quantizer_is_a_variant_of_every_experiment(family):
    config = _config("quickstart", family)
    assert config.model.quantizer.name == QUANTIZERS[family]["name"]
    setup.prepare(config)


def test_shared_fields_survive_a_change_of_family():
    assert _config("vqvae_photos", "vq").model.quantizer.codebook_size == 1_024


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_is_locked_and_its_card_has_its_command(name):
    module = importlib.import_module(f"configs.{name}")
    assert f"--config=configs/{name}.py" in module.__doc__
    with pytest.raises(AttributeError):
        module.get_config().no_such_field = 1
