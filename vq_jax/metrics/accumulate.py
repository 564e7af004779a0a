"""Metrics of a whole split, from the sums of each batch, which are added on the host.

    def sums(recon, images, mask):
        return masked_sums(image_metrics(recon, images), mask)

    report = merge_all(jax.jit(sums)(*batch) for batch in split).compute()

`masked_sums` is written for the global batch: compiled with replicated results, it
gives every device and process the sums over all of them.
"""

import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from vq_jax.errors import InputError
from vq_jax.metrics.psnr import psnr
from vq_jax.metrics.ssim import ssim
from vq_jax.ops import code_usage
from vq_jax.ops import images as image_ops
from vq_jax.typing import Leaf


@struct.dataclass
class MetricSums:
    """Sums over images; those of several batches add up to the sums of all."""

    sums: Leaf  # dict: name -> float32 []; float64 once merged
    num_images: Leaf  # int32 []; int64 once merged
    code_counts: Leaf  # int32 [codebooks, k]; int64 once merged; k = 0 without codes

    def merge(self, other: "MetricSums") -> "MetricSums":
        """The sums over the images of both, in NumPy float64 and int64.

        It waits for the device.
        """
        return jax.tree.map(_add, self, other)

    def compute(self) -> dict[str, float | int | None]:
        """The metrics: means over images, code usage and perplexity, `num_images`.

        Usage and perplexity are those of all images' codes, and None without codes.

        Raises:
            InputError: if there are no images.
        """
        if self.num_images == 0:
            raise InputError("no images to evaluate: every example is masked out.")
        means = {name: float(x / self.num_images) for name, x in self.sums.items()}
        counts = jnp.asarray(self.code_counts, jnp.float32)
        return {
            **means,
            "usage": float(code_usage.usage(counts)) if counts.size else None,
            "perplexity": float(code_usage.perplexity(counts)) if counts.size else None,
            "num_images": int(self.num_images),
        }


def image_metrics(
    recon: Float[Array, "b h w c"], images: Float[Array, "b h w c"]
) -> dict[str, Float[Array, "b"]]:
    """{"psnr", "ssim", "l1", "l2"} of each image, float32.

    Both arguments are nominally in [-1, 1]. psnr and ssim compare the images as uint8,
    as a user sees them; l1 and l2 are means over elements as in the losses, neither
    clipped nor rounded.
    """
    recon, images = recon.astype(jnp.float32), images.astype(jnp.float32)
    recon_uint8, images_uint8 = map(image_ops.to_uint8, (recon, images))
    return {
        "psnr": psnr(recon_uint8, images_uint8),
        "ssim": ssim(recon_uint8, images_uint8),
        "l1": jnp.mean(jnp.abs(recon - images), axis=(1, 2, 3)),
        "l2": jnp.mean(jnp.square(recon - images), axis=(1, 2, 3)),
    }


def masked_sums(
    per_image: dict[str, Float[Array, "b"]],
    mask: Bool[Array, "b"],
    indices: Int[Array, "b *tokens"] | None = None,
    codebook_size: int | None = None,
    num_codebooks: int = 1,
) -> MetricSums:
    """Sums of metrics and codes over the images of a batch where the mask is True.

    The other images may have any values, even NaN. `indices` and `codebook_size`
    (static) are None for a model without codes.
    """
    counts = jnp.zeros((1, 0), jnp.int32)
    if codebook_size:
        counts = code_usage.code_counts(
            indices, codebook_size, mask, num_codebooks=num_codebooks
        )
    return MetricSums(
        sums={k: jnp.sum(jnp.where(mask, x, 0.0)) for k, x in per_image.items()},
        num_images=jnp.sum(mask, dtype=jnp.int32),
        code_counts=counts,
    )


def merge_all(batches: Iterable[MetricSums]) -> MetricSums:
    """The sums over all batches, which are taken one at a time from the iterable.

    Raises:
        InputError: if there are no batches.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        raise InputError("no batches to evaluate: the split is empty.")
    return functools.reduce(MetricSums.merge, batches, first)


def _add(x: Leaf, y: Leaf) -> np.ndarray | np.generic:
    x, y = np.asarray(x), np.asarray(y)
    return np.add(x, y, dtype=np.int64 if x.dtype.kind == "i" else np.float64)
