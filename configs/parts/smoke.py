"""The variant `smoke`: an experiment in seconds on a CPU."""

from ml_collections import ConfigDict

from configs.parts.losses import drop_perceptual

SMALL_QUANTIZER = {
    "codebook_size": 64,
    "levels": (4, 4, 4),
    "num_bits": 6,
    "scales": (1, 2, 4, 8),
    "anneal_steps": 10,
}
# The weights of networks are an install of their own, and slow on a CPU.
SMALL_EVALUATION = {
    "every": 10,
    "batch_size": 8,
    "max_images": 32,
    "num_images": 16,
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
    config.model.code_dim = 8
    for part in (config.model.encoder, config.model.decoder):
        part.num_res_blocks = 1
        if part.name == "conv":
            part.hidden_dim, part.res_dim = 16, 8
        else:
            part.base_dim, part.features_dim, part.num_groups = 32, 8, 8
            part.multipliers = (1,) * min(3, len(part.multipliers))
    for fields in (config.model.quantizer, config.model.quantizer.get("inner", {})):
        small = {k: v for k, v in SMALL_QUANTIZER.items() if k in fields}
        fields.update(small)
    config.optim.warmup_steps = min(config.optim.warmup_steps, 5)
    if "recognition" in config.evaluations:  # the photographs have no classes
        del config.evaluations.recognition
    for section in config.evaluations.values():
        section.update({k: v for k, v in SMALL_EVALUATION.items() if k in section})
    if "perceptual" in config:
        drop_perceptual(config)
        config.losses.l2 = 1.0
    config.checkpoint.update(every=10, keep=2)
    if "discriminator" in config:
        _shrink_discriminator(config)


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
