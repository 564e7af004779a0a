"""VQGAN on the embedded photographs, 64 px: DRAFT

python train.py --config=configs/vqgan_photos.py --workdir=runs/vqgan_photos
"""

from configs import common


def get_config(variant: str = ""):
    config = common.defaults()
    config.num_steps = 1_000
    config.batch_size = 8
    config.data.resize = "none"
    resnet = {
        "name": "resnet",
        "base_dim": 32,
        "multipliers": (1, 2, 4),
        "resolution": 64,
        "attention_resolutions": (),
        "features_dim": 64,
    }
    config.model.encoder = {**resnet, "num_res_blocks": 1}
    config.model.decoder = {**resnet, "num_res_blocks": 2}
    config.losses.update(l1=1.0, l2=0.0, perceptual=1.0)
    config.discriminator = common.PATCHGAN
    config.optim.learning_rate = 5e-4
    config.disc_optim.learning_rate = 5e-4
    return common.finish(config, variant)
