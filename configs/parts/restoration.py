"""What an experiment with a restorer starts from."""

from ml_collections import ConfigDict

from configs.parts import data
from configs.parts.losses import use_perceptual
from configs.parts.optim import OPTIM


def restoration_defaults() -> ConfigDict:
    """A small transformer, noise, and the embedded photographs."""
    return ConfigDict(
        {
            "task": "restoration",
            "seed": 0,
            "num_steps": 1_000,
            "batch_size": 16,  # global
            "ema_decay": 0.0,  # of averaged parameters; 0 keeps none
            "log_every": 50,
            "tokenizer": "",  # workdir of the run that trained it
            "data": data.photos(),
            "degradation": {
                "train": "denoise",  # data/degradations/presets.py has all
                "eval": "noise_50",
                "eval_seed": 0,
            },
            "restorer": {
                "num_layers": 4,
                "hidden_dim": 128,
                "num_heads": 4,
                "mlp_dim": 256,
                "dropout": 0.0,
                "code_head": "distance",  # or linear, as CodeFormer
                "fuse_levels": (),  # resolutions that see the encoder: 1 is half size
                "fuse_blocks": 4,  # where there are such levels
                "dtype": "float32",
            },
            "losses": {"cross_entropy": 0.5, "latents": 1.0, "l1": 0.0},
            "optim": {**OPTIM, "accumulation": 1},  # parts of a batch
            "init_from": "",
            "evaluations": {
                "restored_pictures": {"every": 1_000, "fidelity": 0.0},
                "restoration": {
                    "every": 1_000,
                    "batch_size": 64,
                    "max_images": 0,  # 0: all
                    "fidelity": 0.0,
                    "lpips": (),  # of alexnet, vgg16: an install of their own
                },
            },
            "checkpoint": {"every": 1_000, "keep": 2, "keep_every": 0},
            "mesh": {"data": -1, "fsdp": 1},  # data=-1: all that is left
            "profile": {"start": 10, "steps": 0},  # traced steps: the first, how many
        }
    )


def use_fusion(config: ConfigDict, levels: tuple[int, ...] = (1,)) -> None:
    """Features of the degraded image in the decoder, and losses of restored images."""
    config.restorer.fuse_levels = levels
    config.losses.l1 = 1.0
    use_perceptual(config)
    for name in ("restored_pictures", "restoration"):
        config.evaluations[name].fidelity = 1.0


def use_degradation(config: ConfigDict, train: str, evaluated: str) -> None:
    """Another degradation, and one of a single strength to evaluate on."""
    config.degradation.update(train=train, eval=evaluated)
