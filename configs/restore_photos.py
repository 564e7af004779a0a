"""Restoration of the embedded photographs by code prediction, 64 px: two CPU cores.

    pip install -e '.[lpips]'
    python train.py --config=configs/quickstart.py --workdir=runs/quickstart
    python train.py --config=configs/vqgan_photos.py --workdir=runs/vqgan_photos \
        --config.init_from=runs/quickstart
    python train.py --config=configs/restore_photos.py \
        --config.tokenizer=runs/vqgan_photos --workdir=runs/restore_photos

Noise of any deviation up to 55; the variants `deblur`, `jpeg`, `super_resolution_x2`,
`super_resolution_x4`, `holes` and `blind` are other damage. It is CodeFormer's second
stage, made small; with `fused`, as in `:jpeg,fused`, the third is learnt along with it,
or by `--config.init_from=WORKDIR` after it. docs/applications.md has what was obtained,
and what it is compared with.
"""

import functools

from configs.parts.restoration import (
    restoration_defaults,
    use_degradation,
    use_fusion,
)
from configs.parts.variants import finish

# variant -> degradation of evaluations
VARIANTS = {
    "denoise": "noise_50",
    "deblur": "gaussian_blur",
    "jpeg": "jpeg_10",
    "super_resolution_x2": "bicubic_x2",
    "super_resolution_x4": "bicubic_x4",
    "holes": "hole_half",
    "blind": "blind",
}


def get_config(variant: str = ""):
    config = restoration_defaults()
    config.num_steps = 600
    config.batch_size = 8
    config.log_every = 20
    config.data.resize = "none"
    config.data.color_prob = 0.5
    config.optim.update(
        name="adamw",
        learning_rate=1.5e-3,
        schedule="cosine",
        warmup_steps=30,
        b2=0.99,
        weight_decay=0.01,
        clip_norm=1.0,
    )
    config.evaluations.restored_pictures.every = 500
    config.evaluations.restoration.update(every=0, lpips=("alexnet",))
    own = {
        name: functools.partial(use_degradation, train=name, evaluated=evaluated)
        for name, evaluated in VARIANTS.items()
    }
    return finish(config, variant, {**own, "fused": use_fusion})
