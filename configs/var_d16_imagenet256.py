"""Next-scale prediction on ImageNet at 256 px (VAR, Tian et al. 2024, 2404.02905v2).

    python train.py --config=configs/vqgan_imagenet256.py:var \
        --workdir=gs://BUCKET/var_tokenizer
    python train.py --config=configs/var_d16_imagenet256.py \
        --config.tokenizer=gs://BUCKET/var_tokenizer --workdir=gs://BUCKET/var_d16

Variants: none has 16 layers; `d20`, `d24` and `d30`. Heads are as many as layers, with
64 channels each; 680 codes of 4,096 an image, on grids of 1 to 16. Numbers are those of
the repository's README and code: images of a step 768 (768; 768; 1,024), epochs 200
(250; 350; 350), rate per 256 images 1e-4 (1e-4; 8e-5; 8e-5) with warm-up over 1/50 of
the epochs, final rate 0.1 (0.1; 0.01; 0.01) of it, AdamW (0.9, 0.95), gradients cut at
norm 2, initial gain 1e-3 (1e-3; 1e-4; 1e-5), drop path 0.1 · layers / 24, classes
dropped with 0.1.

Ours: bfloat16, where they have float16 with scaled losses; activations computed twice,
to save memory; the rate falls from the end of warm-up on, where theirs stays for the
first 5 % of the rest; weight decay 0.05 to the end, where `d30` of theirs rises to
0.08, and on kernels alone, where theirs acts on the table of classes, too; images of
256 px on the shorter side before the crop, where theirs have 288; a tokenizer of our
training, since that of theirs is not published.

Sampling as the paper's: top-k 900, top-p 0.96, guidance that rises linearly over the
scales to cfg 1.5, which is 2.5 in our convention.

Every number, and where it stands: docs/recipes.md. TPU or GPU. Paper: FID of 50,000
samples 3.55 (2.95; 2.33; 1.97), with 310 M (600 M; 1.0 B; 2.0 B) parameters, by the
README. Not run here.
"""

from configs.parts.priors import prior_defaults, use_imagenet256
from configs.parts.variants import finish

NUM_IMAGES = 1_281_167
# layers -> images of a step, epochs, rate per 256 images, final fraction, initial gain
SIZES = {
    16: (768, 200, 1e-4, 0.1, 1e-3),
    20: (768, 250, 1e-4, 0.1, 1e-3),
    24: (768, 350, 8e-5, 0.01, 1e-4),
    30: (1_024, 350, 8e-5, 0.01, 1e-5),
}


def get_config(variant: str = ""):
    config = prior_defaults()
    use_imagenet256(config)
    config.data.flip = False
    config.prior.update(
        name="next_scale",
        mlp_ratio=4.0,
        unit_attention=True,
        shared_adaln=False,
        remat=True,
    )
    config.optim.update(
        name="adamw",
        schedule="linear",
        b2=0.95,
        weight_decay=0.05,
        clip_norm=2.0,
    )
    config.sampling.update(
        top_k=900, top_p=0.96, guidance=2.5, guidance_schedule="linear"
    )
    _use_layers(config, 16)
    return finish(config, variant, {r"d(20|24|30)": _use_layers})


def _use_layers(config, layers):
    layers = int(layers)
    batch, epochs, rate, final, gain = SIZES[layers]
    config.batch_size = batch
    steps_an_epoch = NUM_IMAGES // batch
    config.num_steps = epochs * steps_an_epoch
    config.optim.update(
        learning_rate=rate * batch / 256,
        warmup_steps=epochs * steps_an_epoch // 50,
        final_fraction=final,
    )
    config.prior.update(
        num_layers=layers,
        num_heads=layers,
        hidden_dim=64 * layers,
        drop_path=0.1 * layers / 24,
        initial_gain=gain,
    )
