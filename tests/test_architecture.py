"""Imports point down the list of layers, and files and functions stay small."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "vq_jax"

# A layer imports itself and those before it. Evaluation comes before training, whose
# hooks evaluate.
LAYERS = [
    "errors",
    "typing",
    "config",
    "sharding",
    "ops",
    "models",
    "pretrained",
    "losses",
    "metrics",
    "data",
    "workdirs",
    "inference",
    "evaluation",
    "training",
    "reports",
    "cli",
]
TEST_ONLY = "testing"
FORBIDDEN = {"tensorflow", "torch"}
MAX_FILE, MAX_FUNCTION = 350, 60

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def _name(path):
    return str(path.relative_to(PACKAGE))


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_point_down(path):
    layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    allowed = LAYERS if layer == TEST_ONLY else LAYERS[: LAYERS.index(layer) + 1]
    for module in _imported(ast.parse(path.read_text())):
        parts = module.split(".")
        assert parts[0] not in FORBIDDEN, f"{layer} imports {module}"
        if parts[0] == "vq_jax" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir():
            target = parts[1]
            assert target in allowed or target == layer, f"{layer} imports {module}"


def test_arithmetic_knows_no_modules_and_no_configuration():
    for path in (PACKAGE / "ops").glob("*.py"):
        tops = {m.split(".")[0] for m in _imported(ast.parse(path.read_text()))}
        assert not tops & {"flax", "ml_collections", "optax"}, path


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= MAX_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < MAX_FUNCTION, node.name


def test_only_sharding_names_mesh_axes():
    words = ("axis_name", "pmap", "psum", "all_gather", "shard_map")
    for path in FILES:
        if path.name != "sharding.py":
            names = {
                getattr(node, "id", getattr(node, "attr", None))
                for node in ast.walk(ast.parse(path.read_text()))
            }
            assert not names & set(words), path
