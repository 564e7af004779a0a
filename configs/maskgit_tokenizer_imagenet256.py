"""MaskGIT's tokenizer on ImageNet at 256 px: f16, 1,024 codes (2202.04200).

    python train.py --config=configs/maskgit_tokenizer_imagenet256.py \
        --workdir=gs://BUCKET/maskgit_tokenizer

Numbers of the released `vqgan_config.py`, and the networks beside it: no attention,
means in place of strided convolutions, no biases in residual blocks, shortcuts on the
block's output; codes from U(-√(3/K), √(3/K)); entropy loss 0.1 at temperature 0.01; a
residual discriminator of 24.0 M parameters with blur-pool; non-saturating losses of
weight 0.1; Adam (0, 0.99) at 1e-4, batch 256, 1,000,000 steps, float32. Their images
are in [0, 1]: a squared error of weight 1 is one of 1/4 on [-1, 1], and R1 of cost 10,
γ = 20, is γ = 80.

Ours: LPIPS-VGG16 of weight 0.1, where they have features of a ResNet-50, which is not
offered. R1 at every 16th update, 16-fold, which is StyleGAN2's way to save time. The
weight of the squared error, the crops and the mirroring, of which the released files
say nothing.

Every number, and where it stands: docs/recipes.md. TPU or GPU. Paper: rFID 2.28. Not
run here.
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
    config.num_steps = 1_000_000
    config.batch_size = 256
    config.ema_decay = 0.999
    config.model.dtype = "float32"
    config.model.code_dim = 256
    config.model.head.name = "identity"
    config.model.quantizer = quantizer(
        "vq",
        codebook_size=1_024,
        codebook_init="fan_in",
        entropy_weight=0.1,
        entropy_temperature=0.01,
    )
    use_resnet(
        config,
        attention_resolutions=(),
        middle_attention=False,
        shortcut="output",
        use_bias=False,
    )
    config.model.encoder.downsampling = "average"
    config.model.encoder.features_kernel = 1
    config.model.decoder.num_res_blocks = 2
    config.model.decoder.post_quant = False
    config.losses.update(l1=0.0, l2=1.0 / 4)  # pixels in [0, 1] differ half as much
    use_perceptual(config, 0.1)
    use_discriminator(config, "stylegan", base_dim=64, multipliers=(2, 4, 8, 8, 8, 8))
    config.adversarial.update(
        generator_loss="non_saturating",
        discriminator_loss="non_saturating",
        weight=0.1,
        weighting="fixed",
        r1_weight=20.0 * 4,  # gradients by pixels in [0, 1] are twice as large
    )
    for optim in (config.optim, config.disc_optim):
        optim.update(learning_rate=1e-4, b1=0.0, b2=0.99)
    return finish(config, variant)
