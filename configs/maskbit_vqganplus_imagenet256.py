"""VQGAN+ of MaskBit on ImageNet at 256 px: f16, 1,024 codes (2409.16211, sec. 3).

    python train.py --config=configs/maskbit_vqganplus_imagenet256.py \
        --workdir=gs://BUCKET/vqganplus

Numbers of the authors' `vqgan_plus_10bit.yaml`: squared error of weight 4 on [0, 1],
which is 1 on [-1, 1]; no entropy loss; codes from U(-1/K, 1/K); shortcuts on the
block's output; hinge losses of fixed weight 0.02 from step 20,000, LeCAM 1e-3 of the
mean logit and no gradient penalty; a discriminator of patches with blur-pool, in 4
stages; AdamW (0.9, 0.999) at 1e-4 with decay 1e-4, 5,000 steps of warm-up and a cosine
over 1,350,000 that ends at a tenth, gradients clipped at 1, float32, averaged
parameters.

Ours: LPIPS-VGG16 of weight 0.1, where they compare logits of a ResNet-50, which is not
offered. The discriminator learns 1,000 steps before its loss acts, so that no gradients
come from an untrained one. Batches of 16 devices, whose number the file does not give.
Decay on kernels only, as everywhere here. LeCAM's mean is over the batch, theirs over a
device's 16 images. Random crops at the shorter side, by Lanczos' kernel, where they
stretch random windows of 80-100 %: a tokenizer has to reconstruct images that are not
stretched.

Every number, and where it stands: docs/recipes.md. TPU or GPU. Paper: rFID 1.67 (VQGAN
with the settings of 2021: 7.94). Not run here.
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
        "vq", codebook_size=1_024, codebook_init="uniform"
    )
    use_resnet(
        config,
        attention_resolutions=(),
        middle_attention=False,
        shortcut="output",
        use_bias=False,
    )
    config.model.encoder.features_kernel = 1
    config.model.decoder.num_res_blocks = 2
    config.model.decoder.post_quant = False
    config.losses.update(l1=0.0, l2=4.0 / 4)  # pixels in [0, 1] differ half as much
    use_perceptual(config, 0.1)
    use_discriminator(config, "blur_patch", num_stages=4)
    config.adversarial.update(
        weight=0.02,
        weighting="fixed",
        disc_start=19_000,
        gen_start=20_000,
        lecam_weight=1e-3,
        lecam_logits="batch_mean",
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
            final_fraction=0.1,
        )
    return finish(config, variant)
