import zlib

import jax
import numpy as np
import pytest

from vq_jax.ops import streams
from vq_jax.training import rng


@pytest.mark.parametrize("name", ["choice", "path", "dropout"])
def test_a_stream_is_the_checksum_of_its_name_folded_in(name):
    key = jax.random.key(3)
    folded = jax.random.fold_in(key, zlib.crc32(name.encode()))
    for stream in (streams.stream, rng.stream):
        np.testing.assert_array_equal(
            jax.random.key_data(stream(key, name)), jax.random.key_data(folded)
        )
