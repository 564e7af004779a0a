"""MaskGIT on ImageNet at 256 px, class by class: 172 M parameters (2202.04200).

    python train.py --config=configs/maskgit_imagenet256.py \
        --config.tokenizer=gs://BUCKET/maskgit_tokenizer_imagenet256 \
        --workdir=gs://BUCKET/maskgit_imagenet256

Over the 256 codes of `configs/maskgit_tokenizer_imagenet256.py`. Numbers of the
released configuration and network: BERT of 24 layers, 768 channels and 16 heads (the
paper says 8), norms behind the sums with ε 1e-12, dropout 0.1 of features and
attention, a head that is tied to the embeddings; cosine schedule, at least half masked,
label smoothing 0.1; Adam (0.9, 0.96) at 1e-4 with weight decay 0.045, warm-up of 5,000
steps, batch 256, 2,000,000 steps (the paper: 300 epochs, 1.5 M), averages of factor
0.999; samples by confidence with noise of 4.5, in 8 steps as in the paper. Without
guidance.

Ours: what the released files leave open, since the code that trained it is not there:
crops and mirroring; that `min_masking_rate` is the least fraction that is masked, as
open-muse reads it; that weight decay is decoupled and of kernels alone. Classes have
embeddings of their own, logits are of codes alone, and attention weights are dropped
out for each image and head by itself.

A model that saw no image with less than half of it masked predicts the last codes
badly, and its bound is loose: train with `--config.prior.min_mask_fraction=0` where the
bound counts.

The variant `halton` samples in the order of Halton-MaskGIT (2503.17076), in 32 steps.

Every number, and where it stands: docs/recipes.md. TPU or GPU. Paper: FID 6.18,
IS 182.1. Not run here.
"""

from configs.parts.maskgit import use_maskgit
from configs.parts.priors import prior_defaults, use_imagenet256
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = prior_defaults()
    use_imagenet256(config)
    use_maskgit(
        config,
        num_layers=24,
        hidden_dim=768,
        num_heads=16,
        mlp_dim=3_072,
        norm="post",
        norm_epsilon=1e-12,
        attention_dropout=0.1,
        head="tied",
        min_mask_fraction=0.5,
        label_smoothing=0.1,
        num_steps=8,
    )
    config.prior.update(class_dropout=0.0, dtype="float32")
    config.num_steps = 2_000_000
    config.batch_size = 256
    config.ema_decay = 0.999
    config.optim.update(
        name="adamw",
        learning_rate=1e-4,
        warmup_steps=5_000,
        b2=0.96,
        weight_decay=0.045,
    )
    return finish(config, variant, {"halton": _halton})


def _halton(config):
    config.prior.update(order="halton", num_steps=32)
