import subprocess
import sys

import jax
import numpy as np

from vq_jax.training import rng


def _bits(key):
    return np.asarray(jax.random.key_data(key)).tolist()


def test_streams_and_steps_all_differ():
    key = jax.random.key(0)
    keys = [
        _bits(k)
        for step in range(3)
        for k in rng.step_keys(key, step, ("codebook", "dropout")).values()
    ]
    assert len({tuple(bits) for bits in keys}) == 6


def test_a_stream_is_the_same_in_another_process():
    code = (
        "import jax; from vq_jax.training import rng;"
        "print(jax.random.key_data(rng.stream(jax.random.key(3), 'dropout')).tolist())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == str(_bits(rng.stream(jax.random.key(3), "dropout")))
