"""VQ-VAE on ImageNet at 128 px: 32x32 codes of 512 (1711.00937v2, sec. 4.2).

    python train.py --config=configs/vqvae_imagenet128.py --workdir=gs://BUCKET/vqvae128

As in the paper 32x32x1 codes, K = 512, about 42.6 times fewer bits than pixels.
Width, rate and steps are the paper's for CIFAR-10, since it gives none for ImageNet;
the codebook is learnt by moving averages (appendix A.1). bfloat16 convolutions, TPU
or GPU.

Needs the data set prepared once, as the error on the first run says. The paper prints
no reconstruction metric. Not run here.
"""

from configs.parts.data import use_imagenet
from configs.parts.defaults import defaults
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    use_imagenet(config, 128)
    config.num_steps = 250_000
    config.batch_size = 128
    for part in (config.model.encoder, config.model.decoder):
        part.hidden_dim, part.res_dim = 256, 256
    config.optim.learning_rate = 2e-4
    config.optim.warmup_steps = 1_000
    config.evaluations.reconstruction.batch_size = 256
    return finish(config, variant)
