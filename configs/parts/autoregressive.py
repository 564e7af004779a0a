"""`config.prior` of transformers that predict one code after the other."""

from ml_collections import ConfigDict

from configs.parts.priors import use_family

TRANSFORMER = {
    "num_layers": 12,
    "num_heads": 12,
    "hidden_dim": 768,
    "dropout": 0.1,  # of attention and MLPs
    "token_dropout": 0.1,  # of embeddings
    "remat": False,
}


def use_autoregressive(config: ConfigDict, **fields) -> None:
    """LlamaGen's, of size B, with these fields changed; classes stay as they are."""
    own = {
        "mlp_multiple_of": 256,
        "class_rotation": "identity",  # or zero, as released LlamaGen weights need
    }
    use_family(config, "autoregressive", {**TRANSFORMER, **own, **fields})


def use_gpt(config: ConfigDict, **fields) -> None:
    """taming's, with these fields changed; classes stay as they are."""
    use_family(config, "gpt", {**TRANSFORMER, "corruption": 0.0, **fields})


def use_random_order(config: ConfigDict, **fields) -> None:
    """RAR's, with these fields changed; classes stay as they are.

    Of the steps, random orders have the first half, their own order the last quarter.
    """
    own = {
        "corruption": 0.0,
        "random_until": config.num_steps // 2,
        "raster_from": config.num_steps * 3 // 4,
    }
    use_family(config, "random_order", {**TRANSFORMER, **own, **fields})
