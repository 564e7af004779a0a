"""A program that was kept on disk computes what one compiled anew does, bit for bit."""

import jax
import numpy as np
import pytest

from vq_jax import Tokenizer
from vq_jax.cli.compiled_programs import machine
from vq_jax.testing.runs import logged


@pytest.mark.slow
def test_a_run_with_kept_programs_has_the_bits_of_one_that_compiles(run, tmp_path):
    folder = tmp_path / "cache" / "compiled" / machine()

    def trained(name):
        code, printed = run(
            "train",
            "--config=configs/quickstart.py:smoke",
            f"--workdir={tmp_path / name}",
            JAX_COMPILATION_CACHE_DIR=None,
            VQ_JAX_CACHE=str(tmp_path / "cache"),
        )
        assert code == 0, printed
        assert "feature" not in printed  # XLA's warnings of another kind of machine
        return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    kept = trained("fresh")
    assert any(name.startswith("jit_") for name in kept)
    assert trained("again") == kept
    assert logged(tmp_path / "again") == logged(tmp_path / "fresh")
    jax.tree.map(
        np.testing.assert_array_equal,
        *(Tokenizer.load(tmp_path / name).variables for name in ("again", "fresh")),
    )
