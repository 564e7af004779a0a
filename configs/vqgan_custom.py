"""VQGAN on a folder of images of any sizes, 256 px, 16x16 codes of 1,024.

    python train.py --config=configs/vqgan_custom.py --workdir=runs/custom \
        --config.data.source=folder:PATH

The model, losses and optimizer of VQGAN's `custom_vqgan.yaml` (2012.09841v3): L1 and
LPIPS-VGG16 of weight 1, β at the term where the released code has it, adaptive weight
0.8 from step 10,000, Adam (0.5, 0.9) at 4.5e-6 times the images of a step, all images
scaled to 256 px at the shorter side and cut out at the centre.

Ours: the codebook starts on data and dead codes restart, since of small data sets few
codes would live. The discriminator learns 2,000 steps before its loss acts, so that no
gradients come from an untrained one, and the loss has its full weight after 5,000 more.
Batches of 16, where theirs have 5 a device; the number of steps, which is not given;
bfloat16 and Lanczos' kernel.

Every number, and where it stands: docs/recipes.md. One accelerator. Not run here.
"""

from configs.parts.adversarial import use_discriminator
from configs.parts.defaults import defaults
from configs.parts.losses import use_perceptual
from configs.parts.models import use_resnet
from configs.parts.quantizers import quantizer
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    config.num_steps = 200_000
    config.batch_size = 16
    config.log_every = 100
    config.evaluations.pictures.every = 2_000
    config.data.source = "folder:data/images"
    config.data.image_size = 256
    config.data.crop = "center"
    config.data.flip = False
    config.model.dtype = "bfloat16"
    config.model.code_dim = 256
    config.model.quantizer = quantizer(
        "vq",
        codebook_size=1_024,
        beta_mode="taming_legacy",
        restart_threshold=0.1,
    )
    use_resnet(config)
    config.losses.update(l1=1.0, l2=0.0)
    use_perceptual(config)
    use_discriminator(config)
    config.adversarial.update(disc_start=8_000, gen_start=10_000, gen_ramp=5_000)
    for optim in (config.optim, config.disc_optim):
        optim.update(learning_rate=16 * 4.5e-6, b1=0.5, b2=0.9)
    config.evaluations.reconstruction.update(
        every=5_000, batch_size=16, lpips=("alexnet", "vgg16")
    )
    config.checkpoint.every = 2_000
    return finish(config, variant)
