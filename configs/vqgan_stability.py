"""Does a discriminator ruin training? A small VQGAN that hears it from step 500 on.

    python train.py --config=configs/vqgan_stability.py --workdir=runs/stable
    python train.py --config=configs/vqgan_stability.py:reference \
        --workdir=runs/reference

3,000 steps on 32 px crops of the embedded photographs, no perceptual loss, so that two
CPU cores do it in minutes. The variant `reference` has the settings of VQGAN's released
code: a discriminator with BatchNorm that is untrained at the step at which it is first
heard, in full, and a weight that is clamped at 1e4. Results: docs/training.md.
"""

from configs import common

START = 500


def get_config(variant: str = ""):
    config = common.defaults()
    config.num_steps = 3_000
    config.batch_size = 16
    config.log_every = 20
    config.image_every = 500
    config.data.image_size = 32
    config.data.resize = "none"
    config.model.code_dim = 32
    for part in (config.model.encoder, config.model.decoder):
        part.hidden_dim = 64
    config.losses.update(l1=1.0, l2=0.0)
    config.discriminator = {**common.PATCHGAN, "base_dim": 32, "num_layers": 2}
    config.optim.update(learning_rate=1e-3, b1=0.5, b2=0.9)
    config.disc_optim.update(learning_rate=1e-3, b1=0.5, b2=0.9)
    config.eval.every = START
    words = [word for word in variant.split(",") if word]
    if "reference" in words:
        words.remove("reference")
        config.adversarial.update(disc_start=START, gen_start=START)
    else:
        config.disc_optim.learning_rate = 5e-4
        config.adversarial.update(
            disc_start=START - 200,
            gen_start=START,
            gen_ramp=500,
            weight=0.1,
            max_weight=10.0,
            lecam_weight=1e-3,
        )
    return common.finish(config, ",".join(words))
