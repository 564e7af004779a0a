"""`config.prior` of MaskGIT."""

from ml_collections import ConfigDict

from configs.parts.priors import use_family

MASKGIT = {
    "num_layers": 6,
    "hidden_dim": 128,
    "num_heads": 4,
    "mlp_dim": 512,
    "norm": "pre",  # or post, as BERT
    "norm_epsilon": 1e-6,
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "head": "linear",  # 0 at first; or tied to the embeddings
    "remat": False,
    "mask_schedule": "cosine",  # of training; ops/mask_schedules.py has all
    "min_mask_fraction": 0.0,
    "label_smoothing": 0.0,
    "num_bound_masks": 16,  # passes of log_prob
    "num_steps": 12,  # of sampling
    "sampling_schedule": "cosine",
    "order": "confidence",  # confidence | halton | halton_rolled | random
    "choice_temperature": 4.5,  # of confidence
}


def use_maskgit(config: ConfigDict, **fields) -> None:
    """A small one, with these fields changed; classes stay as they are."""
    use_family(config, "maskgit", {**MASKGIT, **fields})
