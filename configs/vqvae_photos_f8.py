"""VQ-VAE on the embedded photographs, 64 px, 8x8 codes of 512: codes for a prior.

    python train.py --config=configs/vqvae_photos_f8.py --workdir=runs/vqvae_photos_f8

The quickstart with a stride of 8 and fewer codes, so that a small prior learns them in
minutes. Its images are blurred; configs/vqgan_photos_f8.py draws the same codes with a
decoder that is not. Two CPU cores, float32; docs/applications.md has what was obtained.
"""

from configs import quickstart
from configs.parts.variants import finish


def get_config(variant: str = ""):
    config = quickstart.get_config().copy_and_resolve_references()
    config.unlock()
    config.num_steps = 1_500
    config.batch_size = 32
    config.model.encoder.num_downsamples = 3
    config.model.decoder.num_upsamples = 3
    config.model.quantizer.codebook_size = 512
    config.optim.learning_rate = 1e-3
    config.evaluations.reconstruction.lpips = ("alexnet",)
    config.evaluations.pictures.every = 1_500
    config.checkpoint.every = 500
    return finish(config, variant)
