"""LlamaGen on ImageNet at 256 px, class by class (Sun et al. 2024, 2406.06525).

    python train.py --config=configs/llamagen_vq16_imagenet256.py \
        --workdir=gs://BUCKET/llamagen_vq16
    python train.py --config=configs/llamagen_imagenet256.py \
        --config.tokenizer=gs://BUCKET/llamagen_vq16 --workdir=gs://BUCKET/llamagen_b

Size B; variants `l` and `xl`. 16x16 codes of 16,384. Numbers are those of the released
`train_c2i.py`, at its defaults: AdamW (0.9, 0.95) at 1e-4, constant and without
warm-up, weight decay 0.05, gradients clipped at 1, batch 256, 300 epochs, bfloat16,
dropout 0.1 of embeddings, attention and MLPs, classes left out with 0.1. The paper has
dropout 0.1 in the attention's weights, too, which the code sets to 0.

Ours: weight decay acts on kernels alone, where theirs acts on the embeddings of codes
and classes, too; codes of random crops and mirror images as they come, where theirs are
read from ten crops of an image at 1.1 times the size, encoded before; query and key of
the class are not turned, where theirs are 0 (`prior.class_rotation="zero"`).

Sampling: temperature 1, all codes, guidance 2.0 (L and XL: 1.75).

Every number, and where it stands: docs/recipes.md. TPU or GPU. Paper: FID of 50,000
samples 5.46 for B at guidance 2.0 (111 M parameters), 3.80 for L at 1.75 (343 M), 3.39
for XL at 1.75 after 50 epochs (775 M). Not run here.
"""

from configs.parts.autoregressive import use_autoregressive
from configs.parts.priors import prior_defaults, use_imagenet256
from configs.parts.variants import finish

# layers, heads, channels, guidance of the best FID
SIZES = {"l": (24, 16, 1_024, 1.75), "xl": (36, 20, 1_280, 1.75)}


def get_config(variant: str = ""):
    config = prior_defaults()
    use_imagenet256(config)
    use_autoregressive(config)
    config.num_steps = 1_501_200  # 300 epochs
    config.batch_size = 256
    config.sampling.guidance = 2.0
    config.optim.update(
        name="adamw", learning_rate=1e-4, b2=0.95, weight_decay=0.05, clip_norm=1.0
    )
    return finish(config, variant, {"(l|xl)": _resize})


def _resize(config, size: str) -> None:
    layers, heads, channels, guidance = SIZES[size]
    config.prior.update(num_layers=layers, num_heads=heads, hidden_dim=channels)
    config.prior.remat = True
    config.sampling.guidance = guidance
