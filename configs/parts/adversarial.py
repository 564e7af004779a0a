"""The sections of a VQGAN: `discriminator`, `adversarial`, `disc_optim`."""

from ml_collections import ConfigDict

from configs.parts.optim import OPTIM

# variant of the command line -> config.discriminator
DISCRIMINATORS = {
    "blur_patch": {"name": "blur_patch", "base_dim": 128, "num_stages": 3},
    "patchgan": {"name": "patchgan", "base_dim": 64, "num_layers": 3, "norm": "batch"},
    "stylegan": {"name": "stylegan", "base_dim": 128, "multipliers": (2, 4, 4, 4, 4)},
}

ADVERSARIAL = {
    "generator_loss": "hinge",  # hinge | non_saturating | vanilla
    "discriminator_loss": "hinge",
    "weight": 0.8,
    "weighting": "adaptive",  # adaptive | fixed
    "min_weight": 0.0,  # clamp of the adaptive weight
    "max_weight": 1e4,
    "disc_start": 0,  # step from which the discriminator learns
    "gen_start": 0,  # step from which its loss acts on the generator
    "gen_ramp": 0,  # steps until it does so with its full weight
    "r1_weight": 0.0,
    "r1_every": 16,
    "lecam_weight": 0.0,
    "lecam_decay": 0.999,
    "lecam_logits": "each",  # or image_mean, batch_mean
    "augment": (),  # of color, translation, cutout
    "fakes": "shared",  # or updated: reconstructed anew by the updated generator
}


def use_discriminator(config: ConfigDict, name: str = "patchgan", **fields) -> None:
    """Gives `config` a discriminator, with `fields` of it replaced."""
    config.task = "adversarial"
    config.discriminator = ConfigDict({**DISCRIMINATORS[name], **fields})
    config.adversarial = ConfigDict(ADVERSARIAL)
    config.disc_optim = ConfigDict(OPTIM)


def drop_discriminator(config: ConfigDict) -> None:
    """Takes the discriminator away, where there is one."""
    config.task = "autoencoder"
    for section in ("discriminator", "adversarial", "disc_optim"):
        if section in config:
            del config[section]
