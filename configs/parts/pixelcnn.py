"""`config.prior` of gated PixelCNNs."""

from ml_collections import ConfigDict

from configs.parts.priors import use_family

PIXELCNN = {
    "channels": 64,
    "num_layers": 15,
    "first_kernel_size": 7,
    "kernel_size": 3,
    "head_dim": 512,
    "num_cond_blocks": 3,  # of levels that see coarser ones
    "dropout": 0.0,
    "remat": False,
}


def use_pixelcnn(config: ConfigDict, **fields) -> None:
    """One for each level of codes, with these fields changed; classes stay."""
    use_family(config, "pixelcnn", {**PIXELCNN, **fields})
