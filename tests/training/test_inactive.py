import pytest

from configs import quickstart, vqgan_stability
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
    ],
)
def test_a_field_of_a_missing_section_says_what_has_it(path, message):
    with pytest.raises(InputError, match=message):
        inactive.check_present(quickstart.get_config("smoke"), path)


def test_fields_that_are_there_or_unknown_are_not_its_business():
    config = vqgan_stability.get_config("smoke,perceptual")
    for path in ("adversarial.weight", "perceptual.net", "no.such", "batch_size"):
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
    assert {rule.field for rule in inactive.IDLE} <= set(fields)
