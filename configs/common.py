"""What the experiments share: defaults of every field, and the variants.

A variant comes after the config's path, `--config=configs/X.py:smoke,vq`: `smoke`
shrinks the experiment to seconds on a CPU, `vqvae` takes a VQGAN's discriminator and
perceptual loss away, and the name of a quantizer replaces the config's own.
"""

from ml_collections import ConfigDict

_EMA = {
    "name": "vq_ema",
    "codebook_size": 512,
    "commitment_weight": 0.25,
    "decay": 0.99,
    "codebook_init": "data",
    "restart_threshold": 0.1,
}
_VQ = {
    "name": "vq",
    "codebook_size": 512,
    "codebook_weight": 1.0,
    "commitment_weight": 0.25,
    "codebook_init": "data",
}
_ANNEALED = {
    "codebook_size": 512,
    "temperature": 1.0,
    "final_temperature": 0.0625,
    "anneal_steps": 1_000,
    "anneal": "cosine",
}
_LFQ = {"num_bits": 9, "entropy_weight": 0.1, "commitment_weight": 0.25}

# variant of the command line -> config.model.quantizer; docs/quantizers.md has them all
QUANTIZERS = {
    "bsq": {"name": "bsq", **_LFQ},
    "cvq": {"name": "cvq", "codebook_size": 512, "commitment_weight": 0.25},
    "fsq": {"name": "fsq", "levels": (8, 8, 8)},
    "gumbel": {"name": "gumbel", **_ANNEALED, "kl_weight": 5e-4},
    "ibq": {"name": "ibq", "codebook_size": 512, "entropy_weight": 0.05},
    "lfq": {"name": "lfq", **_LFQ},
    "multi_scale": {
        "name": "multi_scale",
        "scales": (1, 2, 4, 8, 16),
        "inner": _EMA,
    },
    "none": {"name": "none"},
    "product": {"name": "product", "num_heads": 2, "inner": _EMA},
    "residual": {"name": "residual", "num_levels": 2, "inner": _EMA},
    "residual_fsq": {
        "name": "residual",
        "num_levels": 2,
        "inner": {"name": "fsq", "levels": (5, 5, 5), "bound": "clip"},
    },
    "simvq": {"name": "simvq", "codebook_size": 512, "commitment_weight": 0.25},
    "soft": {"name": "soft", **_ANNEALED},
    "vq": _VQ,
    "vq_cosine": {**_VQ, "distance": "cosine"},
    "vq_ema": _EMA,
    "vq_rotation": {**_VQ, "estimator": "rotation"},
}


OPTIM = {
    "name": "adam",
    "learning_rate": 3e-4,
    "schedule": "constant",  # constant | cosine | linear
    "warmup_steps": 0,
    "final_fraction": 0.0,  # of learning_rate, at the end of cosine and linear
    "clip_norm": 0.0,  # 0 does not clip
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-8,
    "momentum": 0.0,
    "weight_decay": 0.0,
}

# Without effect where config.discriminator.name is "none".
ADVERSARIAL = {
    "generator_loss": "hinge",  # hinge | non_saturating | vanilla
    "discriminator_loss": "hinge",
    "weight": 0.8,
    "weighting": "adaptive",  # adaptive | fixed
    "min_weight": 0.0,  # clamp of the adaptive weight
    "max_weight": 1e4,
    "disc_start": 0,  # step from which the discriminator learns
    "gen_start": 0,  # step from which the generator hears it
    "gen_ramp": 0,  # steps until it hears it in full
    "r1_weight": 0.0,
    "r1_every": 16,
    "lecam_weight": 0.0,
    "lecam_decay": 0.999,
    "augment": (),  # of color, translation, cutout
    "fakes": "shared",  # or updated: reconstructed anew by the updated generator
}

# values of config.discriminator
PATCHGAN = {"name": "patchgan", "base_dim": 64, "num_layers": 3, "norm": "batch"}


def resnet(config: ConfigDict, *, num_res_blocks: int = 2, **fields) -> None:
    """Gives `config` VQGAN's encoder and decoder, with `fields` of both replaced."""
    shared = {
        "name": "resnet",
        "base_dim": 128,
        "multipliers": (1, 1, 2, 2, 4),
        "resolution": config.data.image_size,
        "attention_resolutions": (16,),
        "middle_attention": True,
        "features_dim": 256,
        "num_groups": 32,
        **fields,
    }
    config.model.encoder = ConfigDict({**shared, "num_res_blocks": num_res_blocks})
    config.model.decoder = ConfigDict({**shared, "num_res_blocks": num_res_blocks + 1})


def imagenet(config: ConfigDict, image_size: int) -> None:
    """ImageNet on accelerators, from a prepared TFDS data set."""
    config.usage_window = 50_000  # as many as the validation split has
    config.log_every = 100
    config.image_every = 10_000
    config.data.source = "tfds:imagenet2012"
    config.data.eval_split = "validation"
    config.data.image_size = image_size
    config.data.num_threads = 16
    config.data.prefetch = 512
    config.model.dtype = "bfloat16"
    config.eval.every = 10_000
    config.checkpoint.update(every=5_000, keep_every=50_000)


def imagenet256(config: ConfigDict) -> None:
    """ImageNet at 256 px, judged by LPIPS too."""
    imagenet(config, 256)
    config.eval.update(batch_size=64, lpips=("alexnet", "vgg16"))


# Fields that survive a change of the quantizer.
SHARED = ("codebook_size", "codebook_weight", "commitment_weight", "decay")


