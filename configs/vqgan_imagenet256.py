"""VQGAN on ImageNet at 256 px (Esser et al. 2021, 2012.09841v3): f16 and f8.

    python train.py --config=configs/vqgan_imagenet256.py --workdir=gs://BUCKET/vqgan

Variants: none is f16 with 1,024 codes; `16384`; `f8`, 32x32 codes of 16,384 in 4
dimensions, which the authors trained on OpenImages (2112.10752); `var`, the tokenizer
of VAR (2404.02905): ten grids of 4,096 codes in 32 dimensions, its networks as released
and trained as the f16 is, since its own training is not published. Numbers are those of
the released configurations: base rate 4.5e-6 times the images of a step, 12 (12; 10) a
device, Adam (0.5, 0.9), L1 and LPIPS-VGG16 of weight 1, adaptive weight 0.8 (0.75;
0.6), discriminator of 3 layers (2; 2), β at the term where the released code has it,
random crops that are not mirrored.

Ours: 8 devices and the number of steps, which the files don't give; bfloat16 and
Lanczos' kernel, where they have float32 and bilinear scaling; codes that start on data,
since of those within 1/K few would live. In the released models the adversarial loss
acted from step 0 (0; 1), and the repository's file says 250,001; here it acts from
250,000, the discriminator learns 20,000 steps before, so that no gradients come from an
untrained one, and the loss has its full weight after 10,000 more. ImageNet at 256 px
for `f8`, where they cut 256 from 384 px of OpenImages.

Every number, and where it stands: docs/recipes.md. TPU or GPU. Paper: rFID on the
50,000 validation images 7.94 (4.98; 1.14 for f8). Not run here.
"""

from configs.parts.adversarial import use_discriminator
from configs.parts.data import use_imagenet256
from configs.parts.defaults import defaults
from configs.parts.losses import use_perceptual
from configs.parts.models import use_resnet
from configs.parts.quantizers import quantizer
from configs.parts.variants import finish

DEVICES = 8
BASE_RATE = 4.5e-6  # times the images of a step


def get_config(variant: str = ""):
    config = defaults()
    use_imagenet256(config)
    config.data.flip = False
    config.num_steps = 500_000
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
        optim.update(b1=0.5, b2=0.9)
    _use_batches(config, DEVICES * 12)
    return finish(config, variant, {"16384": _many_codes, "f8": _f8, "var": _var})


def _use_batches(config, size: int):
    config.batch_size = size
    for optim in (config.optim, config.disc_optim):
        optim.learning_rate = size * BASE_RATE


def _many_codes(config):
    config.model.quantizer.codebook_size = 16_384
    config.discriminator.num_layers = 2
    config.adversarial.weight = 0.75


def _f8(config):
    _many_codes(config)
    _use_batches(config, DEVICES * 10)
    config.model.code_dim = 4
    use_resnet(
        config,
        multipliers=(1, 2, 2, 4),
        attention_resolutions=(32,),
        features_dim=4,
    )
    config.adversarial.weight = 0.6


def _var(config):
    config.model.code_dim = 32
    use_resnet(config, base_dim=160, features_dim=32)
    config.model.quantizer = quantizer(
        "multi_scale",
        scales=(1, 2, 3, 4, 5, 6, 8, 10, 13, 16),
        inner=quantizer("vq", codebook_size=4_096),
    )
