"""`config.optim` and `config.disc_optim`: an optimizer and its schedule."""

OPTIM = {
    "name": "adam",  # adam | adamw | lion | rmsprop | sgd; each takes some of these
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
