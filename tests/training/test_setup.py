import jax
import numpy as np
import pytest

from configs import quickstart, vqgan_stability, vqvae_photos
from vq_jax.errors import InputError
from vq_jax.training.setup import prepare


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("num_steps", 0),
        ("seed", -1),
        ("ema_decay", 1.0),
        ("losses.l2", -1.0),
        ("optim.learning_rate", -1.0),
        ("checkpoint.keep", 0),
        ("evaluations.reconstruction.every", -1),
        ("model.code_dim", 0),
        ("model.latent_dim", -1),
        ("usage_window", 0),
        ("data.image_size", 0),
        ("model.quantizer.decay", 1.5),
        ("model.quantizer.codebook_size", 0),
    ],
)
def test_a_number_out_of_range_is_named_with_its_range(path, value):
    config = quickstart.get_config("smoke")
    config.update_from_flattened_dict({path: value})
    with pytest.raises(InputError, match=rf"config\.{path}={value} must be in \["):
        prepare(config)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("batch_size", 9, r"config.batch_size=9 does not divide over 8 devices"),
        ("model.dtype", "bf16", r"config.model.dtype='bf16' is unknown; choose from"),
        ("mesh.fsdp", 3, r"config.mesh.fsdp=3 must divide the 8 devices"),
        ("optim.accumulation", 3, r"accumulation=3 must divide config.batch_size=8"),
        ("losses.kl", 1.0, r"does not fit the deterministic head"),
        ("losses.l2", 0.0, r"no reconstruction term"),
        ("data.image_size", 8, r"image_size=8 is too small .*reconstruction: SSIM"),
    ],
)
def test_values_that_do_not_fit_are_named(path, value, message):
    config = vqvae_photos.get_config("smoke")
    config.update_from_flattened_dict({path: value})
    with pytest.raises(InputError, match=message):
        prepare(config)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("adversarial.weight", -1.0, r"adversarial.weight=-1.0 must be in \[0"),
        ("adversarial.weighting", "auto", r"weighting='auto' is unknown; choose"),
        ("adversarial.generator_loss", "wgan", r"generator_loss='wgan' is unknown"),
        ("adversarial.augment", ("flip",), r"augment='flip' is unknown; choose"),
        ("adversarial.gen_start", 0, r"gen_start=0 comes before .*disc_start=5"),
        ("adversarial.min_weight", 99.0, r"min_weight=99.0 is above .*max_weight=10.0"),
        ("discriminator.name", "gan", r"config.discriminator.name='gan' is unknown"),
        ("discriminator.norm", "layer", r"norm='layer' is unknown; choose"),
        ("disc_optim.learning_rate", -1.0, r"disc_optim.learning_rate=-1.0 must be"),
        ("disc_optim.name", "adamm", r"config.disc_optim.name='adamm' is unknown"),
        ("disc_optim.warmup_steps", 99, r"disc_optim.warmup_steps=99 must be in"),
        ("freeze", ("encoder",), r"name the run they come from in config.init_from"),
        ("freeze", ("encode",), r"config.freeze='encode' is unknown; choose from"),
    ],
)
def test_adversarial_values_that_do_not_fit_are_named(path, value, message):
    config = vqgan_stability.get_config("smoke")
    config.update_from_flattened_dict({path: value})
    with pytest.raises(InputError, match=message):
        prepare(config)


def test_an_adaptive_weight_needs_a_decoder_that_learns():
    config = vqgan_stability.get_config("smoke")
    config.update(init_from="somewhere", freeze=("decoder",))
    with pytest.raises(InputError, match=r"set config.adversarial.weighting='fixed'"):
        prepare(config)


@pytest.mark.parametrize(
    ("variant", "frozen"),
    [
        ("smoke,vq", ("encoder", "head", "quantizer", "decoder")),
        ("smoke,fsq", ("encoder", "head", "decoder")),
    ],
)
def test_a_run_in_which_nothing_would_learn(variant, frozen):
    config = quickstart.get_config(variant)
    config.update(init_from="somewhere", freeze=frozen)
    with pytest.raises(InputError, match=r"^config.freeze=.* leaves nothing that lear"):
        prepare(config)


def test_a_codebook_of_averages_learns_alone():
    config = quickstart.get_config("smoke,vq_ema")
    config.update(init_from="somewhere", freeze=("encoder", "head", "decoder"))
    prepare(config)


def test_an_unknown_perceptual_net_is_named():
    config = quickstart.get_config("smoke,perceptual")
    config.perceptual.net = "vgg"
    with pytest.raises(InputError, match=r"config.perceptual.net='vgg' is unknown"):
        prepare(config)


def test_a_discriminator_does_not_change_the_initial_model():
    # Else VQ-VAE and VQGAN of one seed would differ by more than their losses.
    states = [
        jax.jit(prepare(vqgan_stability.get_config(variant)).task.init)(
            jax.random.key(3)
        )
        for variant in ("smoke", "smoke,vqvae")
    ]
    jax.tree.map(np.testing.assert_array_equal, states[0].generator, states[1])
