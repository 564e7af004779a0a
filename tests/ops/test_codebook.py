import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.ops import codebook, distances


def _ema_codebook(batches, codes, decay):
    """(codes, counts, sums) after EMA updates with `batches` of (vectors, indices).

    N ← γN + (1-γ)n and m ← γm + (1-γ)Σz for each code, then e = m/N. At first N is 1
    and m is e.
    """
    codes = codes.astype(np.float64).copy()
    counts, sums = np.ones(len(codes)), codes.copy()
    for vectors, indices in batches:
        for k in range(len(codes)):
            mine = vectors[indices == k].astype(np.float64)
            counts[k] = decay * counts[k] + (1 - decay) * len(mine)
            sums[k] = decay * sums[k] + (1 - decay) * mine.sum(axis=0)
            codes[k] = sums[k] / counts[k]
    return codes, counts, sums


def _vectors(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def test_three_updates_are_the_definition():
    codes = _vectors(0, 6, 4)
    state = codebook.new_codebook(codes)
    batches = []
    for seed in range(1, 4):
        z = _vectors(seed, 10, 4)
        indices = jax.random.randint(jax.random.key(seed + 10), (10,), 0, 4)
        batches.append((np.asarray(z), np.asarray(indices)))
        statistics = codebook.code_statistics(z, indices, 6)
        state = codebook.ema_update(state, statistics, decay=0.9)
    expected = _ema_codebook(batches, np.asarray(codes), 0.9)
    for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_statistics_of_parts_add_up_to_those_of_the_whole():
    z, indices = _vectors(0, 12, 3), jnp.arange(12) % 5
    whole = codebook.code_statistics(z, indices, 5)
    parts = [codebook.code_statistics(z[s], indices[s], 5) for s in np.s_[:7, 7:]]
    for found, a, b in zip(whole, *parts, strict=True):
        np.testing.assert_allclose(found, a + b, rtol=1e-6)


def test_codes_that_are_never_used_keep_their_values_for_2000_steps():
    state = codebook.new_codebook(_vectors(0, 4, 8))
    hit_first = codebook.code_statistics(
        jnp.tile(state.codes[:1], (64, 1)), jnp.zeros(64, jnp.int32), 4
    )

    @jax.jit
    def run(state):
        step = lambda i, s: codebook.ema_update(s, hit_first, 0.99)  # noqa: E731
        return jax.lax.fori_loop(0, 2_000, step, state)

    np.testing.assert_allclose(run(state).codes, state.codes, rtol=1e-3)


def test_a_code_used_again_after_its_count_is_gone_moves_to_its_vectors():
    state = codebook.CodebookState(jnp.ones((1, 2)), jnp.zeros(1), jnp.zeros((1, 2)))
    z = jnp.full((4, 2), 7.0)
    statistics = codebook.code_statistics(z, jnp.zeros(4, jnp.int32), 1)
    after = codebook.ema_update(state, statistics, 0.99)
    np.testing.assert_allclose(after.codes, [[7.0, 7.0]], rtol=1e-6)


def test_restart_resets_codes_counts_and_sums_of_dead_codes_only():
    codes = jnp.arange(8.0).reshape(4, 2)
    counts = jnp.asarray([10.0, 10.0, 0.1, 9.9])  # mean 7.5: code 2 is below 0.75
    state = codebook.CodebookState(codes, counts, codes * counts[:, None])
    candidates = jnp.full((4, 2), -1.0)
    after = codebook.restart_dead_codes(state, candidates, threshold=0.1)
    alive = np.asarray([0, 1, 3])
    for old, new in zip(state, after, strict=True):
        np.testing.assert_array_equal(new[alive], old[alive])
    np.testing.assert_array_equal(after.codes[2], [-1.0, -1.0])
    np.testing.assert_allclose(after.counts[2], 7.5)
    np.testing.assert_allclose(after.sums[2] / after.counts[2], after.codes[2])


def test_a_collapsed_codebook_recovers_with_restarts():
    z = _vectors(1, 2_048, 4)
    state = codebook.new_codebook(jnp.full((64, 4), 50.0))

    @jax.jit
    def step(state, key):
        indices = distances.nearest_code(z, state.codes)
        statistics = codebook.code_statistics(z, indices, 64)
        state = codebook.ema_update(state, statistics, 0.99)
        candidates = codebook.sample_vectors(z, 64, key)
        return codebook.restart_dead_codes(state, candidates, 0.1), indices

    assert len(np.unique(step(state, jax.random.key(0))[1])) == 1
    for i in range(400):
        state, indices = step(state, jax.random.fold_in(jax.random.key(2), i))
    assert len(np.unique(indices)) / 64 > 0.9


def test_sampled_vectors_are_rows_and_none_comes_twice():
    z = _vectors(0, 20, 3)
    rows = np.asarray(codebook.sample_vectors(z, 20, jax.random.key(1)))
    assert {tuple(row) for row in rows} == {tuple(row) for row in np.asarray(z)}
    other = np.asarray(codebook.sample_vectors(z, 20, jax.random.key(2)))
    assert not np.array_equal(rows, other)


def test_more_codes_than_vectors_are_all_different_and_near_their_vector():
    z = _vectors(0, 5, 3)
    rows = codebook.sample_vectors(z, 17, jax.random.key(1))
    assert len(np.unique(np.asarray(rows), axis=0)) == 17
    nearest = distances.squared_distances(rows, z).min(axis=1)
    assert float(nearest.max()) < 0.01


def test_a_split_halves_the_count_of_the_most_used_and_takes_the_least():
    codes = jnp.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    counts = jnp.asarray([9.0, 8.0, 0.1])
    state = codebook.CodebookState(codes, counts, codes * counts[:, None])
    after = codebook.split_most_used(state, 0.1, jax.random.key(0))
    np.testing.assert_allclose(after.counts, [4.5, 8.0, 4.5])
    np.testing.assert_array_equal(after.codes[:2], codes[:2])
    np.testing.assert_allclose(after.codes[2], codes[0], rtol=1e-3)
    assert not np.array_equal(after.codes[2], codes[0])
    np.testing.assert_allclose(
        after.sums, after.codes * after.counts[:, None], rtol=1e-6
    )


def test_a_healthy_codebook_is_not_split():
    # The least used code is at the threshold, a quarter of the mean, and not below it.
    counts = jnp.asarray([1.0, 7.0, 4.0, 4.0])
    state = codebook.CodebookState(_vectors(0, 4, 3), counts, _vectors(1, 4, 3))
    after = codebook.split_most_used(state, 0.25, jax.random.key(0))
    for old, new in zip(state, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_splits_follow_one_another_and_stop_at_their_limit():
    counts = jnp.asarray([16.0, 0.1, 0.2, 0.3])
    codes = 10.0 + _vectors(0, 4, 3)
    state = codebook.CodebookState(codes, counts, codes * counts[:, None])
    twice = codebook.split_most_used(state, 0.5, jax.random.key(0), max_splits=2)
    # 16 into 8 and 8, then the first 8 into 4 and 4; the counts of codes 1 and 2 go.
    np.testing.assert_allclose(twice.counts, [4.0, 8.0, 4.0, 0.3])
    np.testing.assert_allclose(twice.counts.sum(), counts.sum() - 0.1 - 0.2)
    np.testing.assert_array_equal(twice.codes[3], codes[3])
    for k in (1, 2):
        assert 0 < np.abs(twice.codes[k] / codes[0] - 1).max() <= 0.001 + 1e-6
    assert not np.array_equal(twice.codes[1], twice.codes[2])
    np.testing.assert_allclose(
        twice.sums, twice.codes * twice.counts[:, None], rtol=1e-6
    )


def test_splits_of_a_collapsed_codebook_leave_no_code_dead():
    counts = jnp.zeros(64).at[7].set(2_048.0)
    state = codebook.CodebookState(_vectors(0, 64, 4), counts, _vectors(1, 64, 4))
    after = codebook.split_most_used(state, 0.1, jax.random.key(0))
    assert float(after.counts.min()) >= 0.1 * float(after.counts.mean())
    np.testing.assert_allclose(after.counts.sum(), 2_048.0, rtol=1e-5)
    assert len(np.unique(np.asarray(after.codes), axis=0)) == 64


def test_anchors_move_unused_codes_and_leave_used_ones():
    codes, anchors = _vectors(0, 4, 3), _vectors(1, 4, 3)
    probs = jnp.asarray([0.5, 0.5, 0.0, 1e-4])
    moved = codebook.move_to_anchors(codes, probs, anchors, 0.99)
    np.testing.assert_array_equal(moved[:2], codes[:2])
    alpha = np.exp(-np.asarray([0.0, 1e-4]) * 40 / 0.01 - 1e-3)[:, None]
    expected = (1 - alpha) * codes[2:] + alpha * anchors[2:]
    np.testing.assert_allclose(moved[2:], expected, rtol=1e-4)


def test_anchors_are_a_matter_of_shares_and_not_of_the_number_of_codes():
    # A code with the mean share 1/k moves as far in every codebook.
    moved = [
        codebook.move_to_anchors(
            jnp.zeros((k, 1)), jnp.full(k, 1 / k), jnp.ones((k, 1)), 0.0
        )
        for k in (2, 64)
    ]
    np.testing.assert_allclose(moved[0], np.exp(-10.001), rtol=1e-3)
    np.testing.assert_allclose(moved[1], np.exp(-10.001), rtol=1e-3)
