"""VQGAN on the embedded photographs, 64 px, 16x16 codes of 512: on two CPU cores.

    pip install -e '.[lpips]'
    python train.py --config=configs/vqgan_photos.py --workdir=runs/vqgan_photos

VQGAN's losses, L1, LPIPS-VGG16 and a discriminator of patches, which learns for 100 steps
before the generator hears it, and is then heard in full within 200 more. The generator
is the convolutional one of VQ-VAE: the residual one at full resolution would cost more
than VGG16. The variant `vqvae` is the same generator with a squared error in place of
all three; docs/comparing.md has the two side by side.

Two CPU cores, float32, most of the time in VGG16. No paper has numbers on these
photographs. Obtained: see docs/comparing.md.
"""

from configs import common


def get_config(variant: str = ""):
    config = common.defaults()
    config.num_steps = 1_000
    config.batch_size = 4
    config.log_every = 20
    config.data.resize = "none"
    config.losses.update(l1=1.0, l2=0.0, perceptual=1.0)
    config.discriminator = {**common.PATCHGAN, "base_dim": 32, "num_layers": 2}
    config.adversarial.update(
        disc_start=100,
        gen_start=200,
        gen_ramp=200,
        weight=0.4,
        max_weight=10.0,
        lecam_weight=1e-3,
    )
    config.optim.update(
        learning_rate=1e-3, b1=0.5, b2=0.9, schedule="cosine", warmup_steps=20
    )
    config.disc_optim.update(learning_rate=5e-4, b1=0.5, b2=0.9)
    config.eval.update(every=250, lpips=("alexnet", "vgg16"))
    config.checkpoint.every = 250
    return common.finish(config, variant)
