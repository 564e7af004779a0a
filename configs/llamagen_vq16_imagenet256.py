"""LlamaGen's VQ-16 on ImageNet at 256 px: 16x16 codes of 16,384 (2406.06525).

    python train.py --config=configs/llamagen_vq16_imagenet256.py \
        --workdir=gs://BUCKET/llamagen_vq16

Codes of 8 dimensions on the sphere; squared error and LPIPS-VGG16 of weight 1; hinge
losses of fixed weight 0.5 from step 20,000; AdamW (0.9, 0.95) at 1e-4 with decay 0.05,
gradients clipped at 1, batch 128, 40 epochs, averaged parameters. Ours: decay on
kernels only, a discriminator that learns 2,000 steps before its loss acts, which has
its full weight after 2,000 more; the decay of the average.

TPU or GPU, bfloat16. Paper: rFID 2.19, PSNR 20.79, SSIM 0.675. Not run here.
"""

from configs.parts.adversarial import use_discriminator
from configs.parts.data import use_imagenet256
from configs.parts.defaults import defaults
from configs.parts.losses import use_perceptual
from configs.parts.models import use_resnet
from configs.parts.quantizers import quantizer
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    use_imagenet256(config)
    config.num_steps = 400_360  # 40 epochs
    config.batch_size = 128
    config.ema_decay = 0.9999
    config.model.code_dim = 8
    config.model.quantizer = quantizer(
        "vq_cosine", codebook_size=16_384, codebook_init="uniform"
    )
    use_resnet(config)
    config.losses.update(l1=0.0, l2=1.0)
    use_perceptual(config)
    use_discriminator(config)
    config.adversarial.update(
        weight=0.5,
        weighting="fixed",
        disc_start=18_000,
        gen_start=20_000,
        gen_ramp=2_000,
    )
    for optim in (config.optim, config.disc_optim):
        optim.update(
            name="adamw",
            learning_rate=1e-4,
            b1=0.9,
            b2=0.95,
            weight_decay=0.05,
            clip_norm=1.0,
        )
    return finish(config, variant)
