import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from vq_jax.errors import InputError
from vq_jax.losses import reconstruction
from vq_jax.metrics import accumulate
from vq_jax.ops import images as image_ops
from vq_jax.testing import reference

K = 13


@functools.partial(jax.jit, static_argnames="codebook_size")
def batch_sums(recon, images, indices, mask, codebook_size):
    per_image = accumulate.image_metrics(recon, images)
    return accumulate.masked_sums(per_image, mask, indices, codebook_size)


@pytest.fixture(scope="module")
def split():
    """Eleven noisy 16 x 16 photographs and the codes of a 2 x 2 grid."""
    rng = np.random.default_rng(0)
    photo = skimage.data.coffee()[100:116, :176]
    images = np.stack(np.split(photo, 11, axis=1)) / 127.5 - 1.0
    recon = images + 0.1 * rng.normal(size=images.shape)
    indices = rng.integers(0, K - 2, (11, 2, 2))
    return recon.astype(np.float32), images.astype(np.float32), indices.astype(np.int32)


def sums_of(split, rows, mask=None, codebook_size=K):
    recon, images, indices = (jnp.asarray(x[rows]) for x in split)
    mask = jnp.ones(len(recon), bool) if mask is None else jnp.asarray(mask)
    return batch_sums(recon, images, indices, mask, codebook_size)


@pytest.fixture(scope="module")
def whole(split):
    return sums_of(split, slice(None)).compute()


def test_whole_split_matches_the_definitions(split, whole):
    recon, images, indices = map(jnp.asarray, split)
    recon_uint8, images_uint8 = (
        np.asarray(image_ops.to_uint8(x)) for x in (recon, images)
    )
    expected = {
        "psnr": reference.psnr(recon_uint8, images_uint8).mean(),
        "ssim": reference.ssim(recon_uint8, images_uint8).mean(),
        "l1": reconstruction.l1(recon, images).item(),
        "l2": reconstruction.l2(recon, images).item(),
        "usage": len(np.unique(indices)) / K,
        "perplexity": reference.perplexity(np.asarray(indices)),
        "num_images": 11,
    }
    assert whole == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 10])
def test_merged_batches_equal_the_whole(split, whole, batch_size):
    starts = range(0, 11, batch_size)
    batches = (sums_of(split, slice(i, i + batch_size)) for i in starts)
    merged = accumulate.merge_all(batches).compute()
    assert merged == pytest.approx(whole, rel=1e-6)


def test_masked_last_batch_equals_the_whole(split, whole):
    first = sums_of(split, slice(0, 8))
    # Padding is whatever the buffer held; NaN must not leak into a sum.
    recon = np.full((8, 16, 16, 3), np.nan, np.float32)
    images, indices = np.zeros_like(recon), np.full((8, 2, 2), 12, np.int32)
    padded = tuple(
        np.concatenate([x[8:], y[:5]])
        for x, y in zip(split, (recon, images, indices), strict=True)
    )
    last = sums_of(padded, slice(None), mask=np.arange(8) < 3)
    assert first.merge(last).compute() == pytest.approx(whole, rel=1e-6)


@pytest.mark.skipif(len(jax.devices()) < 8, reason="needs 8 devices; see conftest.py")
def test_eight_devices_equal_one(split):
    rows, mask = np.arange(16) % 11, np.arange(16) < 11
    single = sums_of(split, rows, mask)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    by_example = NamedSharding(mesh, PartitionSpec("data"))
    arrays = [*(x[rows] for x in split), mask]
    recon, images, indices, mask = (jax.device_put(x, by_example) for x in arrays)
    sharded = batch_sums(recon, images, indices, mask, K)
    np.testing.assert_array_equal(sharded.code_counts, single.code_counts)
    assert sharded.compute() == pytest.approx(single.compute(), rel=1e-6)


def test_merge_is_commutative_and_associative(split):
    a, b, c = (sums_of(split, rows) for rows in ([0, 1], [2], [3, 4, 5]))
    left = a.merge(b).merge(c).compute()
    right = c.merge(a.merge(b)).compute()
    assert left == pytest.approx(right, rel=1e-12)


def test_merging_loses_nothing_over_a_long_split():
    one = accumulate.MetricSums(
        sums={"l1": jnp.float32(2.0**24)},
        num_images=jnp.int32(2**30),
        code_counts=jnp.asarray([2**30, 1], jnp.int32),
    )
    unit = accumulate.MetricSums(
        sums={"l1": jnp.float32(1.0)},
        num_images=jnp.int32(0),
        code_counts=jnp.asarray([0, 0], jnp.int32),
    )
    merged = accumulate.merge_all([one, unit, unit, unit, one, one])
    assert merged.sums["l1"] == 3 * 2**24 + 3
    assert merged.num_images == 3 * 2**30
    np.testing.assert_array_equal(merged.code_counts, [3 * 2**30, 3])


def test_a_model_without_codes_has_no_usage(split):
    recon, images, _ = (jnp.asarray(x) for x in split)
    mask = jnp.ones(11, bool)
    found = batch_sums(recon, images, None, mask, None).compute()
    assert found["usage"] is None
    assert found["perplexity"] is None
    assert found["num_images"] == 11


def test_further_metrics_are_weighted_by_the_same_mask():
    add = functools.partial(accumulate.masked_sums, mask=jnp.asarray([True, False]))
    sums = add({"lpips": jnp.asarray([0.25, 9.0])})
    assert sums.compute()["lpips"] == 0.25


def test_empty_splits_are_errors(split):
    with pytest.raises(InputError, match="the split is empty"):
        accumulate.merge_all([])
    with pytest.raises(InputError, match="every example is masked out"):
        sums_of(split, slice(0, 2), mask=[False, False]).compute()
