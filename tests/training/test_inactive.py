import pytest

from configs import (
    independent_fashion_mnist,
    quickstart,
    restore_photos,
    vqgan_stability,
)
from vq_jax.config import paths
from vq_jax.errors import InputError
from vq_jax.training import inactive


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("adversarial.weight", r"config.adversarial.weight has .*FILE:patchgan"),
        ("disc_optim.b1", r"act in a run against a discriminator"),
        ("discriminator.name", r"FILE:patchgan, or :stylegan"),
        ("perceptual.net", r"FILE:perceptual"),
        ("losses.perceptual", r"FILE:perceptual"),
        ("sampling.top_k", r"in a run that trains a prior: the file of one"),
        ("tokenizer", r"config.tokenizer has no effect here"),
    ],
)
def test_a_field_of_a_missing_section_says_what_has_it(path, message):
    with pytest.raises(InputError, match=message):
        inactive.check_present(quickstart.get_config("smoke"), path)


def test_a_field_of_tokenizers_says_that_a_prior_takes_a_trained_one():
    config = independent_fashion_mnist.get_config("smoke")
    for path in ("model.code_dim", "losses.l2", "freeze"):
        with pytest.raises(InputError, match=r"takes one that is trained:"):
            inactive.check_present(config, path)


def test_fields_that_are_there_or_unknown_are_not_its_business():
    config = vqgan_stability.get_config("smoke,perceptual")
    for path in ("adversarial.weight", "perceptual.net", "no.such", "batch_size"):
        inactive.check_present(config, path)
    for path in ("adversarial.wieght", "model.encodr", "freeze"):  # has them, or nearly
        inactive.check_present(config, path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("optim.momentum", r"optim.momentum has no effect here; it acts with config"),
        ("disc_optim.momentum", r"disc_optim.name in \['rmsprop', 'sgd'\]"),
        ("optim.final_fraction", r"config.optim.schedule='cosine' or 'linear'"),
        ("adversarial.r1_every", r"config.adversarial.r1_weight above 0"),
        ("data.data_dir", r"config.data.source=tfds:NAME"),
    ],
)
def test_an_idle_field_says_what_would_make_it_act(path, message):
    config = vqgan_stability.get_config("smoke")
    with pytest.raises(InputError, match=message):
        inactive.check_acts(config, [path])
    inactive.check_acts(config, [])  # idle defaults do no harm


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("prior.class_dropout", r"config.prior.num_classes above 0"),
        ("sampling.guidance_power", r"config.sampling.guidance_schedule='cosine'"),
        ("sampling.guidance_schedule", r"config.sampling.guidance other than 1"),
        ("sampling.top_p", r"config.sampling.temperature above 0"),
    ],
)
def test_an_idle_field_of_a_prior_says_what_would_make_it_act(path, message):
    config = independent_fashion_mnist.get_config()
    config.prior.num_classes, config.sampling.temperature = 0, 0.0
    with pytest.raises(InputError, match=message):
        inactive.check_acts(config, [path])
    config.prior.num_classes, config.sampling.temperature = 10, 0.5
    config.sampling.update(guidance=2.0, guidance_schedule="cosine")
    inactive.check_acts(config, [path])


def test_the_condition_wakes_the_field():
    config = vqgan_stability.get_config("smoke")
    config.optim.update(name="sgd", schedule="cosine")
    config.adversarial.r1_weight = 1.0
    inactive.check_acts(
        config, ["optim.momentum", "optim.final_fraction", "adversarial.r1_every"]
    )


def test_every_rule_is_about_a_field_that_there_is():
    config = vqgan_stability.get_config("perceptual")
    config.unlock()
    config.model.quantizer.entropy_weight = 0.1
    config.model.quantizer.entropy_temperature = 0.1
    fields = paths.flatten(config.to_dict())
    for other in (independent_fashion_mnist, restore_photos):
        fields |= paths.flatten(other.get_config().to_dict())
    assert {rule.field for rule in inactive.IDLE} <= set(fields)
