"""docs/recipes.md has the values of the configurations, and all fields that act."""

import ast
import functools
import importlib
import itertools
import pathlib
import re

import jax
import jax.numpy as jnp
import pytest

from vq_jax.config import paths
from vq_jax.config.tables import from_table
from vq_jax.models.build import PRIORS, build_discriminator
from vq_jax.ops.token_layout import TokenLayout
from vq_jax.testing import priors
from vq_jax.training import inactive

ROOT = pathlib.Path(__file__).parents[1]
# How a run goes, and not what it computes; and what follows from the images.
NOT_THE_RECIPE = (
    *("task", "seed", "log_every", "usage_window", "init_from", "freeze"),
    *("tokenizer", "codes"),
    *("evaluations", "checkpoint", "mesh", "optim.accumulation", "model.likelihood"),
    *("model.encoder.resolution", "model.decoder.resolution", "data.channels"),
    *("data.source", "data.train_split", "data.eval_split", "data.data_dir"),
    *("data.on_error", "data.num_threads", "data.prefetch", "data.num_workers"),
)


def _expand(pattern):
    """`a.{b,c}` -> [a.b, a.c]."""
    parts = enumerate(re.split(r"\{([^}]*)\}", pattern))
    choices = [part.split(",") if i % 2 else [part] for i, part in parts]
    return ["".join(words) for words in itertools.product(*choices)]


def _tables():
    """{FILE.py or FILE.py:VARIANT: {field: (ours, source's)}}"""
    text = (ROOT / "docs" / "recipes.md").read_text()
    tables = {}
    for section in text.split("\n## ")[1:]:
        name, rows = section.split("\n", 1)[0], {}
        for fields, ours, source in re.findall(
            r"^\| `(.*?)` \| `(.*?)` \| (.*?) \| .* \|$", section, re.MULTILINE
        ):
            rows |= dict.fromkeys(_expand(fields), (ast.literal_eval(ours), source))
        tables[name] = rows
    return tables


TABLES = _tables()


def _config(name):
    stem, _, variant = name.partition(":")
    module = importlib.import_module(f"configs.{stem.removesuffix('.py')}")
    return module.get_config(variant)


def _acting(config):
    """{field: value} of the recipe, without what is off and what has no effect."""
    flat = paths.flatten(config.to_dict())
    idle = {r.field for r in inactive.IDLE if r.field in flat and not r.acts(config)}
    return {
        field: value
        for field, value in flat.items()
        if (value or field == "data.flip")
        and field not in idle
        and not paths.below(field, NOT_THE_RECIPE)
    }


@pytest.mark.parametrize("name", TABLES)
def test_the_table_has_the_values_of_the_configuration(name):
    flat = paths.flatten(_config(name).to_dict())
    for field, (ours, _) in TABLES[name].items():
        if isinstance(ours, float):
            assert flat[field] == pytest.approx(ours, rel=1e-6), field
        else:
            assert flat[field] == ours, field


@pytest.mark.parametrize("name", TABLES)
def test_the_table_has_every_field_that_acts(name):
    acting, base = _acting(_config(name)), {}
    if ":" in name:
        base = paths.flatten(_config(name.partition(":")[0]).to_dict())
    changed = {f for f, value in acting.items() if base.get(f) != value}
    assert sorted(changed - TABLES[name].keys()) == []


def test_every_experiment_that_follows_a_paper_has_a_table_and_says_what_is_ours():
    following = set()
    for path in (ROOT / "configs").glob("[!_]*.py"):
        card = ast.get_docstring(ast.parse(path.read_text()))
        if re.search(r"\b\d{4}\.\d{5}", card):
            following.add(path.name)
            assert "docs/recipes.md" in card, path.name
            assert re.search(r"^Ours: ", card, re.MULTILINE), path.name
    assert {name.partition(":")[0] for name in TABLES} == following


def test_maskgits_discriminator_has_as_many_parameters_as_the_released_one():
    config = _config("maskgit_tokenizer_imagenet256")
    module = build_discriminator(config.discriminator, config.model.dtype)
    images = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    init = jax.eval_shape(
        lambda key, x: module.init(key, x, train=False), jax.random.key(0), images
    )
    assert sum(leaf.size for leaf in jax.tree.leaves(init)) == 23_998_017


@pytest.mark.parametrize(
    ("variant", "parameters"), [("", 111e6), ("l", 343e6), ("xl", 775e6)]
)
def test_llamagen_has_as_many_parameters_as_published(variant, parameters):
    """Table 1 of 2406.06525, in whole millions."""
    config = _config(f"llamagen_imagenet256:{variant}")
    layout = TokenLayout((16, 16), ((16, 16),), 16_384)
    prior = from_table(PRIORS, config.prior, "config.prior", layout=layout)
    shapes = jax.eval_shape(functools.partial(priors.variables, prior))
    found = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    assert abs(found - parameters) < 0.5e6
