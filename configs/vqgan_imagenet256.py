"""VQGAN on ImageNet at 256 px (Esser et al. 2021, 2012.09841v3): f16 and f8.

    python train.py --config=configs/vqgan_imagenet256.py --workdir=gs://BUCKET/vqgan

Variants: none is f16 with 1,024 codes; `16384`; `f8`, 32x32 codes of 16,384 in 4
dimensions, which the authors trained on OpenImages. Numbers are those of the released
configurations: base rate 4.5e-6 times 96 images (8 devices of 12), Adam (0.5, 0.9),
L1 and LPIPS-VGG16 of weight 1, adaptive weight 0.8 (0.75; 0.6), discriminator of 3
layers (2; 2), β at the term where the released code has it. The released models heard
the discriminator from step 0 and the repository's file says 250,001; here it learns
from 230,000 and is heard from 250,000, over 10,000 steps in full. Ours: bfloat16, the
number of steps, and codes that start on data.

TPU or GPU. Paper: rFID on the 50,000 validation images 7.94 (4.98; 1.14 for f8). Not
run here.
"""

from configs import common

BATCH = 96


def get_config(variant: str = ""):
    config = common.defaults()
    common.imagenet256(config)
    words = [word for word in variant.split(",") if word]
    size = next((word for word in words if word in ("16384", "f8")), None)
    config.num_steps = 500_000
    config.batch_size = BATCH
    config.model.code_dim = 256
    config.model.quantizer = common.quantizer(
        "vq", codebook_size=1_024, beta_mode="taming_legacy"
    )
    common.resnet(config)
    config.losses.update(l1=1.0, l2=0.0, perceptual=1.0)
    config.discriminator = common.PATCHGAN
    config.adversarial.update(disc_start=230_000, gen_start=250_000, gen_ramp=10_000)
    for optim in (config.optim, config.disc_optim):
        optim.update(learning_rate=BATCH * 4.5e-6, b1=0.5, b2=0.9)
    if size:
        words.remove(size)
        config.model.quantizer.codebook_size = 16_384
        config.discriminator.num_layers = 2
        config.adversarial.weight = 0.75
    if size == "f8":
        config.model.code_dim = 4
        common.resnet(
            config,
            multipliers=(1, 2, 2, 4),
            attention_resolutions=(32,),
            features_dim=4,
        )
        config.adversarial.weight = 0.6
    return common.finish(config, ",".join(words))