def defaults() -> ConfigDict:
    """A VQ-VAE with an EMA codebook on the embedded photographs."""
    config = ConfigDict()
    config.seed = 0
    config.num_steps = 1_000
    config.batch_size = 64  # global
    # Of averaged parameters; 0 keeps none. An EMA codebook is not averaged a second
    # time: it fits the current encoder, so measure before you combine the two.
    config.ema_decay = 0.0
    config.log_every = 50
    config.usage_window = 1_024  # images that train/usage and perplexity count over
    config.image_every = 1_000

    config.data = ConfigDict(
        {
            "source": "photos",  # photos | tfds:NAME | folder:PATH | idx:DIR
            "train_split": "train",
            "eval_split": "test",
            "data_dir": "",  # of tfds; "" is its default
            "image_size": 64,
            "channels": 3,
            "resize": "shorter_side",  # or none: crop at the photograph's own size
            "kernel": "lanczos",
            "crop": "random",  # random | random_resized | center
            "flip": True,
            "color_prob": 0.0,  # fraction of crops that get random colours
            "on_error": "raise",  # or skip: leave out broken images, and count them
            "num_threads": 4,
            "prefetch": 64,  # images
            "num_workers": 0,  # processes; 0 decodes in threads
        }
    )
    config.model = ConfigDict(
        {
            "dtype": "float32",  # of convolutions; bfloat16 on TPU
            "code_dim": 64,  # of codes; scalar families have their own
            "latent_dim": 0,  # of encoder and decoder, mapped to codes; 0: the same
            "likelihood": "pixels",
            "encoder": {
                "name": "conv",
                "hidden_dim": 128,
                "num_downsamples": 2,
                "num_res_blocks": 2,
                "res_dim": 32,
            },
            "head": {"name": "deterministic"},
            "quantizer": quantizer("vq_ema"),
            "decoder": {
                "name": "conv",
                "hidden_dim": 128,
                "num_upsamples": 2,
                "num_res_blocks": 2,
                "res_dim": 32,
            },
        }
    )
    # Weights; a term with weight 0 is not computed.
    config.losses = ConfigDict(
        {
            "l1": 0.0,
            "l2": 1.0,
            "nll": 0.0,
            "perceptual": 0.0,
            "kl": 0.0,
            "quantizer": 1.0,
        }
    )
    config.perceptual = ConfigDict({"net": "vgg16"})  # or alexnet
    config.discriminator = ConfigDict({"name": "none"})  # see DISCRIMINATORS
    config.adversarial = ConfigDict(ADVERSARIAL)
    config.optim = ConfigDict({**OPTIM, "accumulation": 1})  # parts of a batch
    config.disc_optim = ConfigDict(OPTIM)
    config.init_from = ""  # workdir of a run whose model this one goes on from
    config.freeze = ()  # of encoder, head, quantizer, decoder
    config.eval = ConfigDict(
        # lpips: of alexnet, vgg16; their weights are an install of their own
        {"every": 1_000, "batch_size": 64, "max_images": 0, "lpips": ()}
    )
    config.checkpoint = ConfigDict({"every": 1_000, "keep": 2, "keep_every": 0})
    config.mesh = ConfigDict({"data": -1, "fsdp": 1})  # data=-1: all that is left
    return config


def quantizer(variant: str, **fields) -> dict:
    """A quantizer's defaults, with `fields` replaced."""
    return {**QUANTIZERS[variant], **fields}


def finish(config: ConfigDict, variant: str) -> ConfigDict:
    """Applies the variants of the command line, comma-separated, and locks."""
    for word in filter(None, variant.split(",")):
        if word == "smoke":
            _shrink(config)
        elif word == "vqvae":
            config.losses.update(l1=0.0, l2=1.0, perceptual=0.0)
            config.discriminator = ConfigDict({"name": "none"})
        elif word in QUANTIZERS:
            shared = {
                key: value
                for key, value in config.model.quantizer.items()
                if key in QUANTIZERS[word] and key in SHARED
            }
            config.model.quantizer = ConfigDict(quantizer(word, **shared))
        else:
            raise ValueError(
                f"config variant {word!r} is unknown; choose from "
                f"{['smoke', 'vqvae', *sorted(QUANTIZERS)]}."
            )
    return config.lock()


def _shrink(config: ConfigDict) -> None:
    config.num_steps = 20
    config.batch_size = 8
    config.log_every = 5
    config.image_every = 10
    config.data.image_size = min(config.data.image_size, 32)
    config.data.update(source="photos", train_split="train", eval_split="test")
    for part in (config.model.encoder, config.model.decoder):
        part.num_res_blocks = 1
        if part.name == "conv":
            part.hidden_dim, part.res_dim = 16, 8
        else:
            part.base_dim, part.features_dim, part.num_groups = 32, 8, 8
            part.multipliers = (1,) * min(3, len(part.multipliers))
    _shrink_game(config)
    config.model.code_dim = 8
    small = {
        "codebook_size": 64,
        "levels": (4, 4, 4),
        "num_bits": 6,
        "scales": (1, 2, 4, 8),
        "anneal_steps": 10,
    }
    quantizers = [config.model.quantizer, config.model.quantizer.get("inner", {})]
    for fields in quantizers:
        fields.update({key: small[key] for key in fields if key in small})
    config.optim.warmup_steps = min(config.optim.warmup_steps, 5)
    config.eval.update(every=10, batch_size=8, max_images=32)
    config.checkpoint.update(every=10, keep=2)


def _shrink_game(config: ConfigDict) -> None:
    # The perceptual net's weights are an install of their own, and slow on a CPU.
    config.eval.lpips = ()
    if config.losses.perceptual:
        config.losses.update(perceptual=0.0, l2=1.0)
    if config.discriminator.name != "none":
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
