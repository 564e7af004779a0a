"""VQ-VAE on Fashion-MNIST, all 60,000 images: 28 px, grey, 7x7 codes of 512.

    python train.py --config=configs/vqvae_fashion_mnist.py \
        --workdir=runs/vqvae_fashion_mnist

The data are four files in MNIST's format, as Debian's `dataset-fashion-mnist` installs
them; --config.data.source=idx:DIR points elsewhere.

Two CPU cores, float32, 13 minutes on a machine that was busy otherwise. Obtained on the
10,000 test images at step 3,000, seed 0: PSNR 23.65 dB, SSIM 0.842, usage 100 %,
perplexity 366, 0.5625 bits per pixel. No paper has this experiment.

`:small` is half as wide and has 600 steps, some two minutes, for docs/applications.md.
"""

from configs.parts.defaults import defaults
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    config.num_steps = 3_000  # 6.4 epochs
    config.batch_size = 128
    config.log_every = 100
    config.data.source = "idx:/usr/share/datasets/fashion-mnist"
    config.data.image_size = 28
    config.data.channels = 1
    config.data.resize = "none"
    config.data.crop = "center"
    config.model.encoder.hidden_dim = 64
    config.model.decoder.hidden_dim = 64
    config.optim.learning_rate = 1e-3
    config.optim.schedule = "cosine"
    config.optim.warmup_steps = 100
    config.evaluations.reconstruction.batch_size = 512
    return finish(config, variant, {"small": _small})


def _small(config):
    config.num_steps = 600
    config.model.encoder.hidden_dim = 32
    config.model.decoder.hidden_dim = 32
    config.evaluations.reconstruction.max_images = 1_000
