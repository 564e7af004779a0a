import pytest

from configs import quickstart
from vq_jax.errors import InputError
from vq_jax.training.setup import prepare


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("num_steps", 0),
        ("seed", -1),
        ("ema_decay", 1.0),
        ("losses.l2", -1.0),
        ("optim.learning_rate", -1.0),
        ("checkpoint.keep", 0),
        ("eval.every", -1),
        ("model.quantizer.decay", 1.5),
        ("model.quantizer.codebook_size", 0),
    ],
)
def test_a_number_out_of_range_is_named_with_its_range(path, value):
    config = quickstart.get_config("smoke")
    config.update_from_flattened_dict({path: value})
    with pytest.raises(InputError, match=rf"config\.{path}={value} must be in \["):
        prepare(config)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("batch_size", 9, r"config.batch_size=9 does not divide over 8 devices"),
        ("model.dtype", "bf16", r"config.model.dtype='bf16' is unknown; choose from"),
        ("mesh.fsdp", 3, r"config.mesh.fsdp=3 must divide the 8 devices"),
        ("optim.accumulation", 3, r"accumulation=3 must divide config.batch_size=8"),
        ("losses.kl", 1.0, r"does not fit the deterministic head"),
        ("losses.l2", 0.0, r"no reconstruction term"),
    ],
)
def test_values_that_do_not_fit_are_named(path, value, message):
    config = quickstart.get_config("smoke")
    config.update_from_flattened_dict({path: value})
    with pytest.raises(InputError, match=message):
        prepare(config)
