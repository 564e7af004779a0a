import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import quickstart
from configs.parts.quantizers import QUANTIZERS
from vq_jax import InputError, Tokenizer
from vq_jax.inference import tokenizer as tokenizing
from vq_jax.models.build import build_autoencoder
from vq_jax.sharding import make_mesh
from vq_jax.testing import tiny
from vq_jax.testing.runs import initialise_run


@pytest.fixture(scope="module", params=["vq", "vq_ema"])
def tokenizer(request):
    model = tiny.model(request.param)
    variables = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)), train=False)
    return Tokenizer(model, variables, chunk_size=4, mesh=_one_device())


def _one_device():
    return make_mesh(data=1, fsdp=1, devices=jax.devices()[:1])


@pytest.mark.parametrize("count", [0, 3, 70])
def test_many_devices_encode_what_one_does(tokenizer, count):
    many = Tokenizer(tokenizer.model, tokenizer.variables, chunk_size=4)
    assert many.most_at_once(16, 16) == 4 * len(jax.devices())
    images = tiny.images(70)[:count]
    np.testing.assert_array_equal(many.encode(images), tokenizer.encode(images))
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.most_at_once(16, 16) == many.most_at_once(16, 16)
    np.testing.assert_array_equal(copy.encode(images), tokenizer.encode(images))


@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_decoding_codes_is_reconstructing_at_any_length(tokenizer, count):
    images = tiny.images(9)[:count]
    codes = tokenizer.encode(images)
    assert codes.shape == (count, 4, 4)
    assert codes.dtype == np.int32
    recons = tokenizer.reconstruct(images)
    assert recons.dtype == np.uint8
    np.testing.assert_array_equal(tokenizer.decode(codes), recons)


@pytest.mark.parametrize(
    ("variant", "size", "count"),
    [
        *(("smoke,ibq", 32, 64), ("smoke,vq_rotation", 32, 64)),
        *(("vq_rotation", 64, 1), ("vq_rotation", 32, 16)),
    ],
)
def test_decoding_codes_is_reconstructing_in_bfloat16(variant, size, count):
    # With the sizes at which XLA left out a rounding in one of the programs.
    config = quickstart.get_config(variant)
    config.model.dtype = "bfloat16"
    model = build_autoencoder(config.model, channels=3)
    init = jax.jit(functools.partial(model.init, train=False))
    variables = init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3), np.uint8)
    tokenizer = Tokenizer(model, variables, chunk_size=64)
    recons = tokenizer.reconstruct(images)
    np.testing.assert_array_equal(tokenizer.decode(tokenizer.encode(images)), recons)


@pytest.mark.slow
@pytest.mark.parametrize("family", [name for name in QUANTIZERS if name != "none"])
def test_every_family_decodes_to_its_reconstruction_in_optimised_bfloat16(
    family, as_users
):
    config = quickstart.get_config(f"{family},smoke")
    config.model.dtype = "bfloat16"
    model = build_autoencoder(config.model, channels=3)
    init = jax.jit(functools.partial(model.init, train=False))
    variables = init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.integers(0, 256, (64, 32, 32, 3), np.uint8))
    encode, decode, reconstruct = (
        as_users(functools.partial(function, model))
        for function in (tokenizing.encode, tokenizing.decode, tokenizing.reconstruct)
    )
    found = decode(variables, encode(variables, images))
    np.testing.assert_array_equal(found, reconstruct(variables, images))


def test_neighbours_in_a_batch_do_not_matter(tokenizer):
    images = tiny.images(9)
    alone = np.concatenate([tokenizer.encode(image[None]) for image in images])
    np.testing.assert_array_equal(tokenizer.encode(images), alone)


@pytest.fixture
def computed(tokenizer, monkeypatch):
    """(another tokenizer of this model, the shapes of images that it computes)."""
    shapes = set()

    def encode(model, variables, images):
        shapes.add(images.shape[:3])
        return jnp.zeros((len(images), 1, 1), jnp.int32)

    monkeypatch.setattr(tokenizing, "encode", encode)
    mesh = _one_device()
    return Tokenizer(tokenizer.model, tokenizer.variables, mesh=mesh), shapes


def test_few_shapes_are_compiled_whatever_the_length(computed):
    other, shapes = computed
    for count in (1, 3, 5, 8, 9, 31, 33, 70):
        other.encode(np.zeros((count, 4, 4, 3), np.uint8))
    assert shapes == {(n, 4, 4) for n in (1, 4, 8, 16, 32, 64, 128)}


def test_few_large_images_are_computed_at_once(computed, monkeypatch):
    other, shapes = computed
    monkeypatch.setattr(tokenizing, "MAX_PIXELS", 3 * 16 * 16)
    other.encode(tiny.images(7))
    other.encode(tiny.images(2, size=32))
    assert shapes == {(3, 16, 16), (1, 16, 16), (1, 32, 32)}


