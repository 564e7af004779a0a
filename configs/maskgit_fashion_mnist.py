"""MaskGIT on the codes of Fashion-MNIST, class by class.

    python train.py --config=configs/maskgit_fashion_mnist.py \
        --config.tokenizer=runs/vqvae_fashion_mnist \
        --workdir=runs/maskgit_fashion_mnist

A pre-norm transformer of four layers, 0.9 M parameters. The schedule of training is
"linear", so that the loss is the bound of `log_prob`, but for what is dropped out;
MaskGIT's "cosine" hides more. Sampling is MaskGIT's: by confidence, 12 steps.

Seen with codes on disk (`make fashion-mnist`), seed 0, step 3,000, two CPU cores: a
bound of 2.930 nats a token on the first 2,000 test images, 0.2642 bits a pixel, where
the entropy of their codes is 5.900 and 0.5320. All numbers, and pictures:
docs/priors.md. The judge of its samples needs `pip install '.[lpips]'`.
"""

from configs.parts.maskgit import use_maskgit
from configs.parts.priors import prior_defaults, use_fashion_mnist
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = prior_defaults()
    use_fashion_mnist(config)
    use_maskgit(config, num_layers=4, mask_schedule="linear")
    config.num_steps = 3_000
    config.batch_size = 64
    config.ema_decay = 0.998
    config.optim.update(
        name="adamw",
        learning_rate=2e-3,
        schedule="cosine",
        warmup_steps=200,
        clip_norm=1.0,
        b2=0.98,
        weight_decay=0.05,
    )
    config.evaluations.likelihood.max_images = 2_000
    return finish(config, variant)
