"""Imports point down the list of layers, and files and functions stay small."""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "vq_jax"

# A layer imports itself and those before it. Evaluation comes before training, whose
# hooks evaluate.
LAYERS = [
    "errors",
    "typing",
    "config",
    "compiler",
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
    "apps",
    "training",
    "reports",
    "planning",
    "cli",
]
TEST_ONLY = "testing"
FORBIDDEN = {"tensorflow", "torch"}
MAX_FILE, MAX_FUNCTION = 350, 60
# What names the axes of a mesh. "data" is a word of others, too.
PARALLEL = {
    *("axis_name", "axis_names", "pmap", "psum", "pmean", "all_gather", "shard_map"),
    *("NamedSharding", "P", "PartitionSpec", "with_partitioning"),
}
AXES = {"data", "fsdp"}

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
CONFIGS = sorted((ROOT / "configs").rglob("*.py"))


def _name(path):
    return str(path.relative_to(ROOT))


def _nodes(path):
    return list(ast.walk(ast.parse(path.read_text())))


def _imported(path):
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_point_down(path):
    layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    allowed = LAYERS if layer == TEST_ONLY else LAYERS[: LAYERS.index(layer) + 1]
    for module in _imported(path):
        package, *parts = module.split(".")
        assert package not in FORBIDDEN, f"{layer} imports {module}"
        if package == "vq_jax" and parts and parts[0] in {*LAYERS, TEST_ONLY}:
            assert parts[0] in (*allowed, layer), f"{layer} imports {module}"


@pytest.mark.parametrize("path", CONFIGS, ids=_name)
def test_configurations_import_nothing_but_each_other(path):
    allowed = {"configs", "ml_collections", *sys.stdlib_module_names}
    assert {module.split(".")[0] for module in _imported(path)} <= allowed


def test_arithmetic_knows_no_modules_and_no_configuration():
    for path in (PACKAGE / "ops").glob("*.py"):
        tops = {module.split(".")[0] for module in _imported(path)}
        assert not tops & {"flax", "ml_collections", "optax"}, path


@pytest.mark.parametrize("path", [*FILES, *CONFIGS], ids=_name)
def test_files_and_functions_stay_small(path):
    assert path.read_text().count("\n") <= MAX_FILE
    for node in _nodes(path):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < MAX_FUNCTION, node.name


def _words(node):
    """The names that a node of a syntax tree has, keywords and parameters included."""
    return {getattr(node, field, None) for field in ("id", "attr", "arg", "name")}


def _axes(node):
    """The axes that a node picks from a mesh, or hands to a function of sharding.py."""
    if isinstance(node, ast.Subscript) and "shape" in _words(node.value):
        given = [node.slice]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("sharding."):
        given = [*node.args, *node.keywords]
    else:
        given = []
    parts = (part for one in given for part in ast.walk(one))
    return {part.value for part in parts if isinstance(part, ast.Constant)} & AXES


def test_only_sharding_names_mesh_axes():
    for path in FILES:
        if path != PACKAGE / "sharding.py":
            for node in _nodes(path):
                assert not _words(node) & PARALLEL, path
                assert not _axes(node), path
