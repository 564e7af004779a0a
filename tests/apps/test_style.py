"""Style transfer: its zero point, what strength does, sizes, and what is refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax import InputError, Tokenizer
from vq_jax.apps.style.adain import AdainStyle
from vq_jax.apps.style.gram import GramStyle
from vq_jax.inference.padding import pad_to_few
from vq_jax.models.perceptual.lpips import Lpips
from vq_jax.ops import adain
from vq_jax.testing import tiny

NET = Lpips(net="vgg16", channels=(4, 4, 4, 4, 4))
CONTENT, STYLE = tiny.images(1, size=32)[0], tiny.images(1, size=40, seed=3)[0]


@functools.cache
def _tokenizer(quantizer="fsq"):
    model, images = tiny.model(quantizer), jnp.zeros((1, 16, 16, 3))
    init = functools.partial(model.init, train=False)
    keys = {"params": jax.random.key(0), "codebook": jax.random.key(1)}
    return Tokenizer(model, jax.jit(init)(keys, images), chunk_size=1)


@functools.cache
def _gram(steps=6, quantizer="fsq", **options):
    images = jnp.zeros((1, 32, 32, 3))
    params = jax.jit(NET.init)(jax.random.key(0), images, images)["params"]
    return GramStyle(_tokenizer(quantizer), params, net=NET, steps=steps, **options)


RESTYLERS = {"gram": _gram, "adain": lambda: AdainStyle(_tokenizer())}


@pytest.mark.parametrize("method", RESTYLERS)
@pytest.mark.parametrize("size", [(32, 32), (35, 45)])
def test_at_strength_0_it_is_the_round_trip(method, size):
    content = np.resize(CONTENT, (*size, 3))
    found = RESTYLERS[method]()(content, STYLE, strength=0.0)
    padded = pad_to_few(content, 4)
    recon = _tokenizer().reconstruct(padded[None])[0, : size[0], : size[1]]
    np.testing.assert_array_equal(found, recon)


@pytest.mark.parametrize("method", RESTYLERS)
def test_sizes_differ_and_results_do_not(method):
    content, style = np.resize(CONTENT, (35, 45, 3)), np.resize(STYLE, (41, 33, 3))
    found = RESTYLERS[method]()(content, style, strength=0.6)
    assert found.shape == content.shape
    assert found.dtype == np.uint8
    again = RESTYLERS[method]()(content, style, strength=0.6)
    np.testing.assert_array_equal(found, again)
    plain = RESTYLERS[method]()(content, style, strength=0.0)
    assert (found != plain).any()


@pytest.mark.parametrize("method", RESTYLERS)
def test_the_result_is_an_image_of_codes(method):
    """Of those of the latents, and no mixture with what the encoder saw."""
    restyler, decoded = RESTYLERS[method](), []
    codes = restyler._codes(CONTENT, STYLE, 0.7)
    assert np.issubdtype(codes.dtype, np.integer)
    decoded = restyler.tokenizer.decode(codes)[0]
    np.testing.assert_array_equal(decoded, restyler(CONTENT, STYLE, strength=0.7))


def test_more_strength_is_more_style_and_less_content():
    losses = []
    restyler = _gram(
        steps=12,
        quantizer="lfq",
        say=lambda progress: losses.append(progress.losses),
    )
    for strength in (0.1, 0.5, 1.0):
        restyler(CONTENT, STYLE, strength=strength)
    last = losses[11::12]
    content, style = ([float(x[name]) for x in last] for name in ("content", "style"))
    assert float(losses[0]["content"]) == 0.0
    assert content[0] < content[1] < content[2]
    assert float(losses[0]["style"]) > style[0] > style[1] > style[2]


def test_adain_gives_latents_the_statistics_of_the_style():
    restyler = AdainStyle(_tokenizer())
    variables = _tokenizer().variables
    z_e = restyler._latents(variables, CONTENT[None])
    style = restyler._latents(variables, STYLE[None])
    wanted = adain.channel_statistics(style)
    cut = np.pad(STYLE, ((0, 3), (0, 2), (0, 0)))  # the rest of no code
    found = adain.channel_statistics(restyler.latents(CONTENT, cut, 1.0))
    for value, of_style in zip(found, wanted, strict=True):
        np.testing.assert_allclose(value, of_style, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(restyler.latents(CONTENT, STYLE, 0.0), z_e)


def test_bad_input_is_refused():
    gram, adain_style = _gram(), AdainStyle(_tokenizer())
    for restyler in (gram, adain_style):
        for strength in (-0.1, 1.5, float("nan")):
            with pytest.raises(InputError, match=r"strength=.* must be in \[0.0, 1.0"):
                restyler(CONTENT, STYLE, strength=strength)
        with pytest.raises(InputError, match=r"content is uint8 \(0, 32, 3\); give"):
            restyler(CONTENT[:0], STYLE, strength=0.5)
        with pytest.raises(InputError, match=r"style is uint8 .*\[h, w, 3\]"):
            restyler(CONTENT, STYLE[..., :1], strength=0.5)
    with pytest.raises(InputError, match=r"style is 40x31.* 32 pixels or more"):
        gram(CONTENT, STYLE[:31], strength=0.5)
    with pytest.raises(InputError, match=r"style is 3x40.* 4 pixels or more"):
        adain_style(CONTENT, STYLE[:, :3], strength=0.5)
    with pytest.raises(InputError, match=r"steps=0 must be in"):
        GramStyle(_tokenizer(), {}, net=NET, steps=0)
    with pytest.raises(InputError, match="restyle: the model has no codes"):
        AdainStyle(_tokenizer("none"))


def test_a_quantizer_without_a_gradient_is_an_error_and_not_a_plain_round_trip():
    with pytest.raises(InputError, match=r"pass no gradient.* method='adain'"):
        _gram(quantizer="gumbel")(CONTENT, STYLE, strength=0.5)
