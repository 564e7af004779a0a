"""The variant `smoke`: an experiment in seconds on a CPU.

The tokenizer of a shrunken prior or restorer is a shrunken one, whose images are as
small.
"""

from collections.abc import Iterable, Mapping

from ml_collections import ConfigDict

from configs.parts.losses import drop_perceptual

SMALL_QUANTIZER = {
    "codebook_size": 64,
    "levels": (4, 4, 4),
    "num_bits": 6,
    "scales": (1, 2, 4, 8),
    "anneal_steps": 10,
}
SMALL_TRANSFORMER = {"num_layers": 2, "hidden_dim": 32, "mlp_dim": 64, "num_heads": 2}
# The photographs have no classes.
SMALL_PRIOR = {
    **SMALL_TRANSFORMER,
    "num_classes": 0,
    "class_dropout": 0.0,
    "channels": 16,
    "head_dim": 32,
    "num_cond_blocks": 1,
    "num_steps": 4,
    "num_bound_masks": 2,
    "random_until": 5,
    "raster_from": 15,
}
# The weights of networks are an install of their own, and slow on a CPU.
SMALL_EVALUATION = {
    "every": 10,
    "batch_size": 8,
    "max_images": 32,
    "train_images": 32,
    "num_images": 16,
    "columns": 4,
    "lpips": (),
    "features": (),
}


def shrink(config: ConfigDict) -> None:
    """20 steps of a tiny model on small crops of the embedded photographs."""
    config.num_steps = 20
    config.batch_size = 8
    config.log_every = 5
    config.data.image_size = min(config.data.image_size, 32)
    config.data.update(source="photos", train_split="train", eval_split="test")
    config.data.exclude_labels = ()  # the photographs have none
    config.optim.update(warmup_steps=min(config.optim.warmup_steps, 5), accumulation=1)
    _update(config.evaluations.values(), SMALL_EVALUATION)
    config.checkpoint.update(every=10, keep=2)
    config.mesh.update(data=-1, fsdp=1)
    if "prior" in config:
        _shrink_prior(config)
    elif "restorer" in config:
        _update([config.restorer], SMALL_TRANSFORMER)
        drop_perceptual(config)
    else:
        _shrink_autoencoder(config)
    if "discriminator" in config:
        _shrink_discriminator(config)


def _update(sections: Iterable[ConfigDict], small: Mapping) -> None:
    """Replaces what the sections have of the fields."""
    for section in sections:
        section.update({k: v for k, v in small.items() if k in section})


def _shrink_autoencoder(config: ConfigDict) -> None:
    config.model.code_dim = 8
    for part in (config.model.encoder, config.model.decoder):
        part.num_res_blocks = 1
        if part.name == "conv":
            part.hidden_dim, part.res_dim = 16, 8
        else:
            part.base_dim, part.features_dim, part.num_groups = 32, 8, 8
            part.multipliers = (1,) * min(3, len(part.multipliers))
    quantizer = config.model.quantizer
    _update((quantizer, quantizer.get("inner", {})), SMALL_QUANTIZER)
    if "perceptual" in config:
        drop_perceptual(config)
        config.losses.l2 = 1.0


def _shrink_prior(config: ConfigDict) -> None:
    config.codes = "online"
    if "recognition" in config.evaluations:  # needs classes, too
        del config.evaluations.recognition
    _update([config.prior], SMALL_PRIOR)
    config.sampling.update(top_k=0, guidance=1.0)


def _shrink_discriminator(config: ConfigDict) -> None:
    config.discriminator.base_dim = 32
    if "num_layers" in config.discriminator:
        config.discriminator.num_layers = 1
    if "multipliers" in config.discriminator:
        config.discriminator.multipliers = (1, 1)
    config.adversarial.update(
        disc_start=min(config.adversarial.disc_start, 5),
        gen_start=min(config.adversarial.gen_start, 10),
        gen_ramp=min(config.adversarial.gen_ramp, 5),
    )
    config.disc_optim.warmup_steps = 0
