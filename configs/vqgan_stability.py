"""Does a discriminator ruin training? A small VQGAN whose loss acts from step 500.

    python train.py --config=configs/vqgan_stability.py --workdir=runs/stable
    python train.py --config=configs/vqgan_stability.py:reference \
        --workdir=runs/reference

3,000 steps on 32 px crops of the embedded photographs, no perceptual loss, so that two
CPU cores do it in minutes. The variant `reference` has the settings of VQGAN's released
code: a discriminator with BatchNorm that is untrained at the step at which its loss
begins to act, with its full weight, which is clamped at 1e4. Results: docs/training.md.
"""

from configs.parts.adversarial import ADVERSARIAL, use_discriminator
from configs.parts.defaults import defaults
from configs.parts.variants import finish

START = 500


def get_config(variant: str = ""):
    config = defaults()
    config.num_steps = 3_000
    config.batch_size = 16
    config.log_every = 20
    config.evaluations.pictures.every = 500
    config.data.image_size = 32
    config.data.resize = "none"
    config.model.code_dim = 32
    for part in (config.model.encoder, config.model.decoder):
        part.hidden_dim = 64
    config.losses.update(l1=1.0, l2=0.0)
    use_discriminator(config, base_dim=32, num_layers=2)
    config.optim.update(learning_rate=1e-3, b1=0.5, b2=0.9)
    config.disc_optim.update(learning_rate=5e-4, b1=0.5, b2=0.9)
    config.evaluations.reconstruction.every = START
    config.adversarial.update(
        disc_start=START - 200,
        gen_start=START,
        gen_ramp=500,
        weight=0.1,
        max_weight=10.0,
        lecam_weight=1e-3,
    )
    return finish(config, variant, {"reference": _reference})


def _reference(config):
    config.disc_optim.learning_rate = 1e-3
    config.adversarial.update({**ADVERSARIAL, "disc_start": START, "gen_start": START})
