"""A small prior of Fashion-MNIST without one class, whose images are then anomalies.

    python train.py --config=configs/vqvae_fashion_mnist.py \
        --workdir=runs/anomaly/tokenizer --config.data.exclude_labels="(8,)" \
        --config.model.encoder.hidden_dim=32 --config.model.decoder.hidden_dim=32 \
        --config.num_steps=900
    python train.py --config=configs/anomaly_fashion_mnist.py \
        --config.tokenizer=runs/anomaly/tokenizer --workdir=runs/anomaly/ar
    python benchmarks/anomaly.py --workdir=runs/anomaly/ar

Class 8 are bags; --config.data.exclude_labels="(1,)", trousers, in both trainings
leaves out another one. No class is given to the prior: whose an image is, is not known
where anomalies are looked for. The transformer is that of `ar_fashion_mnist.py` with 2
layers of 64 channels; `:maskgit` is masked. What came of it: docs/applications.md.
"""

from configs.parts.autoregressive import use_autoregressive
from configs.parts.maskgit import use_maskgit
from configs.parts.priors import prior_defaults, use_fashion_mnist
from configs.parts.variants import finish

SIZE = {"num_layers": 2, "num_heads": 2, "hidden_dim": 64, "dropout": 0.0}


def get_config(variant: str = ""):
    config = prior_defaults()
    use_fashion_mnist(config)
    config.data.exclude_labels = (8,)
    config.prior.update(num_classes=0, class_dropout=0.0)
    use_autoregressive(config, **SIZE, token_dropout=0.0, mlp_multiple_of=128)
    config.num_steps = 700
    config.batch_size = 64
    config.optim.update(
        name="adamw",
        learning_rate=3e-3,
        schedule="cosine",
        warmup_steps=50,
        b2=0.95,
        weight_decay=0.05,
        clip_norm=1.0,
    )
    config.evaluations.likelihood.update(max_images=1_000, train_images=0)
    for name in ("samples", "generation", "neighbours", "recognition"):
        del config.evaluations[name]
    return finish(config, variant, {"maskgit": _maskgit})


def _maskgit(config):
    use_maskgit(config, **SIZE, mlp_dim=256, mask_schedule="linear")
