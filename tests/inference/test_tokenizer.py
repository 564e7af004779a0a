import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import quickstart
from vq_jax import InputError, Tokenizer
from vq_jax.models.build import build_autoencoder
from vq_jax.testing import tiny


@pytest.fixture(scope="module", params=["vq", "vq_ema"])
def tokenizer(request):
    model = tiny.model(request.param)
    variables = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)), train=False)
    return Tokenizer(model, variables, chunk_size=4)


@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_decoding_codes_is_reconstructing_at_any_length(tokenizer, count):
    images = tiny.images(9)[:count]
    codes = tokenizer.encode(images)
    assert codes.shape == (count, 4, 4)
    assert codes.dtype == np.int32
    recons = tokenizer.reconstruct(images)
    assert recons.dtype == np.uint8
    np.testing.assert_array_equal(tokenizer.decode(codes), recons)


@pytest.mark.parametrize("family", ["ibq", "vq_rotation", "fsq"])
def test_decoding_codes_is_reconstructing_in_bfloat16(family):
    # With the sizes at which XLA left out a rounding in one of the two programs.
    config = quickstart.get_config(f"smoke,{family}")
    config.model.dtype = "bfloat16"
    model = build_autoencoder(config.model, channels=3)
    init = jax.jit(functools.partial(model.init, train=False))
    variables = init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, 32, 32, 3), np.uint8)
    tokenizer = Tokenizer(model, variables, chunk_size=64)
    recons = tokenizer.reconstruct(images)
    np.testing.assert_array_equal(tokenizer.decode(tokenizer.encode(images)), recons)


def test_neighbours_in_a_batch_do_not_matter(tokenizer):
    images = tiny.images(9)
    alone = np.concatenate([tokenizer.encode(image[None]) for image in images])
    np.testing.assert_array_equal(tokenizer.encode(images), alone)


def test_one_compilation_serves_all_lengths(tokenizer):
    for count in (1, 3, 4, 5, 9):
        tokenizer.encode(tiny.images(count))
    assert tokenizer._encode._cache_size() == 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 16, 16, 3), np.float32), r"float32 .* give uint8 \[n, h, w, c\]"),
        (np.zeros((16, 16, 3), np.uint8), r"\(16, 16, 3\); give uint8"),
        (np.zeros((1, 16, 16, 1), np.uint8), "1 channels but the model takes 3"),
        (np.zeros((1, 16, 18, 3), np.uint8), "16x18 is not a multiple of the stride 4"),
    ],
)
def test_bad_images_are_named(tokenizer, images, message):
    for method in (tokenizer.encode, tokenizer.reconstruct):
        with pytest.raises(InputError, match=message):
            method.__wrapped__(tokenizer, images)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.full((1, 2, 2), 16), r"\[16, 16\] but the codebook has codes 0 to 15"),
        (np.full((1, 2, 2), -1), r"\[-1, -1\]"),
        (np.zeros((2, 2), np.int32), r"int32 \(2, 2\); decode takes integers"),
    ],
)
def test_bad_codes_are_named(tokenizer, codes, message):
    with pytest.raises(InputError, match=message):
        tokenizer.decode.__wrapped__(tokenizer, codes)


def test_a_model_without_codes_still_reconstructs():
    model = tiny.model("none")
    variables = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)), train=False)
    tokenizer = Tokenizer(model, variables)
    assert tokenizer.reconstruct(tiny.images(2)).shape == (2, 16, 16, 3)
    with pytest.raises(InputError, match="encode: the model has no codes"):
        tokenizer.encode(tiny.images(2))