def test_a_pickled_tokenizer_gives_the_same_codes(tokenizer):
    images = tiny.images(2)
    codes = tokenizer.encode(images)
    np.testing.assert_array_equal(
        tokenizer.decode(codes), tokenizer.reconstruct(images)
    )
    copy = pickle.loads(pickle.dumps(tokenizer))
    np.testing.assert_array_equal(copy.encode(images), codes)
    assert copy._chunk_size == tokenizer._chunk_size


def test_the_functions_compile_within_other_programs(tokenizer):
    images = jnp.asarray(tiny.images(4))
    model = tokenizer.model
    encode, decode, reconstruct = (
        functools.partial(function, model)
        for function in (tokenizing.encode, tokenizing.decode, tokenizing.reconstruct)
    )

    @jax.jit
    def program(variables, images):
        codes = jax.vmap(encode, (None, 0))(variables, images[:, None])
        return codes, decode(variables, codes[:, 0].astype(jnp.uint16))

    codes, recons = program(tokenizer.variables, images)
    np.testing.assert_array_equal(codes[:, 0], tokenizer.encode(np.asarray(images)))
    recons_at_once = jax.jit(reconstruct)(tokenizer.variables, images)
    np.testing.assert_array_equal(recons, recons_at_once)


def test_a_traced_call_names_the_function_to_use(tokenizer):
    traced = jax.jit(functools.partial(tokenizer.encode.__wrapped__, tokenizer))
    with pytest.raises(InputError, match=r"call .* as encode\(tokenizer.model"):
        traced(tiny.images(1))


def test_lists_of_one_size_are_batches_and_others_are_refused(tokenizer):
    images = tiny.images(3)
    codes = tokenizer.encode(images)
    np.testing.assert_array_equal(tokenizer.encode(list(images)), codes)
    sizes = r"several shapes, as \(8, 16, 3\) and \(16, 16, 3\)"
    for method in (tokenizer.encode, tokenizer.reconstruct):
        with pytest.raises(InputError, match=f"images have {sizes}"):
            method.__wrapped__(tokenizer, [images[0], images[1, :8]])
    with pytest.raises(InputError, match="codes have several shapes"):
        tokenizer.decode([codes[0], codes[1, :2]])


@pytest.mark.parametrize("chunk_size", [0, -4])
def test_a_chunk_has_an_image_at_least(tokenizer, chunk_size):
    with pytest.raises(InputError, match=rf"chunk_size={chunk_size} must be in \[1"):
        Tokenizer(tokenizer.model, tokenizer.variables, chunk_size=chunk_size)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 16, 16, 3), np.float32), r"float32 .* give uint8 \[n, h, w, c\]"),
        (np.zeros((16, 16, 3), np.uint8), r"\(16, 16, 3\); give uint8"),
        (np.zeros((1, 16, 16, 1), np.uint8), "1 channels but the model takes 3"),
        (np.zeros((1, 16, 18, 3), np.uint8), "16x18 is not a multiple of the stride 4"),
        (np.zeros((2, 0, 16, 3), np.uint8), "0x16 is not a multiple of the stride 4"),
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


def test_batches_are_encoded_one_by_one_as_they_are_alone(tokenizer):
    batches = [tiny.images(n, seed=n) for n in (5, 0, 9, 1)]
    found = [*tokenizer.encode_each(batches)]
    assert [len(codes) for codes in found] == [5, 0, 9, 1]
    for codes, images in zip(found, batches, strict=True):
        np.testing.assert_array_equal(codes, tokenizer.encode(images))


@pytest.mark.parametrize("count", [1, 4])
def test_the_devices_have_the_next_images_before_codes_are_fetched(
    tokenizer, count, monkeypatch
):
    events = []
    fetch = np.asarray

    def asarray(array, *args, **kwargs):
        if isinstance(array, jax.Array):
            events.append("fetch")
        return fetch(array, *args, **kwargs)

    def batches():
        for batch in range(3):
            events.append("send")
            yield tiny.images(count, seed=batch)

    monkeypatch.setattr(np, "asarray", asarray)
    for _ in tokenizer.encode_each(batches()):
        events.append("codes")
    assert events == [
        *("send", "send", "fetch", "codes"),
        *("send", "fetch", "codes", "fetch", "codes"),
    ]


def test_a_run_is_loaded_in_the_dtype_that_is_asked_for(tmp_path):
    initialise_run(quickstart.get_config("smoke"), tmp_path)
    images = tiny.images(4, size=32)
    usual, half = (
        Tokenizer.load(tmp_path, dtype=dtype) for dtype in (None, "bfloat16")
    )
    assert usual.model.encoder.dtype == "float32"
    assert half.model.encoder.dtype == "bfloat16"
    assert half.encode(images).shape == usual.encode(images).shape
    np.testing.assert_array_equal(
        half.decode(half.encode(images)), half.reconstruct(images)
    )
    with pytest.raises(InputError, match=r"config\.model\.dtype='float16'"):
        Tokenizer.load(tmp_path, dtype="float16")
