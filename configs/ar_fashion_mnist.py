"""An autoregressive transformer of Fashion-MNIST's classes, on 7x7 codes of 512.

    python train.py --config=configs/ar_fashion_mnist.py \
        --config.tokenizer=runs/vqvae_fashion_mnist --workdir=runs/ar_fashion_mnist

The blocks of LlamaGen, 1.0 M parameters; `:gpt` has those of taming-transformers, and
`:random_order` learns random orders first, so that any codes may be known. To compare
with: the entropy of the codes, and `independent_fashion_mnist`, their histograms by
class and position. 2,000 steps are 4 epochs: some 0.7 s of a CPU core a step.

Seen with codes on disk (`make fashion-mnist`), seed 0, step 2,000, two CPU cores: 2.449
nats a token of the 10,000 test images, 0.2208 bits a pixel, where the entropy of the
codes is 5.902 and 0.5322. All numbers, and pictures: docs/priors.md. The judge of its
samples needs `pip install '.[lpips]'`. `:small` has 0.1 M parameters, 800 steps and no
such judge: some two minutes, for docs/applications.md.
"""

from configs.parts.autoregressive import use_autoregressive, use_gpt, use_random_order
from configs.parts.priors import prior_defaults, use_fashion_mnist
from configs.parts.variants import finish

SIZE = {"num_layers": 4, "num_heads": 4, "hidden_dim": 128}


def get_config(variant: str = ""):
    config = prior_defaults()
    use_fashion_mnist(config)
    use_autoregressive(config, **SIZE, mlp_multiple_of=128)
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
    own = {"gpt": _gpt, "random_order": _random_order, "small": _small}
    return finish(config, variant, own)


def _gpt(config):
    use_gpt(config, **SIZE)


def _random_order(config):
    use_random_order(config, **SIZE)


def _small(config):
    config.num_steps = 800
    config.batch_size = 64
    config.prior.update(num_layers=2, num_heads=2, hidden_dim=64)
    config.evaluations.likelihood.update(max_images=1_000, train_images=500)
    for name in ("generation", "neighbours", "recognition"):
        del config.evaluations[name]
