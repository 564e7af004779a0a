"""Reconstruction quality and codebook use over a whole split."""

import math
from collections.abc import Callable, Iterable, Mapping

from vq_jax.metrics import accumulate
from vq_jax.metrics.lpips import lpips
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.ops import images as image_ops
from vq_jax.ops.code_usage import bits_per_pixel


def make_eval_step(model: Autoencoder) -> Callable:
    """Returns `eval_step(variables, batch, nets) -> MetricSums`, for the global batch.

    `batch` has uint8 "image" [b, h, w, c] and "mask" [b], 0 where a row is padding;
    `nets` the parameters of the nets of LPIPS that judge, {} without any.
    """

    def eval_step(variables, batch, nets):
        images = image_ops.from_uint8(batch["image"])
        output = model.apply(variables, images, train=False)
        return accumulate.masked_sums(
            {
                **accumulate.image_metrics(output.recon, images),
                **lpips(nets, output.recon, images),
            },
            batch["mask"] > 0,
            output.quantized.indices,
            model.quantizer.codebook_size or None,
            model.quantizer.num_codebooks,
        )

    return eval_step


def make_reconstruct(model: Autoencoder) -> Callable:
    """Returns `reconstruct(variables, images) -> images`, uint8 [b, h, w, c] both."""

    def reconstruct(variables, images):
        output = model.apply(variables, image_ops.from_uint8(images), train=False)
        return image_ops.to_uint8(output.recon)

    return reconstruct


def evaluate(
    eval_step: Callable,
    variables,
    batches: Iterable,
    model: Autoencoder,
    *,
    image_size: int,
    nets: Mapping[str, dict] | None = None,
) -> dict[str, float | int | None]:
    """Metrics of a split: every image counts once, whatever the batch size.

    psnr (dB, uint8, per image, then averaged), ssim (Gaussian window 11, σ 1.5), l1 and
    l2 (images in [-1, 1]), usage (fraction of codes hit at least once in the split),
    perplexity (of the split's codes), bits_per_pixel (log2 K bits a token), num_images;
    lpips_NET (of uint8 images) for each of `nets`.
    Those about codes are None for a model without codes.
    """
    sums = accumulate.merge_all(
        eval_step(variables, batch, nets or {}) for batch in batches
    )
    result = sums.compute()
    codebook_size = model.quantizer.codebook_size
    tokens = math.prod(model.tokens_shape(image_size, image_size))
    result["bits_per_pixel"] = (
        bits_per_pixel(tokens, codebook_size, image_size**2) if codebook_size else None
    )
    return result
