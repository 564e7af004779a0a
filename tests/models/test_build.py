import pytest

from vq_jax.errors import InputError
from vq_jax.models.build import build_autoencoder
from vq_jax.testing import tiny


def _build_with(quantizer):
    config = tiny.model_config()
    config.quantizer = quantizer
    return build_autoencoder(config, channels=3)


def test_an_unknown_name_lists_the_choices():
    message = (
        r"config.model.quantizer.name='vqq' is unknown; choose from \['bsq', .*'vq'"
    )
    with pytest.raises(InputError, match=message):
        _build_with({"name": "vqq"})


def test_a_field_of_another_family_lists_the_own_ones():
    with pytest.raises(
        InputError, match=r"quantizer.levels is unknown.*name='vq' takes \['beta_mode'"
    ):
        _build_with({"name": "vq", "levels": (8, 8)})


def test_derived_fields_cannot_be_given_twice():
    with pytest.raises(InputError, match=r"quantizer.code_dim is unknown"):
        _build_with({"name": "vq", "code_dim": 8})


def test_encoder_and_decoder_of_different_strides_are_an_error():
    config = tiny.model_config()
    config.decoder.num_upsamples = 3
    with pytest.raises(InputError, match=r"shrinks by 4 .* grows by 8"):
        build_autoencoder(config, channels=3)


def test_a_choice_among_words_is_checked():
    with pytest.raises(InputError, match=r"codebook_init='kmean' is unknown; choose"):
        _build_with({"name": "vq", "codebook_init": "kmean"})
