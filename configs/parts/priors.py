"""What an experiment with a prior starts from."""

from ml_collections import ConfigDict

from configs.parts import data
from configs.parts.optim import OPTIM

SAMPLING = {
    "temperature": 1.0,  # 0 takes the most likely code
    "top_k": 0,  # 0: all
    "top_p": 1.0,
    "guidance": 1.0,  # 1: none
    "guidance_schedule": "constant",  # constant | linear | cosine
    "guidance_power": 1.0,
}


def prior_defaults() -> ConfigDict:
    """Histograms by position, on codes of the embedded photographs."""
    return ConfigDict(
        {
            "task": "prior",
            "seed": 0,
            "num_steps": 1_000,
            "batch_size": 64,  # global
            "ema_decay": 0.0,  # of averaged parameters; 0 keeps none
            "log_every": 50,
            "tokenizer": "",  # workdir of the run that trained it
            "codes": "online",  # or a folder that vq-jax tokenize wrote
            "data": data.photos(),
            "prior": {
                "name": "independent",
                "num_classes": 0,  # 0: without classes
                "class_dropout": 0.0,
                "dtype": "float32",
            },
            "sampling": dict(SAMPLING),
            "optim": {**OPTIM, "accumulation": 1},  # parts of a batch
            "init_from": "",
            "evaluations": {
                "likelihood": {
                    "every": 1_000,
                    "batch_size": 64,
                    "max_images": 0,  # 0: all
                    "train_images": 2_048,  # for comparison; 0: none
                },
                "samples": {"every": 1_000, "num_images": 64, "columns": 8, "seed": 0},
                # Once, after the last step, as they take minutes.
                "generation": {
                    "every": 0,
                    "batch_size": 64,
                    "num_images": 10_000,
                    "features": (),  # of alexnet, lite0: an install of their own
                    "feature_size": 224,
                    "seed": 0,
                },
                "neighbours": {
                    "every": 0,
                    "batch_size": 64,
                    "num_images": 1_000,
                    "seed": 0,
                },
            },
            "checkpoint": {"every": 1_000, "keep": 2, "keep_every": 0},
            "mesh": {"data": -1, "fsdp": 1},  # data=-1: all that is left
            "profile": {"start": 10, "steps": 0},  # traced steps: the first, how many
        }
    )


def use_family(config: ConfigDict, name: str, fields: dict) -> None:
    """Another family with these fields; classes and dtype stay as they are."""
    kept = {f: config.prior[f] for f in ("num_classes", "class_dropout", "dtype")}
    config.prior = {"name": name, **kept, **fields}


def use_fashion_mnist(config: ConfigDict) -> None:
    """All 60,000 images, and their ten classes."""
    config.data.source = "idx:/usr/share/datasets/fashion-mnist"
    config.data.image_size = 28
    config.data.channels = 1
    config.data.resize = "none"
    config.data.crop = "center"
    config.data.flip = False  # a shoe points to the left
    config.prior.num_classes = 10
    config.prior.class_dropout = 0.1
    config.evaluations.likelihood.batch_size = 512
    config.evaluations.samples.update(num_images=100, columns=10)
    config.evaluations.generation.update(
        batch_size=512, features=("lite0",), feature_size=64
    )
    config.evaluations.neighbours.batch_size = 512
    config.evaluations.recognition = {
        "every": 0,
        "batch_size": 512,
        "num_images": 2_000,
        "num_steps": 1_400,  # of the classifier: three epochs
        "train_batch_size": 128,
        "learning_rate": 2e-3,
        "seed": 0,
    }


def use_imagenet256(config: ConfigDict) -> None:
    """ImageNet at 256 px and its 1,000 classes, in bfloat16 on accelerators."""
    config.log_every = 100
    data.use_imagenet_images(config, 256)
    config.prior.update(num_classes=1_000, class_dropout=0.1, dtype="bfloat16")
    config.evaluations.likelihood.every = 10_000
    config.evaluations.samples.every = 10_000
    del config.evaluations.neighbours  # it would decode all of the training split
    config.checkpoint.update(every=5_000, keep_every=50_000)
