"""VQGAN+ of MaskBit on ImageNet at 256 px: f16, 1,024 codes (2409.16211, sec. 3).

    python train.py --config=configs/maskbit_vqganplus_imagenet256.py \
        --workdir=gs://BUCKET/vqganplus

Squared error of weight 4, entropy loss 0.02 at temperature 0.01, hinge losses of fixed
weight 0.02 from step 20,000, LeCAM 1e-3 and no gradient penalty; a discriminator of
patches with blur-pool; AdamW (0.9, 0.999) at 1e-4 with decay 1e-4, 5,000 steps of
warm-up and a cosine over 1,350,000, gradients clipped at 1, float32, averaged
parameters. Ours: LPIPS-VGG16 of weight 0.1 where they compare logits of a ResNet-50;
the entropy loss is not annealed; the discriminator learns 1,000 steps before
its loss acts.

TPU or GPU. Paper: rFID 1.67 (VQGAN with the settings of 2021: 7.94). Not run here.
"""

from configs.parts.adversarial import use_discriminator
from configs.parts.data import use_imagenet256
from configs.parts.defaults import defaults
from configs.parts.losses import use_perceptual
from configs.parts.models import use_resnet
from configs.parts.quantizers import quantizer
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = defaults()
    use_imagenet256(config)
    config.num_steps = 1_350_000
    config.batch_size = 256
    config.ema_decay = 0.999
    config.model.dtype = "float32"
    config.model.code_dim = 256
    config.model.head.name = "identity"
    config.model.quantizer = quantizer(
        "vq", codebook_size=1_024, entropy_weight=0.02, entropy_temperature=0.01
    )
    use_resnet(
        config,
        attention_resolutions=(),
        middle_attention=False,
        use_bias=False,
    )
    config.model.decoder.num_res_blocks = 2
    config.model.decoder.post_quant = False
    config.losses.update(l1=0.0, l2=4.0)
    use_perceptual(config, 0.1)
    use_discriminator(config, "blur_patch")
    config.adversarial.update(
        weight=0.02,
        weighting="fixed",
        disc_start=19_000,
        gen_start=20_000,
        lecam_weight=1e-3,
    )
    for optim in (config.optim, config.disc_optim):
        optim.update(
            name="adamw",
            learning_rate=1e-4,
            b1=0.9,
            b2=0.999,
            weight_decay=1e-4,
            clip_norm=1.0,
            schedule="cosine",
            warmup_steps=5_000,
        )
    return finish(config, variant)
