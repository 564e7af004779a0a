"""LlamaGen's VQ-16 on ImageNet at 256 px: 16x16 codes of 16,384 (2406.06525).

    python train.py --config=configs/llamagen_vq16_imagenet256.py \
        --workdir=gs://BUCKET/llamagen_vq16

Numbers of the released `vq_train.py`, at its defaults: codes of 8 dimensions on the
sphere, which start there; squared error and LPIPS-VGG16 of weight 1; hinge losses of
fixed weight 0.5 from step 20,000; Adam (0.9, 0.95) at 1e-4, gradients clipped at 1,
batch 128, 40 epochs, parameters averaged with 0.9999, bfloat16. The script reads a
weight decay of 0.05 and hands it to no optimizer: this follows what it does, Adam
without decay. Its weight of 0.5 is the discriminator's, too; Adam does not see it, but
the clipping does, so that here gradients twice as large pass.

Ours: the discriminator learns 2,000 steps before its loss acts, so that no gradients
come from an untrained one, and the loss has its full weight after 2,000 more. Crops at
a shorter side of 256 by Lanczos' kernel, where theirs is random from 256 to 320, which
is not offered.

Every number, and where it stands: docs/recipes.md. TPU or GPU. Paper: rFID 2.19, PSNR
20.79, SSIM 0.675. Not run here.
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
            learning_rate=1e-4,
            b1=0.9,
            b2=0.95,
            clip_norm=1.0,
        )
    config.disc_optim.clip_norm = 1.0 / 0.5  # of a loss without its weight of 0.5
    return finish(config, variant)
