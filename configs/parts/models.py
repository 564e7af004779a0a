"""`config.model`: encoder, head, quantizer, decoder."""

from ml_collections import ConfigDict

from configs.parts.quantizers import quantizer


def conv_model() -> dict:
    """VQ-VAE's convolutional encoder and decoder, stride 4, with an EMA codebook."""
    return {
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


def use_resnet(config: ConfigDict, *, num_res_blocks: int = 2, **fields) -> None:
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
