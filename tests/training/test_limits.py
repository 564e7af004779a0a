"""No field of any configuration takes what it has no meaning for.

Every number has limits, every field in all experiments is checked before the model is
traced, and every section refuses a field that it does not have.
"""

import dataclasses
import functools
import pathlib
import tempfile
import typing
from typing import Annotated

import pytest
from ml_collections import ConfigDict

from configs import quickstart, vqgan_imagenet256, vqgan_stability
from configs.parts.adversarial import DISCRIMINATORS
from configs.parts.quantizers import QUANTIZERS
from vq_jax import sharding
from vq_jax.config import fields, paths
from vq_jax.errors import InputError
from vq_jax.evaluation.build import EVALUATIONS
from vq_jax.models.build import DECODERS, ENCODERS, HEADS
from vq_jax.models.build import DISCRIMINATORS as DISCRIMINATOR_CLASSES
from vq_jax.models.build import QUANTIZERS as QUANTIZER_CLASSES
from vq_jax.testing.experiments import NAMES, config_of, tokenizer_of
from vq_jax.testing.runs import describe_run
from vq_jax.training.setup import prepare
from vq_jax.training.tasks.build import TASKS, build_task, check_fields

NUMBERS = (float("nan"), float("inf"), -float("inf"), -(10**12), 10**12)
OTHERS = (None, True, "x", (), {})
MAY_BE_EMPTY = {
    "attention_resolutions",
    "augment",
    "exclude_labels",
    "features",
    "freeze",
    "fuse_levels",
    "lpips",
    "remat_resolutions",
}
# Fields that follow from elsewhere, and of which no configuration has any.
DERIVED = {"code_dim", "dtype", "inner", "out_channels", "subject", "where"}


@functools.cache
def _tokenizers():
    """A folder for the tokenizers of priors, for as long as the tests run."""
    return tempfile.TemporaryDirectory()


def _experiment(name):
    """Its configuration; the tokenizer of a prior is there, without arrays."""
    config = config_of(name)
    if "tokenizer" in config:
        config.tokenizer = f"{_tokenizers().name}/{name}"
        if not pathlib.Path(config.tokenizer).exists():
            describe_run(tokenizer_of(name), pathlib.Path(config.tokenizer))
    return config


def _configs():
    """All experiments, every quantizer and every discriminator."""
    yield from map(_experiment, NAMES)
    yield from map(quickstart.get_config, QUANTIZERS)
    yield from map(vqgan_stability.get_config, DISCRIMINATORS)


def _fields():
    """Each field once for each family that has it: [(path, configuration)]."""
    found = {}
    for config in _configs():
        for path in paths.flatten(config.to_dict()):
            section = _section(config, path)
            found.setdefault((path, section.get("name")), config)
    return [(path, config) for (path, _), config in found.items()]


def _section(config, path):
    for name in path.split(".")[:-1]:
        config = config[name]
    return config


def _changed(config, path, value):
    config = config.copy_and_resolve_references().unlock()
    section, name = _section(config, path), path.split(".")[-1]
    if name in section:
        del section[name]  # so that the new value may have another type
    section[name] = value
    return config


def _check(config):
    """All that `prepare` does before it traces the model."""
    check_fields(config)
    task = build_task(config)
    task.evaluations(sharding.make_mesh(data=-1, fsdp=1))


def _classes():
    """The classes of all sections."""
    for table in (ENCODERS, DECODERS, HEADS, QUANTIZER_CLASSES, DISCRIMINATOR_CLASSES):
        yield from table.values()
    yield from EVALUATIONS.values()
    for task in TASKS.values():
        yield task.fields
        for hint in typing.get_type_hints(task.fields).values():
            if typing.is_typeddict(hint) or dataclasses.is_dataclass(hint):
                yield hint


def _described_fields():
    """(name, annotation) of every field of every section."""
    for cls in set(_classes()):
        hints = typing.get_type_hints(cls, include_extras=True)
        for name in fields.field_names(cls) - DERIVED:
            yield name, hints[name]


def _is_number(hint):
    return typing.get_origin(hint) is Annotated and hint.__origin__ in (int, float)


def test_every_number_has_limits():
    described = list(_described_fields())
    assert len(described) > 150
    for name, hint in described:
        assert hint not in (int, float, tuple[int, ...], tuple[float, ...]), name
        if _is_number(hint):
            for bad in (*NUMBERS, *OTHERS):
                with pytest.raises(InputError, match=rf"^config\.{name}="):
                    fields.check_value(hint, bad, f"config.{name}")


def test_every_tuple_has_limits():
    for name, hint in _described_fields():
        if "tuple" in str(hint):
            empty = [] if name in MAY_BE_EMPTY else [()]
            entries = [(bad,) for bad in (*NUMBERS, None, True, (), {})]
            for bad in (*empty, *entries, None, 3, {}):
                with pytest.raises(InputError, match=rf"^config\.{name}="):
                    fields.check_value(hint, bad, f"config.{name}")


