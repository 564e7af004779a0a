"""What an experiment starts from."""

from ml_collections import ConfigDict

from configs.parts import data, losses, models
from configs.parts.optim import OPTIM


def defaults() -> ConfigDict:
    """A VQ-VAE with an EMA codebook on the embedded photographs."""
    return ConfigDict(
        {
            "task": "autoencoder",  # or adversarial: what kind of run it is
            "seed": 0,
            "num_steps": 1_000,
            "batch_size": 64,  # global
            # Of averaged parameters; 0 keeps none. An EMA codebook is not averaged a
            # second time: it fits the current encoder, so measure before you combine
            # the two.
            "ema_decay": 0.0,
            "log_every": 50,
            "usage_window": 1_024,  # images that train/usage and perplexity count over
            "data": data.photos(),
            "model": models.conv_model(),
            "losses": losses.squared_error(),
            "optim": {**OPTIM, "accumulation": 1},  # parts of a batch
            "init_from": "",  # workdir of a run whose model this one goes on from
            "freeze": (),  # of encoder, head, quantizer, decoder
            "evaluations": {
                "pictures": {"every": 1_000},
                "reconstruction": {
                    "every": 1_000,
                    "batch_size": 64,
                    "max_images": 0,  # 0: all
                    "lpips": (),  # of alexnet, vgg16: an install of their own
                },
            },
            "checkpoint": {"every": 1_000, "keep": 2, "keep_every": 0},
            "mesh": {"data": -1, "fsdp": 1},  # data=-1: all that is left
            "profile": {"start": 10, "steps": 0},  # traced steps: the first, how many
        }
    )
