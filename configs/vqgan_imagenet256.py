"""VQGAN on ImageNet at 256 px (Esser et al. 2021, 2012.09841v3): f16 and f8.

    python train.py --config=configs/vqgan_imagenet256.py --workdir=gs://BUCKET/vqgan

Variants: none is f16 with 1,024 codes; `16384`; `f8`, 32x32 codes of 16,384 in 4
dimensions, which the authors trained on OpenImages. Numbers are those of the released
configurations: base rate 4.5e-6 times 96 images (8 devices of 12), Adam (0.5, 0.9),
L1 and LPIPS-VGG16 of weight 1, adaptive weight 0.8 (0.75; 0.6), discriminator of 3
layers (2; 2), β at the term where the released code has it. In the released models
the adversarial loss acted from step 0, and the repository's file says 250,001; here the
discriminator learns from 230,000 and its loss acts from 250,000, with its full weight
after 10,000 more. Ours: bfloat16, the number of steps, and codes that start on data.

TPU or GPU. Paper: rFID on the 50,000 validation images 7.94 (4.98; 1.14 for f8). Not
run here.
"""

from configs.parts.adversarial import use_discriminator
from configs.parts.data import use_imagenet256
from configs.parts.defaults import defaults
from configs.parts.losses import use_perceptual
from configs.parts.models import use_resnet
from configs.parts.quantizers import quantizer
from configs.parts.variants import finish

BATCH = 96


def get_config(variant: str = ""):
    config = defaults()
    use_imagenet256(config)
    config.num_steps = 500_000
    config.batch_size = BATCH
    config.model.code_dim = 256
    config.model.quantizer = quantizer(
        "vq", codebook_size=1_024, beta_mode="taming_legacy"
    )
    use_resnet(config)
    config.losses.update(l1=1.0, l2=0.0)
    use_perceptual(config)
    use_discriminator(config)
    config.adversarial.update(disc_start=230_000, gen_start=250_000, gen_ramp=10_000)
    for optim in (config.optim, config.disc_optim):
        optim.update(learning_rate=BATCH * 4.5e-6, b1=0.5, b2=0.9)
    return finish(config, variant, {"16384": _many_codes, "f8": _f8})


def _many_codes(config):
    config.model.quantizer.codebook_size = 16_384
    config.discriminator.num_layers = 2
    config.adversarial.weight = 0.75


def _f8(config):
    _many_codes(config)
    config.model.code_dim = 4
    use_resnet(
        config,
        multipliers=(1, 2, 2, 4),
        attention_resolutions=(32,),
        features_dim=4,
    )
    config.adversarial.weight = 0.6
