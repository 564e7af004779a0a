"""VQGAN on Fashion-MNIST, all 60,000 images: 28 px, grey, 7x7 codes of 512.

    python train.py --config=configs/vqgan_fashion_mnist.py \
        --workdir=runs/vqgan_fashion_mnist

The generator of vqvae_fashion_mnist with a small discriminator of patches, and the
settings that vqgan_stability found stable. No perceptual loss: LPIPS was learnt on
photographs, in colour and of 64 px.

The data are four files in MNIST's format, as Debian's `dataset-fashion-mnist` installs
them; --config.data.source=idx:DIR points elsewhere. No paper has this experiment. Not
run to its end here yet.
"""

from configs import vqvae_fashion_mnist
from configs.parts.adversarial import use_discriminator
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = vqvae_fashion_mnist.get_config().copy_and_resolve_references()
    config.unlock()
    config.losses.update(l1=1.0, l2=0.0)
    use_discriminator(config, base_dim=32, num_layers=1)
    config.adversarial.update(
        disc_start=800,
        gen_start=1_000,
        gen_ramp=500,
        weight=0.1,
        max_weight=10.0,
        lecam_weight=1e-3,
    )
    config.disc_optim.update(learning_rate=5e-4, b1=0.5, b2=0.9)
    return finish(config, variant)
