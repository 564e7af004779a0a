"""Eight simulated CPU devices, JAX's strict checks, programs as users run them."""

import atexit
import os
import shutil
import tempfile

# All that stands above the import of jax comes before it. Compiled programs are shared
# by the workers and by the programs that tests start: most models are the same few.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    COMPILED = tempfile.mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, COMPILED, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# On a busy machine eight threads may meet later than after XLA's 40 s, when it aborts.
# Without its emitters of fusions XLA compiles in a quarter of the time.
DEVICES = (
    "--xla_force_host_platform_device_count=8 "
    "--xla_cpu_collective_call_terminate_timeout_seconds=600 "
    "--xla_cpu_use_fusion_emitters=false"
)
# The programs that tests start see one device, as users do.
USER_ENVIRONMENT = {**os.environ, "JAX_PLATFORMS": "cpu"}
if USER_ENVIRONMENT.get("XLA_FLAGS") == DEVICES:  # set by the parent of a test worker
    del USER_ENVIRONMENT["XLA_FLAGS"]
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = DEVICES

import contextlib
import functools
import gc
import io
import itertools
import pathlib
import subprocess
import sys

import jax
import pytest

from vq_jax.cli.main import main

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
# Compiling tiny models is most of the time; programs under test run optimised.
jax.config.update("jax_disable_most_optimizations", True)

ROOT = pathlib.Path(__file__).parents[1]
# Linux gives a process 65,530 mappings of memory. Each compiled program takes several,
# and XLA crashes where there are no more.
MAPPINGS = pathlib.Path("/proc/self/maps")
MOST_MAPPINGS = 30_000
TESTS = itertools.count(1)


def pytest_collection_finish():
    """The garbage collector leaves what is imported by now, and comes less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(autouse=True)
def _few_programs():
    """Forgets compiled programs, which are on disk, when there are too many."""
    yield
    if next(TESTS) % 20 or not MAPPINGS.exists():
        return
    if MAPPINGS.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()


@pytest.fixture(scope="session")
def start():
    """`start("train", "--flag=…")`: a running `vq-jax` program, output captured.

    Further arguments are variables of its environment; None is one that is not set.
    """

    def run(*arguments, **environment):
        environment = {**USER_ENVIRONMENT, **environment}
        return subprocess.Popen(
            [sys.executable, "-m", "vq_jax.cli.main", *map(str, arguments)],
            cwd=ROOT,
            env={k: v for k, v in environment.items() if v is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


@pytest.fixture(scope="session")
def run(start):
    """`run("evaluate", "--flag=…")`: (exit code, everything printed)."""

    def finished(*arguments, **environment):
        process = start(*arguments, **environment)
        out, err = process.communicate(timeout=600)
        return process.returncode, out + err

    return finished


@pytest.fixture(scope="session")
def trained(run, tmp_path_factory):
    """The workdir of a finished smoke run."""
    workdir = tmp_path_factory.mktemp("trained")
    code, printed = run(
        "train", "--config=configs/quickstart.py:smoke", f"--workdir={workdir}"
    )
    assert code == 0, printed
    return workdir


@pytest.fixture(scope="session")
def call():
    """As `run`, but in this process: faster, and on eight devices."""

    def finished(*arguments):
        printed = io.StringIO()
        with (
            contextlib.chdir(ROOT),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            pytest.raises(SystemExit) as end,
        ):
            main(["vq-jax", *map(str, arguments)])
        return end.value.code, printed.getvalue()

    return finished


@pytest.fixture
def as_users():
    """`jax.jit` as users have it; other tests compile faster, optimising less."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield functools.partial(
        jax.jit, compiler_options={"xla_cpu_use_fusion_emitters": True}
    )
    jax.config.update("jax_disable_most_optimizations", True)
