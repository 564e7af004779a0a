"""`config.prior` of gated PixelCNNs."""

from ml_collections import ConfigDict

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
    kept = {f: config.prior[f] for f in ("num_classes", "class_dropout", "dtype")}
    config.prior = {"name": "pixelcnn", **kept, **PIXELCNN, **fields}
