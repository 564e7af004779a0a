import functools
from operator import getitem

import pytest
from ml_collections import ConfigDict

from configs import independent_fashion_mnist, vqvae_photos
from configs.parts.defaults import defaults
from vq_jax.config import paths
from vq_jax.errors import InputError
from vq_jax.reports import fairness


def _configs(variant="vq", **changes):
    other = vqvae_photos.get_config(variant).copy_and_resolve_references().unlock()
    for path, value in changes.items():
        *sections, field = path.split("__")
        functools.reduce(getitem, sections, other)[field] = value
    return {"one": vqvae_photos.get_config("vq"), "two": other}


def test_differences_are_by_field_and_label():
    found = fairness.differences(_configs(losses__l1=1.0, log_every=7))
    assert found == {
        "log_every": {"one": 50, "two": 7},
        "losses.l1": {"one": 0.0, "two": 1.0},
    }


def test_a_field_that_one_configuration_lacks_is_absent_there():
    configs = {"a": ConfigDict({"x": {"p": 1}}), "b": ConfigDict({"x": {"q": (1, 2)}})}
    absent = fairness.ABSENT
    assert fairness.differences(configs) == {
        "x.p": {"a": 1, "b": absent},
        "x.q": {"a": absent, "b": (1, 2)},
    }


def test_the_third_configuration_is_compared_too():
    configs = {**_configs(), "three": _configs(seed=5)["two"]}
    assert fairness.differences(configs) == {"seed": {"one": 0, "two": 0, "three": 5}}


@pytest.mark.parametrize(
    "change",
    [
        {"losses__l1": 1.0},
        {"optim__learning_rate": 0.1},
        {"ema_decay": 0.9},
        {"data__num_threads": 1},
    ],
)
def test_losses_and_optimisation_may_differ(change):
    assert len(fairness.check_fair(_configs(**change))) == 1


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"batch_size": 4}, "config.batch_size: one 64, two 4 (--config.batch_size=64"),
        ({"num_steps": 4}, "(--steps=5000, or --allow=num_steps to compare that)"),
        ({"data__crop": "center"}, "or --allow=data.crop"),
        ({"model__code_dim": 4}, "or --allow=model.code_dim"),
        ({"variant": "vq_ema"}, "the same variant, as A.py:vq, or --allow=model.quant"),
    ],
)
def test_generator_data_and_steps_are_the_same(change, advice):
    with pytest.raises(InputError, match="one generator, data") as error:
        fairness.check_fair(_configs(**change))
    assert advice in str(error.value)


def test_a_field_that_is_allowed_stands_for_all_below_it():
    configs = _configs("vq_ema")
    found = fairness.check_fair(configs, ("model.quantizer",))
    assert found["model.quantizer.name"] == {"one": "vq", "two": "vq_ema"}
    with pytest.raises(InputError, match=r"model\.quantizer\.decay"):
        fairness.check_fair(configs, ("model.quantizer.name",))


@pytest.mark.parametrize(
    "field", ["data.image_size", "evaluations.reconstruction.max_images"]
)
def test_the_held_out_images_are_the_same_whatever_is_allowed(field):
    configs = _configs(**{field.replace(".", "__"): 16})
    with pytest.raises(InputError) as error:
        fairness.check_fair(configs, ("data", "evaluations"))
    assert f"config.{field}" in str(error.value)
    assert "--allow" not in str(error.value)


def test_equal_configurations_a_single_one_and_unknown_fields_are_refused():
    with pytest.raises(InputError, match="one and two have the same configuration"):
        fairness.check_fair(_configs())
    with pytest.raises(InputError, match="one is one configuration; name two"):
        fairness.check_fair({"one": vqvae_photos.get_config()})
    with pytest.raises(InputError, match=r"--allow=model\.quantiser names no field"):
        fairness.check_fair(_configs(), ("model.quantiser",))


def test_every_field_of_the_protocol_exists():
    flat = paths.flatten(defaults().to_dict())
    for name in (*fairness.HELD_OUT, *fairness.ALIKE, *fairness.FREE):
        assert any(paths.below(field, (name,)) for field in flat), name


def test_priors_are_not_compared_by_reconstructions():
    configs = {"a": independent_fashion_mnist.get_config(), **_configs()}
    with pytest.raises(InputError, match=r"a: a comparison is one of tokenizers"):
        fairness.check_fair(configs)
