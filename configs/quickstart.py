"""A small VQ-VAE on the embedded photographs: minutes on a laptop's CPU.

    python train.py --config=configs/quickstart.py --workdir=runs/quickstart

Two CPU cores, float32. Expected on the held-out photographs: PSNR above 23 dB, most of
the 512 codes used. Obtained: see the results in README.md.
"""

from configs.parts.defaults import defaults
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    config.num_steps = 600
    config.batch_size = 32
    config.data.resize = "none"
    config.model.encoder.hidden_dim = 64
    config.model.decoder.hidden_dim = 64
    config.optim.learning_rate = 1e-3
    config.optim.schedule = "cosine"
    config.optim.warmup_steps = 20
    config.evaluations.pictures.every = 200
    config.evaluations.reconstruction.every = 0  # once, at the end
    config.checkpoint.every = 200
    return finish(config, variant)
