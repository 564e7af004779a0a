"""`config.data`: where images come from, and what is done to them."""

from ml_collections import ConfigDict


def photos() -> dict:
    """The embedded photographs, random crops of 64 px."""
    return {
        "source": "photos",  # photos | tfds:NAME | folder:PATH | idx:DIR
        "train_split": "train",
        "eval_split": "test",
        "data_dir": "",  # of tfds; "" is its default
        "image_size": 64,
        "channels": 3,
        "resize": "shorter_side",  # or none: crop at the photograph's own size
        "kernel": "lanczos",
        "crop": "random",  # random | random_resized | center
        "flip": True,
        "color_prob": 0.0,  # fraction of crops that get random colours
        "exclude_labels": (),  # classes whose images are in no split, by number
        "white_point": 0.0,  # of grey above 8 bits, as 4095; 0: as the file's bits say
        "on_error": "raise",  # or skip: leave out broken images, and count them
        "num_threads": 4,
        "prefetch": 64,  # images
        "num_workers": 0,  # processes; 0 decodes in threads
    }


def use_imagenet_images(config: ConfigDict, image_size: int) -> None:
    """The images of ImageNet, from a prepared TFDS data set."""
    config.data.source = "tfds:imagenet2012"
    config.data.eval_split = "validation"
    config.data.image_size = image_size
    config.data.num_threads = 16
    config.data.prefetch = 512


def use_imagenet(config: ConfigDict, image_size: int) -> None:
    """ImageNet on accelerators, for a tokenizer."""
    config.usage_window = 50_000  # as many as the validation split has
    config.log_every = 100
    use_imagenet_images(config, image_size)
    config.model.dtype = "bfloat16"
    config.evaluations.pictures.every = 10_000
    config.evaluations.reconstruction.every = 10_000
    config.checkpoint.update(every=5_000, keep_every=50_000)


def use_imagenet256(config: ConfigDict) -> None:
    """ImageNet at 256 px, evaluated with LPIPS too."""
    use_imagenet(config, 256)
    config.evaluations.reconstruction.update(batch_size=64, lpips=("alexnet", "vgg16"))
