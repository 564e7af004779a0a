"""How far pictures are from others, in networks that no loss here has seen."""

import jax
import numpy as np

from vq_jax.metrics import accumulate
from vq_jax.metrics.lpips import lpips
from vq_jax.ops import images as image_ops
from vq_jax.pretrained.lpips import load_lpips

NAMES = ("psnr", "ssim", "lpips_alexnet")


class Distances:
    """{"psnr", "ssim", "lpips_alexnet"} of uint8 [n, h, w, 3], each [n].

    PSNR and SSIM are of RGB, in dB and at most 1, without a border taken off.
    """

    def __init__(self):
        nets = {"alexnet": load_lpips("alexnet")}

        def distances(found, others):
            pair = [image_ops.from_uint8(x) for x in (found, others)]
            both = {**accumulate.image_metrics(*pair), **lpips(nets, *pair)}
            return {name: both[name] for name in NAMES}

        self._distances = jax.jit(distances)

    def __call__(self, found, others) -> dict[str, np.ndarray]:
        return jax.device_get(self._distances(found, others))
