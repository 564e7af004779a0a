"""VQGAN's decoder for the codes of a VQ-VAE that stay: photographs, 64 px, 8x8 codes.

    pip install -e '.[lpips]'
    python train.py --config=configs/vqvae_photos_f8.py --workdir=runs/vqvae_photos_f8
    python train.py --config=configs/vqgan_photos_f8.py --workdir=runs/vqgan_photos_f8 \
        --config.init_from=runs/vqvae_photos_f8

Encoder, head and codebook are the VQ-VAE's and stay as they are, bit for bit, so codes
on disk and priors keep their meaning; the decoder learns anew what they look like, with
VQGAN's losses: L1, LPIPS-VGG16 and a discriminator of patches. docs/applications.md has
what that changes. Two CPU cores, float32.
"""

from configs import vqvae_photos_f8
from configs.parts.adversarial import use_discriminator
from configs.parts.losses import use_perceptual
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = vqvae_photos_f8.get_config().copy_and_resolve_references()
    config.unlock()
    config.freeze = ("encoder", "head", "quantizer")
    config.num_steps = 600
    config.batch_size = 8
    config.log_every = 20
    config.losses.update(l1=1.0, l2=0.0)
    use_perceptual(config)
    use_discriminator(config, base_dim=32, num_layers=2)
    config.adversarial.update(
        gen_start=150,
        gen_ramp=150,
        weight=0.1,
        max_weight=10.0,
        lecam_weight=1e-3,
    )
    config.optim.update(learning_rate=1e-3, b1=0.9, b2=0.99)
    config.disc_optim.update(learning_rate=5e-4, b1=0.5, b2=0.9)
    config.evaluations.pictures.every = 300
    config.checkpoint.every = 300
    return finish(config, variant)
