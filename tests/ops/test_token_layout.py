"""Codes as a tokenizer gives them, as grids, as a sequence, and back."""

import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.testing import tiny
from vq_jax.testing.priors import grid_layout, levels_layout, scales_layout

LAYOUTS = {
    "grid": grid_layout(2, 3, 5),
    "levels": levels_layout(2, 3, 4, 5),
    "scales": scales_layout((1, 2, 3), 5),
}


def _codes(layout):
    count = 2 * layout.num_tokens
    return jnp.arange(count, dtype=jnp.int32).reshape(2, *layout.shape)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_goes_there_comes_back(name):
    layout = LAYOUTS[name]
    codes = _codes(layout)
    sequence, grids = layout.to_sequence(codes), layout.to_grids(codes)
    assert sequence.shape == (2, layout.num_tokens)
    assert [grid.shape[1:] for grid in grids] == list(layout.grids)
    np.testing.assert_array_equal(layout.from_sequence(sequence), codes)
    np.testing.assert_array_equal(layout.from_grids(grids), codes)


def test_levels_come_one_after_the_other_each_row_by_row():
    layout = LAYOUTS["levels"]
    codes = _codes(layout)
    for level, grid in enumerate(layout.to_grids(codes)):
        np.testing.assert_array_equal(grid, codes[..., level])
    first = layout.to_sequence(codes)[0]
    np.testing.assert_array_equal(first[:6], codes[0, :, :, 0].reshape(-1))
    np.testing.assert_array_equal(first[6:12], codes[0, :, :, 1].reshape(-1))


def test_scales_stay_in_their_order():
    layout = LAYOUTS["scales"]
    codes = _codes(layout)
    np.testing.assert_array_equal(layout.to_sequence(codes), codes)
    np.testing.assert_array_equal(layout.to_grids(codes)[1][0], [[1, 2], [3, 4]])


@pytest.mark.parametrize("quantizer", [q for q in tiny.QUANTIZERS if q != "none"])
def test_every_tokenizer_has_one(quantizer):
    model = tiny.model(quantizer)
    height = 16 if quantizer.startswith("multi_scale") else 8
    layout = model.token_layout(height, 16)
    assert layout.shape == model.tokens_shape(height, 16)
    assert layout.codebook_size == model.quantizer.codebook_size
    codes = _codes(layout)
    np.testing.assert_array_equal(layout.from_grids(layout.to_grids(codes)), codes)
    if not quantizer.startswith("multi_scale"):
        assert set(layout.grids) == {(height // 4, 4)}
