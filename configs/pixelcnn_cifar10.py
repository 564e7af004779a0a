"""A gated PixelCNN over the codes of CIFAR-10, as VQ-VAE has one.

    python train.py --config=configs/pixelcnn_cifar10.py \
        --config.tokenizer=runs/vqvae_cifar10 --workdir=runs/pixelcnn_cifar10

Paper: no value to compare with. Its 4.67 bits/dim are a bound on the images, which
counts the decoder's likelihood; `likelihood` prints the rate of the codes alone.

The text has no size of this prior, so all is ours: 15 layers of 64 channels, the first
with a 7x7 kernel, the others 3x3; classes, dropout, averaged parameters and a cosine
schedule. Half of the images are mirrored, as the tokenizer's are. One accelerator.
Needs the data set prepared once, as the error on the first run says. Not run here yet.
"""

from configs.parts.pixelcnn import use_pixelcnn
from configs.parts.priors import prior_defaults
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = prior_defaults()
    config.data.source = "tfds:cifar10"
    config.data.image_size = 32
    config.data.resize = "none"
    config.data.crop = "center"
    config.prior.num_classes = 10
    config.prior.class_dropout = 0.1
    use_pixelcnn(config, dropout=0.2)
    config.num_steps = 100_000
    config.batch_size = 128
    config.log_every = 100
    config.ema_decay = 0.999
    config.optim.update(
        learning_rate=3e-4, schedule="cosine", warmup_steps=1_000, clip_norm=1.0
    )
    config.evaluations.likelihood.update(every=5_000, batch_size=256)
    config.evaluations.samples.update(every=5_000, num_images=100, columns=10)
    config.checkpoint.every = 5_000
    return finish(config, variant)
