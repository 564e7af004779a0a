"""A small VQ-VAE on the embedded photographs: minutes on a laptop's CPU.

    python train.py --config=configs/quickstart.py --workdir=runs/quickstart

Two CPU cores, float32. Expected on the held-out photographs: PSNR above 26.5 dB, a blue
sky and green leaves. Obtained: see the results in README.md.
"""

from configs.parts.defaults import defaults
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    config.num_steps = 1_800
    config.batch_size = 16
    config.data.resize = "none"
    config.data.color_prob = 0.75
    config.model.code_dim = 16
    config.model.encoder.hidden_dim = 64
    config.model.decoder.hidden_dim = 64
    config.model.quantizer.codebook_size = 4_096
    config.model.quantizer.restart_threshold = 0.5
    # A squared error hardly counts small differences: flat areas would share few codes.
    config.losses.l1 = 0.2
    config.optim.learning_rate = 2e-3
    config.optim.schedule = "cosine"
    config.optim.warmup_steps = 50
    config.evaluations.pictures.every = 600
    config.evaluations.reconstruction.every = 0  # once, at the end
    config.checkpoint.every = 600
    return finish(config, variant)
