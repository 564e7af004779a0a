"""VQGAN on the embedded photographs, 64 px, 16x16 codes of 4,096: on two CPU cores.

    pip install -e '.[lpips]'
    python train.py --config=configs/quickstart.py --workdir=runs/quickstart
    python train.py --config=configs/vqgan_photos.py --workdir=runs/vqgan_photos \
        --config.init_from=runs/quickstart

The generator of the quickstart, which this run goes on from, with its random colours:
VGG16 takes most of a step here, and a model that has its colours already spends it on
texture. Losses are VQGAN's: L1, LPIPS-VGG16 and a discriminator of patches, which
learns for 200 steps before its loss acts, with its full weight after 300 more. The
variant `vqvae` is the same generator with a squared error in place of all three;
`vq-jax compare` puts the two side by side.

Two CPU cores, float32, 12 minutes. No paper has numbers on these photographs. Obtained
with seeds 0, 1, 2: LPIPS-AlexNet 0.161, 0.165, 0.165 and PSNR 27.29, 27.24, 27.23 dB;
of `vqvae` 0.206, 0.204, 0.206 and 29.04, 28.98, 28.94; of the quickstart 0.229 and
28.28. docs/comparing.md has the command, pictures, and what other settings gave.
"""

from configs import quickstart
from configs.parts.adversarial import use_discriminator
from configs.parts.losses import use_perceptual
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = quickstart.get_config().copy_and_resolve_references()
    config.unlock()
    config.num_steps = 1_000
    config.batch_size = 8
    config.log_every = 20
    config.losses.update(l1=1.0, l2=0.0)
    use_perceptual(config)
    use_discriminator(config, base_dim=32, num_layers=2)
    config.adversarial.update(
        gen_start=200,
        gen_ramp=300,
        weight=0.1,
        max_weight=10.0,
        lecam_weight=1e-3,
    )
    config.optim.update(learning_rate=1e-3, b1=0.9, b2=0.99)
    config.disc_optim.update(learning_rate=5e-4, b1=0.5, b2=0.9)
    config.evaluations.reconstruction.update(every=500, lpips=("alexnet", "vgg16"))
    config.checkpoint.every = 500
    return finish(config, variant)
