"""`config.losses`: the weights of an autoencoder's losses; one of 0 is not computed."""

from ml_collections import ConfigDict


def squared_error() -> dict:
    """VQ-VAE's: a squared error and the quantizer's own loss."""
    return {"l1": 0.0, "l2": 1.0, "nll": 0.0, "kl": 0.0, "quantizer": 1.0}


def use_perceptual(config: ConfigDict, weight: float = 1.0, net: str = "vgg16") -> None:
    """Adds LPIPS; the weights of its network are an install of their own."""
    config.losses.perceptual = weight
    config.perceptual = ConfigDict({"net": net})  # vgg16 | alexnet


def drop_perceptual(config: ConfigDict) -> None:
    """Takes LPIPS away, where there is any."""
    if "perceptual" in config:
        del config.losses["perceptual"], config["perceptual"]
