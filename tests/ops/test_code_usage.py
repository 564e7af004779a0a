import hypothesis
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from vq_jax.ops import code_usage
from vq_jax.testing import reference


@pytest.mark.parametrize("grid", [(), (6,), (3, 2), (2, 3, 4)])
@pytest.mark.parametrize("masked", [False, True])
def test_code_counts_match_bincount(grid, masked):
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 9, (5, *grid))
    mask = np.asarray([True, False, True, True, False]) if masked else None
    found = code_usage.code_counts(
        jnp.asarray(indices, jnp.int32), 11, None if mask is None else jnp.asarray(mask)
    )
    kept = indices if mask is None else indices[mask]
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(found, [np.bincount(kept.ravel(), minlength=11)])


def test_code_counts_are_per_codebook_and_leave_dropped_residual_levels_out():
    indices = jnp.asarray([[[0, 2], [0, -1]], [[1, 2], [2, 0]]])
    found = code_usage.code_counts(indices, 3, num_codebooks=2)
    np.testing.assert_array_equal(found, [[2, 1, 1], [1, 0, 2]])
    assert code_usage.usage(found) == pytest.approx(5 / 6)
    each = [code_usage.perplexity(row) for row in found]
    np.testing.assert_allclose(code_usage.perplexity(found), np.mean(each), rtol=1e-6)


@pytest.mark.parametrize("codebooks", [1, 2, 6])
def test_code_counts_of_codebooks_match_bincount_with_masks_and_drops(codebooks):
    # The last axes, flattened, run over the codebooks: 2 x 3 of them at most.
    indices = np.random.default_rng(0).integers(-2, 5, (4, 7, 2, 3))
    mask = np.asarray([True, False, True, True])
    found = code_usage.code_counts(
        jnp.asarray(indices), 5, jnp.asarray(mask), num_codebooks=codebooks
    )
    columns = indices[mask].reshape(-1, codebooks).T
    expected = [np.bincount(column[column >= 0], minlength=5) for column in columns]
    np.testing.assert_array_equal(found, expected)


def test_usage_and_perplexity_are_means_over_codebooks():
    # An unused codebook counts as one with a single code, and does not spoil the mean.
    counts = jnp.asarray([[4, 4, 4, 4], [9, 9, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(code_usage.usage(counts), (4 + 2 + 0) / 12, rtol=1e-6)
    np.testing.assert_allclose(code_usage.perplexity(counts), (4 + 2 + 1) / 3, 1e-6)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(used=st.integers(1, 16), seed=st.integers(0, 2**16))
def test_usage_and_perplexity_match_the_definition(used, seed):
    indices = np.random.default_rng(seed).integers(0, used, 40)
    counts = jnp.asarray(np.bincount(indices, minlength=16))
    assert code_usage.usage(counts) == len(np.unique(indices)) / 16
    np.testing.assert_allclose(
        code_usage.perplexity(counts), reference.perplexity(indices), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("counts", "usage", "perplexity"),
    [
        ([3, 3, 3, 3], 1.0, 4.0),
        ([0, 9, 0, 0], 0.25, 1.0),
        ([0, 0, 0, 0], 0.0, 1.0),
        ([0.0, 0.05, 0.05, 0.0], 0.5, 2.0),  # EMA counts may sum to less than one.
    ],
)
def test_usage_and_perplexity_at_the_edges(counts, usage, perplexity):
    counts = jnp.asarray(counts)
    assert code_usage.usage(counts) == usage
    np.testing.assert_allclose(code_usage.perplexity(counts), perplexity, rtol=1e-6)


def test_bits_per_pixel_of_vqgan_f16():
    # 256 tokens of 10 bits for 256 x 256 pixels.
    assert code_usage.bits_per_pixel(256, 1024, 256 * 256) == 0.0390625


def test_a_window_counts_undivided_batches_and_keeps_the_last_complete_one():
    window = code_usage.new_window(1, 3)
    batches = jnp.asarray([[[2, 0, 0]], [[1, 1, 0]], [[0, 0, 2]], [[0, 2, 0]]])
    seen = []
    for counts in batches:
        window = code_usage.extend_window(window, counts, 2, 4)
        seen.append(float(code_usage.window_summary(window)["usage"]))
    # In progress; the first window; still the first; the second.
    np.testing.assert_allclose(seen, [1 / 3, 2 / 3, 2 / 3, 2 / 3], rtol=1e-6)
    np.testing.assert_array_equal(window.last, [[0, 2, 2]])
    assert window.num_images == 0
