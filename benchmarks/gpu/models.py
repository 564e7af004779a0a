"""VQGAN's f16 for both frameworks, and how a measurement of it is made."""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import timing

SIZES = {
    "resolution": 256,
    "base_dim": 128,
    "multipliers": (1, 1, 2, 2, 4),
    "num_res_blocks": 2,
    "attention_resolution": 16,
    "code_dim": 256,
    "codebook_size": 1_024,
}
TINY = {
    "resolution": 32,
    "base_dim": 32,
    "multipliers": (1, 2),
    "num_res_blocks": 1,
    "attention_resolution": 16,
    "code_dim": 8,
    "codebook_size": 32,
}
NUM_CALLS = 10
MIN_SECONDS = 2.0
"""Timed calls of a measurement: so many at most, and no more after these seconds."""


def images(sizes: dict, batch_size: int) -> np.ndarray:
    """uint8 [b, h, w, 3], noise."""
    shape = (batch_size, sizes["resolution"], sizes["resolution"], 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def timed(call: Callable, batch_size: int) -> dict:
    """Median time of a call that waits for its result; the first are not timed."""
    started = time.perf_counter()
    call()
    first = time.perf_counter() - started
    for _ in range(timing.WARM_UP_CALLS - 1):
        call()
    seconds = []
    while len(seconds) < NUM_CALLS and sum(seconds) < MIN_SECONDS:
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds)
    return {
        "median_ms": round(1e3 * median, 2),
        "images_per_s": round(batch_size / median, 1),
        "num_calls": len(seconds),
        "first_call_s": round(first, 2),
    }


def attempt(name: str, find: Callable[[], dict]) -> dict:
    """What `find` finds, or its message: what only adds to a time must not cost it."""
    try:
        return find()
    except Exception as error:
        return {f"{name}_error": f"{type(error).__name__}: {error}"[:200]}


def config(sizes: dict, *, adversarial: bool, batch_size: int, dtype: str = "bfloat16"):
    """Our configuration of the peer's model and losses."""
    sys.path.insert(0, f"{timing.ROOT}")
    from configs import vqgan_imagenet256
    from configs.parts.adversarial import drop_discriminator
    from configs.parts.losses import drop_perceptual
    from configs.parts.models import use_resnet

    made = vqgan_imagenet256.get_config()
    with made.unlocked():
        made.batch_size = batch_size
        made.model.dtype = dtype
        made.data.image_size = sizes["resolution"]
        made.model.code_dim = sizes["code_dim"]
        made.model.quantizer.codebook_size = sizes["codebook_size"]
        use_resnet(
            made,
            num_res_blocks=sizes["num_res_blocks"],
            base_dim=sizes["base_dim"],
            multipliers=sizes["multipliers"],
            attention_resolutions=(sizes["attention_resolution"],),
            features_dim=sizes["code_dim"],
        )
        drop_perceptual(made)
        # The discriminator plays from the first step, as in all steps that are timed.
        made.adversarial.update(disc_start=0, gen_start=0, gen_ramp=0)
        if not adversarial:
            drop_discriminator(made)
    return made
