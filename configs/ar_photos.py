"""An autoregressive transformer of the embedded photographs, on 16x16 codes of 1,024.

    python train.py --config=configs/ar_photos.py \
        --config.tokenizer=runs/vqvae_photos --workdir=runs/ar_photos

Without classes; random crops of 64 px and their mirror images, encoded in each step, so
that few are seen twice. The photographs are few: held-out cross-entropy says when it
begins to know them by heart. Not run to its end here yet.
"""

from configs.parts.autoregressive import use_autoregressive
from configs.parts.priors import prior_defaults
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = prior_defaults()
    config.data.resize = "none"
    use_autoregressive(config, num_layers=6, num_heads=4, hidden_dim=256)
    config.num_steps = 5_000
    config.batch_size = 32
    config.optim.update(
        name="adamw",
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=200,
        b2=0.95,
        weight_decay=0.05,
        clip_norm=1.0,
    )
    return finish(config, variant)
