"""The search in blocks is the search, as CPUs do it and as other devices do."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from vq_jax.ops import distances
from vq_jax.testing import reference

# Few shapes, since each one compiles, but every kind: one code, blocks of one code,
# that divide the codebook, that do not, that overlap by all but one, larger than it.
SHAPES = [(1, 1), (1, 4), (7, 1), (12, 4), (13, 4), (13, 12), (13, 99)]


@pytest.fixture(params=["ON_CPU", "ON_TPU", "ELSEWHERE"], autouse=True)
def device(request, monkeypatch):
    """What a CPU searches by in a test, so that both ways are tested on one."""
    kind = getattr(distances, request.param)
    monkeypatch.setattr(distances, "ON_CPU", kind)

    def hold(max_scores):
        monkeypatch.setattr(
            distances, "ON_CPU", kind._replace(min_block=128, max_scores=max_scores)
        )

    return hold


def _search(z, codes):
    """Compiled anew in every test: `device` is no argument of it."""
    return jax.jit(lambda z, codes: distances.nearest_code(z, codes))(z, codes)


def _whole_numbers(rng, *shape):
    """Small: many ties, and no rounding that could decide one."""
    return rng.integers(-2, 3, shape).astype(np.float32)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 2**16))
def test_blocks_give_the_brute_force_answer_with_ties(shape, seed):
    size, block = shape
    rng = np.random.default_rng(seed)
    z, codes = _whole_numbers(rng, 9, 2), _whole_numbers(rng, size, 2)
    found = distances.nearest_code(jnp.asarray(z), jnp.asarray(codes), block_size=block)
    np.testing.assert_array_equal(found, reference.nearest_code(z, codes))


@pytest.mark.parametrize("size", [256, 257, 300, 383])
def test_automatic_blocks_give_the_brute_force_answer_with_ties(size, device):
    device(max_scores=1)  # the smallest blocks: 128 codes
    rng = np.random.default_rng(size)
    z, codes = _whole_numbers(rng, 2, 6, 4), _whole_numbers(rng, size, 4)
    found = _search(z, codes)
    expected = reference.nearest_code(z.reshape(-1, 4), codes)
    np.testing.assert_array_equal(found, expected.reshape(2, 6))
    assert expected.max() >= 128  # else the first block alone would do


def test_other_indices_than_float64_gives_are_near_ties():
    rng = np.random.default_rng(0)
    z, codes = rng.normal(size=(128, 32)), rng.normal(size=(1_000, 32))
    z, codes = z.astype(np.float32), codes.astype(np.float32)
    squared = ((z[:, None].astype(np.float64) - codes[None]) ** 2).sum(-1)
    found = squared[np.arange(128), _search(z, codes)]
    np.testing.assert_allclose(found, squared.min(axis=1), rtol=1e-6)
    assert np.mean(found == squared.min(axis=1)) > 0.99


def test_the_block_size_picks_itself_and_memory_stays_below_the_full_matrix(device):
    device(max_scores=2**18)
    z = jax.ShapeDtypeStruct((1_024, 8), jnp.float32)
    codes = jax.ShapeDtypeStruct((2**14, 8), jnp.float32)
    search = jax.jit(lambda z, codes: distances.nearest_code(z, codes))
    compiled = search.lower(z, codes).compile()
    full = 4 * 1_024 * 2**14
    assert compiled.memory_analysis().temp_size_in_bytes < full / 8


def test_blocks_of_real_codes_agree_with_one_block_up_to_near_ties():
    z = jax.random.normal(jax.random.key(0), (64, 16))
    codes = jax.random.normal(jax.random.key(1), (1_000, 16))
    one = distances.nearest_code(z, codes, block_size=1_000)
    many = distances.nearest_code(z, codes, block_size=96)
    squared = np.asarray(distances.squared_distances(z, codes))
    rows = np.arange(64)
    np.testing.assert_allclose(squared[rows, one], squared[rows, many], rtol=1e-5)
    assert np.mean(one == many) > 0.99


@pytest.mark.parametrize("index", [0, 5, 6, 12])
def test_the_overlap_of_the_last_block_does_not_count_twice(index):
    codes = np.full((13, 2), 9.0, np.float32)
    codes[[index, 12]] = 0.0  # the lowest of two equal codes wins
    z = jnp.zeros((3, 2))
    found = distances.nearest_code(z, jnp.asarray(codes), block_size=7)
    np.testing.assert_array_equal(found, [index] * 3)


def test_a_batch_of_codebooks_is_searched_by_vmap(device):
    device(max_scores=1)
    rng = np.random.default_rng(0)
    z, codes = _whole_numbers(rng, 3, 6, 4), _whole_numbers(rng, 3, 300, 4)
    expected = [reference.nearest_code(*pair) for pair in zip(z, codes, strict=True)]
    np.testing.assert_array_equal(jax.vmap(_search)(z, codes), expected)
    shared = jax.vmap(_search, in_axes=(0, None))(z, codes[0])
    np.testing.assert_array_equal(shared[1], reference.nearest_code(z[1], codes[0]))


def test_every_device_searches_its_own_vectors(device):
    device(max_scores=1)
    rng = np.random.default_rng(0)
    z, codes = _whole_numbers(rng, 8, 2, 4), _whole_numbers(rng, 300, 4)
    mesh = Mesh(np.array(jax.devices()), ("data",))
    split = NamedSharding(mesh, PartitionSpec("data"))
    search = jax.jit(lambda z, codes: distances.nearest_code(z, codes))
    arguments = jax.device_put(z, split), codes
    found = search(*arguments)
    expected = reference.nearest_code(z.reshape(-1, 4), codes).reshape(8, 2)
    np.testing.assert_array_equal(found, expected)
    assert found.sharding.is_equivalent_to(split, 2)
    compiled = search.lower(*arguments).compile().as_text()
    assert not any(name in compiled for name in ("all-gather", "all-to-all", "permute"))


def test_no_gradient_passes(device):
    device(max_scores=1)
    codes = jax.random.normal(jax.random.key(0), (300, 4))

    def chosen(z, codes):
        return jnp.sum(codes[distances.nearest_code(z, codes)])

    by_z, by_codes = jax.grad(chosen, argnums=(0, 1))(codes[::2] + 0.01, codes)
    np.testing.assert_array_equal(by_z, np.zeros((150, 4)))
    assert float(by_codes.sum()) == 150 * 4  # of the choice of rows alone


@pytest.mark.parametrize("bad", ["z", "codes"])
def test_indices_of_what_is_not_finite_are_in_range(bad):
    arrays = {"z": jnp.ones((3, 2)), "codes": jnp.ones((5, 2))}
    arrays[bad] *= np.nan
    found = distances.nearest_code(arrays["z"], arrays["codes"], block_size=2)
    np.testing.assert_array_equal(found, [0, 0, 0])
