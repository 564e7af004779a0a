"""VQ-VAE on ImageNet at 128 px: 32x32 codes of 512 (1711.00937v2, sec. 4.2).

    python train.py --config=configs/vqvae_imagenet128.py --workdir=gs://BUCKET/vqvae128

As in the paper 32x32x1 codes, K = 512, about 42.6 times fewer bits than pixels. Width,
rate, steps and β are the paper's for CIFAR-10, since it gives none for ImageNet.

Ours: the codebook is learnt by moving averages, appendix A.1 with its γ of 0.99, starts
on data and restarts dead codes, since it uses more codes so. Codes of 64 dimensions, a
squared error of weight 1 and random crops at the shorter side, of which the paper says
nothing; bfloat16.

Every number, and where it stands: docs/recipes.md. TPU or GPU. Needs the data set
prepared once, as the error on the first run says. The paper prints no reconstruction
metric. Not run here.
"""

from configs.parts.data import use_imagenet
from configs.parts.defaults import defaults
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    use_imagenet(config, 128)
    config.data.flip = False
    config.num_steps = 250_000
    config.batch_size = 128
    for part in (config.model.encoder, config.model.decoder):
        part.hidden_dim, part.res_dim = 256, 256
    config.optim.learning_rate = 2e-4
    config.evaluations.reconstruction.batch_size = 256
    return finish(config, variant)
