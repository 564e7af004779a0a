"""Real steps, compiled for simulated CPU devices, and their sums."""

import jax
import pytest

from configs import ar_photos, quickstart
from vq_jax.errors import InputError
from vq_jax.inference.load import tokenizer_of
from vq_jax.planning.chips import Chip
from vq_jax.planning.compilation import TooLargeError, check_divides, compile_plan
from vq_jax.planning.targets import Target, open_target
from vq_jax.testing import tiny


def _target(memory=2.0**40):
    return Target("cpu", jax.devices(), Chip("CPU", memory))


@pytest.fixture(scope="module")
def config():
    """Codes that have no state: nearly all that is summed are gradients."""
    config = quickstart.get_config("smoke")
    config.data.image_size = 16
    config.model = tiny.model_config("fsq")
    return config


@pytest.fixture(scope="module")
def plan(config):
    return compile_plan(config, _target())


def test_the_only_large_collective_is_the_gradients(plan):
    """Over eight devices, each sums its part of every parameter's gradient.

    Kernels that up-sample are summed as those of the convolution that they stand for,
    which have 36 positions for 16.
    """
    assert plan.num_chips == 8
    assert [*plan.collectives] == ["all-reduce"]
    summed = plan.collectives["all-reduce"]
    assert plan.param_bytes <= summed.largest <= 1.5 * plan.param_bytes
    assert summed.num_bytes <= 1.5 * plan.param_bytes
    assert summed.where.startswith("backward Autoencoder/decoder")


def test_the_dearest_are_products_of_known_layers(plan):
    dear = plan.dearest[:10]
    assert all(one.flops > 0 for one in dear)
    assert {one.direction for one in dear} == {"forward", "backward"}
    layers = {one.layer.split("/")[1] for one in dear}
    assert layers <= {"encoder", "decoder", "head"}


def test_the_parts_of_memory_add_up(plan):
    assert plan.peak_bytes >= plan.argument_bytes + plan.temporary_bytes
    # Adam keeps two averages of each parameter beside it.
    assert plan.argument_bytes > 3 * plan.param_bytes


def test_accumulation_is_a_loop_whose_rounds_are_counted(config, plan):
    parts = config.copy_and_resolve_references()
    parts.batch_size = 2 * config.batch_size
    parts.optim.accumulation = 2
    twice = compile_plan(parts, _target())
    assert 1.5 * plan.flops < twice.flops <= 2 * plan.flops
    assert twice.unknown_loops == 0


def test_a_step_that_does_not_fit_says_what_it_needs(config, plan):
    with pytest.raises(TooLargeError, match=r"needs .* GiB on each of 8 x CPU") as e:
        compile_plan(config, _target(memory=1_000.0))
    assert e.value.num_bytes == plan.peak_bytes


@pytest.mark.parametrize(
    ("size", "nearest"), [(100, "96 or 104"), (3, "8"), (17, "16 or 24")]
)
def test_a_batch_that_does_not_divide_names_those_that_do(size, nearest):
    config = quickstart.get_config("smoke")
    message = rf"{size} does not divide over 8 chips .*--config.batch_size={nearest}\."
    with pytest.raises(InputError, match=message):
        check_divides(size, config, _target())


def test_a_prior_is_planned_before_its_tokenizer_is_trained():
    tokenizer = tokenizer_of("later", quickstart.get_config("smoke"))
    plan = compile_plan(ar_photos.get_config("smoke"), _target(), tokenizer)
    assert plan.flops > 0
    summed = plan.collectives["all-reduce"].num_bytes
    assert plan.param_bytes <= summed <= 1.5 * plan.param_bytes


def test_what_trains_no_autoencoder_is_no_tokenizer():
    with pytest.raises(InputError, match=r"later is a run of config.task='prior'"):
        tokenizer_of("later", ar_photos.get_config("smoke"))


@pytest.mark.parametrize(
    ("platform", "topology", "message"),
    [
        ("tpu", "", "--topology is missing; name a slice"),
        ("tpu", "v9:2x2", r"v9:2x2 is unknown; name a chip of \['v4', 'v5e'"),
        ("tpu", "v5e", "v5e is unknown; name a chip"),
        ("tpu", "v5e:", "v5e: is unknown; name a chip"),
        ("cpu", "v5e:2x2", "describes TPUs; --platform=cpu takes the devices"),
        ("cuda", "", "only where one is, and finds none here"),
    ],
)
def test_targets_that_are_not_there(platform, topology, message):
    with pytest.raises(InputError, match=message):
        open_target(platform, topology)


def test_without_libtpu_the_install_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "vq_jax\[tpu\]"'):
        open_target("tpu", "v5e:2x2")
