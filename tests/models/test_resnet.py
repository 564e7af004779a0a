"""Variations of the residual encoder and decoder; tests/parity has VQGAN's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.models.decoders.resnet import ResnetDecoder
from vq_jax.models.encoders.resnet import ResnetEncoder
from vq_jax.models.heads import IdentityHead
from vq_jax.models.layers import resnet

RNG = np.random.default_rng(0)
SIZES = {
    "base_dim": 32,
    "multipliers": (1, 2),
    "resolution": 16,
    "attention_resolutions": (),
    "features_dim": 8,
    "num_groups": 8,  # with a channel a group, a norm cancels the bias before it
}
# What the tokenizers that came from VQGAN change.
ENCODERS = {
    "ldm_without_attention": {"middle_attention": False},
    "maskgit": {
        "middle_attention": False,
        "shortcut": "output",
        "downsampling": "average",
        "use_bias": False,
        "features_kernel": 1,
    },
    "magvit2": {
        "middle_attention": False,
        "num_middle_blocks": 4,
        "downsampling": "symmetric_conv",
        "use_bias": False,
        "features_kernel": 1,
    },
}
DECODERS = {
    "ldm_without_attention": {"middle_attention": False},
    "maskgit": {
        "middle_attention": False,
        "shortcut": "output",
        "use_bias": False,
        "post_quant": False,
    },
    "magvit2": {
        "middle_attention": False,
        "num_middle_blocks": 4,
        "upsampling": "depth_to_space",
        "adaptive_norm": True,
        "use_bias": False,
        "post_quant": False,
    },
}


def _array(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


@pytest.mark.parametrize("case", ENCODERS)
def test_variations_of_encoder_and_decoder(case):
    encoder = ResnetEncoder(**SIZES, **ENCODERS[case])
    decoder = ResnetDecoder(out_channels=3, **SIZES, **DECODERS[case])
    images = _array(2, 16, 8, 3)
    for module, x, shape in (
        (encoder, images, (2, 8, 4, 8)),
        (decoder, _array(2, 8, 4, 8), (2, 16, 8, 3)),
    ):
        variables = module.init(jax.random.key(0), x, train=False)

        def loss(params, x, module=module):
            out = module.apply({"params": params}, x, train=False)
            return jnp.sum(out**2), out

        grads, out = jax.grad(loss, has_aux=True)(variables["params"], x)
        assert out.shape == shape
        assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(grads))
        biased = {
            "/".join(key.key for key in path[:-1])
            for path, _ in jax.tree_util.tree_leaves_with_path(variables["params"])
            if path[-1].key == "bias"
        }
        blocks = {name for name in biased if name.endswith(("conv1", "nin_shortcut"))}
        assert bool(blocks) == (case == "ldm_without_attention")


def test_attention_is_placed_by_the_nominal_resolution():
    encoder = ResnetEncoder(**{**SIZES, "attention_resolutions": (8,)})
    for size in (16, 32):  # 8x8 and 16x16 features at that level
        shapes = jax.eval_shape(
            lambda key, s=size: encoder.init(key, jnp.zeros((1, s, s, 3)), train=False),
            jax.random.key(0),
        )
        names = {name for name in shapes["params"] if "attn" in name}
        assert names == {"down_1_attn_0", "down_1_attn_1"}


def _both_passes(kind, resolutions, **fields):
    """Parameters, their loss and gradients as a compiled function, and its arguments.

    Two levels of 16 and 8 px, with two residual blocks each.
    """
    fields = {**SIZES, "num_res_blocks": 2, "remat_resolutions": resolutions, **fields}
    if kind == "encoder":
        module, x = ResnetEncoder(**fields), _array(2, 16, 16, 3)
    else:
        module, x = ResnetDecoder(out_channels=3, **fields), _array(2, 8, 8, 8)
    params = module.init(jax.random.key(0), x, train=False)["params"]

    def total(params, x):
        rngs = {"dropout": jax.random.key(1)}
        y = module.apply({"params": params}, x, train=True, rngs=rngs)
        return jnp.sum(jnp.sin(y))

    return params, jax.jit(jax.value_and_grad(total, argnums=(0, 1))), (params, x)


@pytest.mark.parametrize("resolutions", [(16,), (16, 8)])
@pytest.mark.parametrize(
    ("kind", "fields"),
    [("encoder", {}), ("decoder", {}), ("decoder", {"adaptive_norm": True})],
    ids=str,
)
def test_what_is_computed_again_is_the_same(kind, fields, resolutions):
    fields = {"dropout": 0.5, "attention_resolutions": (8,), **fields}
    kept, plain, arguments = _both_passes(kind, (), **fields)
    params, again, _ = _both_passes(kind, resolutions, **fields)
    jax.tree.map(np.testing.assert_array_equal, params, kept)
    for ours, theirs in zip(
        jax.tree.leaves(again(*arguments)),
        jax.tree.leaves(plain(*arguments)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_the_gradient_of_the_last_map_is_stored_where_levels_are_computed_again():
    def barriers(*resolutions):
        _, passes, arguments = _both_passes("decoder", resolutions)
        return passes.lower(*arguments).as_text().count("optimization_barrier")

    # One for each block that is computed again: all but the last one at 16 px.
    assert (barriers(), barriers(8), barriers(16)) == (0, 2, 1 + 1)


# The encoder: the very first convolution, that of a shortcut at 8 px, and of two blocks
# all but the last one, whose result no gradient needs. The decoder: the first one of
# each block but of the last at 16 px; and where the shortcut at 16 px is applied to the
# output, the second one.
@pytest.mark.parametrize(
    ("kind", "shortcut", "at_16", "at_8"),
    [
        ("encoder", "input", 4, 4),
        ("encoder", "output", 4, 4),
        ("decoder", "input", 1, 2),
        ("decoder", "output", 2, 2),
    ],
)
def test_convolutions_are_computed_again_and_sums_are_not(kind, shortcut, at_16, at_8):
    def operations(*resolutions):
        _, passes, arguments = _both_passes(kind, resolutions, shortcut=shortcut)
        text = passes.lower(*arguments).as_text()
        return text.count("stablehlo.convolution("), text.count("stablehlo.reduce(")

    convolutions, sums = operations()
    assert operations(16) == (convolutions + at_16, sums)
    assert operations(8) == (convolutions + at_8, sums)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_only_resolutions_of_a_level_can_be_computed_again(kind):
    with pytest.raises(InputError, match=r"remat_resolutions.*12.*16, 8"):
        _both_passes(kind, (16, 12))


def test_the_shortcut_sees_the_input_or_the_output():
    x = _array(1, 4, 4, 32)
    for shortcut, channels in (("input", 32), ("output", 64)):
        block = resnet.ResnetBlock(64, shortcut=shortcut)
        params = block.init(jax.random.key(0), x, train=False)["params"]
        assert params["nin_shortcut"]["kernel"].shape == (1, 1, channels, 64)


def test_attention_follows_its_definition():
    x = _array(2, 3, 4, 32)
    block = resnet.AttentionBlock()
    params = block.init(jax.random.key(1), x)["params"]
    found = block.apply({"params": params}, x)
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    flat = np.asarray(x, np.float64).reshape(2, 12, 32)
    # 32 groups of one channel
    normed = (flat - flat.mean(1, keepdims=True)) / np.sqrt(
        flat.var(1, keepdims=True) + 1e-6
    )
    normed = normed * wide["norm"]["scale"] + wide["norm"]["bias"]

    def linear(name, y):
        return y @ wide[name]["kernel"][0, 0] + wide[name]["bias"]

    q, k, v = (linear(name, normed) for name in "qkv")
    scores = q @ k.swapaxes(1, 2) / np.sqrt(32)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    expected = flat + linear("proj_out", weights @ v)
    np.testing.assert_allclose(found.reshape(2, 12, 32), expected, rtol=1e-4, atol=1e-5)


def test_depth_to_space_shuffles_rows_then_columns_then_channels():
    module = resnet.Upsample("depth_to_space")
    x = _array(1, 2, 2, 3)
    params = module.init(jax.random.key(0), x)["params"]
    conv = params["conv"]
    y = jax.lax.conv_general_dilated(
        x, conv["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    y = y + conv["bias"].reshape(1, 1, 1, -1)
    found = module.apply({"params": params}, x)
    for i in range(2):
        for j in range(2):
            first = (2 * i + j) * 3
            expected = y[..., first : first + 3]
            np.testing.assert_allclose(found[:, i::2, j::2], expected, rtol=1e-5)


def test_biases_and_kernels_are_initialised_as_in_pytorch():
    module = ResnetEncoder(**SIZES)
    variables = module.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)), train=False)
    conv = variables["params"]["conv_out"]
    bound = 1 / np.sqrt(64 * 9)
    for leaf in (conv["kernel"], conv["bias"]):
        assert 0.5 * bound < np.abs(leaf).max() <= bound
    np.testing.assert_allclose(np.std(conv["kernel"]), bound / np.sqrt(3), rtol=0.05)


def test_dropout_is_for_training_only():
    module = resnet.ResnetBlock(32, dropout=0.5)
    x = _array(1, 4, 4, 32)
    params = module.init(jax.random.key(0), x, train=False)

    def out(seed, train):
        return module.apply(
            params, x, train=train, rngs={"dropout": jax.random.key(seed)}
        )

    np.testing.assert_array_equal(out(0, False), out(1, False))
    assert not np.array_equal(out(0, True), out(1, True))


def test_channels_that_the_groups_do_not_divide_are_an_error():
    module = ResnetEncoder(**{**SIZES, "base_dim": 12})
    with pytest.raises(InputError, match="12 channels do not divide into num_groups"):
        module.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)), train=False)


def test_the_identity_head_needs_the_dimension_of_the_codes():
    head = IdentityHead(code_dim=4)
    x = _array(1, 2, 2, 4)
    np.testing.assert_array_equal(head.apply({}, x, train=False).z_e, x)
    with pytest.raises(InputError, match="codes have 4 channels; set features_dim"):
        head.apply({}, _array(1, 2, 2, 8), train=False)
