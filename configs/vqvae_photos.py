"""VQ-VAE (van den Oord et al. 2017) on the embedded photographs, 64 px, 16x16 codes.

    python train.py --config=configs/vqvae_photos.py --workdir=runs/vqvae_photos

The longer and wider sibling of quickstart, to compare changes of the model on. No
paper has numbers on these photographs; not run to its end here yet.
"""

from configs.parts.defaults import defaults
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    config.num_steps = 5_000
    config.data.resize = "none"
    config.model.quantizer.codebook_size = 1_024
    config.optim.learning_rate = 5e-4
    config.optim.schedule = "cosine"
    config.optim.warmup_steps = 100
    return finish(config, variant)
