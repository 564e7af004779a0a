"""An autoregressive transformer of Fashion-MNIST's classes, on 7x7 codes of 512.

    python train.py --config=configs/ar_fashion_mnist.py \
        --config.tokenizer=runs/vqvae_fashion_mnist --workdir=runs/ar_fashion_mnist

LlamaGen's blocks (2406.06525), small enough for two CPU cores. To compare with: the
entropy of the codes, and `independent_fashion_mnist`, histograms by class and position.
"""

from configs.parts.priors import autoregressive, prior_defaults, use_fashion_mnist
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = prior_defaults()
    config.prior = autoregressive(
        num_layers=4, num_heads=4, hidden_dim=128, mlp_multiple_of=128
    )
    use_fashion_mnist(config)
    config.num_steps = 2_000
    config.batch_size = 128
    config.optim.update(
        name="adamw",
        learning_rate=2e-3,
        schedule="cosine",
        warmup_steps=100,
        b2=0.95,
        weight_decay=0.05,
        clip_norm=1.0,
    )
    return finish(config, variant)
