"""VQGAN with Gumbel-softmax codes at 256 px: f8, 32x32 codes of 8,192 (2012.09841v3).

    python train.py --config=configs/vqgan_gumbel_imagenet256.py \
        --workdir=gs://BUCKET/vqgan_gumbel

Numbers of the released configuration, which the authors trained on OpenImages: KL
weight 1e-8, temperature 0.9 to 1e-6 along a cosine over 1,000,001 steps, codes in the
forward pass, base rate 4.5e-6 times the images of a step, Adam (0.5, 0.9).

Ours: the loss, the discriminator and the batch, which the released file leaves out.
They are those of the sibling of the same size, latent-diffusion's `vq-f8-n256`: L1 and
LPIPS-VGG16 of weight 1, adaptive weight 0.75, a discriminator of 3 layers, 8 devices of
10 images. The adversarial loss acts from 10,000, so that no gradients come from an
untrained discriminator, and has its full weight after 10,000 more. The number of steps,
which is not given; bfloat16 and Lanczos' kernel; ImageNet.

Every number, and where it stands: docs/recipes.md. TPU or GPU. Paper: rFID 1.49 on the
validation images of ImageNet. Not run here.
"""

from configs.parts.adversarial import use_discriminator
from configs.parts.data import use_imagenet256
from configs.parts.defaults import defaults
from configs.parts.losses import use_perceptual
from configs.parts.models import use_resnet
from configs.parts.quantizers import quantizer
from configs.parts.variants import finish

BATCH = 80


def get_config(variant: str = ""):
    config = defaults()
    use_imagenet256(config)
    config.data.flip = False
    config.num_steps = 1_000_000
    config.batch_size = BATCH
    config.model.code_dim = 256
    config.model.quantizer = quantizer(
        "gumbel",
        codebook_size=8_192,
        kl_weight=1e-8,
        hard_in_forward=True,
        temperature=0.9,
        final_temperature=1e-6,
        anneal_steps=1_000_001,
    )
    use_resnet(config, multipliers=(1, 1, 2, 4), attention_resolutions=(32,))
    config.losses.update(l1=1.0, l2=0.0)
    use_perceptual(config)
    use_discriminator(config)
    config.adversarial.update(gen_start=10_000, gen_ramp=10_000, weight=0.75)
    for optim in (config.optim, config.disc_optim):
        optim.update(learning_rate=BATCH * 4.5e-6, b1=0.5, b2=0.9)
    return finish(config, variant)
