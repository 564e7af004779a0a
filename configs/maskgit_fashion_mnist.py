"""MaskGIT on the codes of Fashion-MNIST, class by class.

    python train.py --config=configs/maskgit_fashion_mnist.py \
        --config.tokenizer=runs/vqvae_fashion_mnist \
        --workdir=runs/maskgit_fashion_mnist
"""

from configs.parts.maskgit import use_maskgit
from configs.parts.priors import prior_defaults, use_fashion_mnist
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = prior_defaults()
    use_fashion_mnist(config)
    use_maskgit(config, num_layers=4, mask_schedule="linear")
    config.num_steps = 4_000
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