def _bad_value(value):
    return float("nan") if isinstance(value, int | float) else None


def test_every_field_is_checked_before_the_model_is_traced():
    found = _fields()
    assert len(found) > 150
    for path, config in found:
        value = _section(config, path)[path.split(".")[-1]]
        with pytest.raises(InputError, match=rf"config\.{path}="):
            _check(_changed(config, path, _bad_value(value)))


def test_every_section_is_one():
    sections = {path.rpartition(".")[0]: config for path, config in _fields()}
    for path in sections.keys() - {""}:
        for bad in (3, None, ()):
            with pytest.raises(InputError, match=rf"^config\.{path}="):
                _check(_changed(sections[path], path, bad))


def test_every_section_refuses_a_misspelt_field_and_names_the_near_one():
    for path, config in _fields():
        if path.endswith(".name"):
            continue
        misspelt = f"{path}s"
        message = rf"^config\.{misspelt} is unknown; did you mean config\.{path}\?"
        with pytest.raises(InputError, match=message):
            _check(_changed(config, misspelt, 1))


def test_every_section_says_what_it_misses():
    for config in (quickstart.get_config(), vqgan_stability.get_config()):
        for name in config:
            bare = config.copy_and_resolve_references().unlock()
            del bare[name]
            with pytest.raises(InputError, match=rf"^config\.{name} is missing"):
                _check(bare)
        for path in paths.flatten(config.to_dict()):
            if path.split(".")[0] in ("data", "optim", "disc_optim", "adversarial"):
                bare = config.copy_and_resolve_references().unlock()
                del _section(bare, path)[path.split(".")[-1]]
                with pytest.raises(InputError, match=rf"^config\.{path} is missing"):
                    _check(bare)


@pytest.mark.parametrize("bits", ["num_levels", "codebook_size"])
def test_a_slip_of_the_hand_is_answered_at_once(bits):
    config = quickstart.get_config("residual" if bits == "num_levels" else "vq")
    with pytest.raises(InputError, match=rf"{bits}=1000000000 must be in \["):
        prepare(_changed(config, f"model.quantizer.{bits}", 10**9))


@pytest.mark.parametrize(
    ("experiment", "path", "value", "message"),
    [
        (quickstart, "model.encoder.hidden_dim", 0, r"hidden_dim=0 must be in \[2"),
        (quickstart, "model.encoder.num_downsamples", -1, r"=-1 must be in \[0"),
        (quickstart, "model.decoder.num_res_blocks", -1, r"=-1 must be in \[0"),
        (quickstart, "data.channels", 0, r"config.data.channels=0 is unknown; choose"),
        (quickstart, "optim.b1", 1.5, r"config.optim.b1=1.5 must be in \[0"),
        (quickstart, "optim.b2", -0.5, r"config.optim.b2=-0.5 must be in \[0"),
        (quickstart, "optim.eps", -1, r"config.optim.eps=-1 must be in \["),
        (quickstart, "optim.final_fraction", 7.0, r"=7.0 must be in \[0.0, 1.0\]"),
        (vqgan_stability, "disc_optim.momentum", 3.0, r"momentum=3.0 must be in \[0"),
        (vqgan_stability, "discriminator.base_dim", 0, r"base_dim=0 must be in \[1"),
        (vqgan_stability, "discriminator.num_layers", 8, r"no patch .* 768 px or more"),
        (vqgan_stability, "num_steps", 500, r"gen_start=500 is not before .*=500"),
        (vqgan_stability, "discriminators", {}, r"did you mean config.discriminator\?"),
        (vqgan_imagenet256, "model.encoder.multipliers", (), r"one entry or more"),
    ],
)
def test_what_was_accepted_or_ended_in_a_traceback(experiment, path, value, message):
    with pytest.raises(InputError, match=message):
        prepare(_changed(experiment.get_config(), path, value))


def test_scales_of_none():
    config = quickstart.get_config("multi_scale")
    with pytest.raises(InputError, match=r"scales=\(\) must have one entry or more"):
        prepare(_changed(config, "model.quantizer.scales", ()))


def test_sections_of_another_kind_of_run_are_unknown_and_missing():
    with pytest.raises(InputError, match=r"task='autoencoder' takes"):
        prepare(_changed(vqgan_stability.get_config(), "task", "autoencoder"))
    with pytest.raises(InputError, match=r"task='adversarial' takes"):
        prepare(_changed(quickstart.get_config(), "task", "adversarial"))


def test_fields_that_have_moved_are_named_by_their_path_of_today():
    with pytest.raises(InputError, match=r"eval is unknown; it is config.eval"):
        prepare(_changed(quickstart.get_config(), "eval", ConfigDict({"every": 1})))
