"""VQ-VAE on CIFAR-10 (van den Oord et al. 2017, 1711.00937v2, sec. 4.1 and 4.2).

    python train.py --config=configs/vqvae_cifar10.py --workdir=runs/vqvae_cifar10

The paper's: K = 512, two strided convolutions and two residual blocks of 256 channels,
β = 0.25, Adam at 2e-4, 250,000 steps of 128 images.

Ours: one grid of 8x8 codes, where the text has 8x8x10; 64 dimensions, a squared error
over the variance of the data (0.2532 on [-1, 1]) and mirrored images, of which it says
nothing; a codebook that starts on data, since of codes within 1/K few would live.

Every number, and where it stands: docs/recipes.md. One accelerator. Needs the data set
prepared once, as the error on the first run says. Paper: 4.67 bits/dim, a bound that
needs a prior over the codes, and so not yet comparable with anything printed here. Not
run here yet.
"""

from configs.parts.defaults import defaults
from configs.parts.quantizers import quantizer
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    config.num_steps = 250_000
    config.batch_size = 128
    config.log_every = 100
    config.evaluations.pictures.every = 10_000
    config.data.source = "tfds:cifar10"
    config.data.image_size = 32
    config.data.resize = "none"
    config.data.crop = "center"
    for part in (config.model.encoder, config.model.decoder):
        part.hidden_dim, part.res_dim = 256, 256
    config.model.quantizer = quantizer("vq")
    config.losses.l2 = 1 / 0.2532
    config.optim.learning_rate = 2e-4
    config.evaluations.reconstruction.update(every=10_000, batch_size=256)
    config.checkpoint.every = 5_000
    return finish(config, variant)
