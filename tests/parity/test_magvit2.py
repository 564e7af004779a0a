"""The residual encoder and decoder against Open-MAGVIT2's, which change VQGAN's.

Goldens are float32 on a CPU; sums in another order differ by 1e-6 to 1e-5.
"""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from vq_jax.models.decoders.resnet import ResnetDecoder
from vq_jax.models.encoders.resnet import ResnetEncoder
from vq_jax.testing.goldens import load, named_weight

SHARED = {
    "base_dim": 4,
    "multipliers": (1, 2),
    "num_res_blocks": 2,
    "attention_resolutions": (),
    "middle_attention": False,
    "num_middle_blocks": 2,
    "features_dim": 4,
    "use_bias": False,
    "num_groups": 2,  # as in the goldens
}
# Their names of parameters, and ours.
NAMES = (
    (r"^(down|up)\.(\d+)\.block\.(\d+)\.", r"\1_\2_block_\3."),
    (r"^down\.(\d+)\.downsample\.", r"down_\1_downsample.conv."),
    (r"^up\.(\d+)\.upsample\.conv1\.", r"up_\1_upsample.conv."),
    (r"^adaptive\.(\d+)\.", r"up_\1_adaptive."),
)


def _params(golden):
    params = {}
    for name, shape in json.loads(str(golden["shapes"])).items():
        array = named_weight(name, tuple(shape))
        for pattern, replacement in NAMES:
            name = re.sub(pattern, replacement, name)
        middle = re.match(r"mid_block\.(\d+)\.", name)
        if middle:
            block = f"mid.block_{int(middle[1]) + 1}."
            name = block + name.removeprefix(middle[0])
        if array.ndim == 1:
            name = name.replace(".weight", ".scale")
        else:
            # Linear maps are 1x1 convolutions here.
            array = array.reshape(*array.shape[:2], *(array.shape[2:] or (1, 1)))
            array, name = array.transpose(2, 3, 1, 0), name.replace("weight", "kernel")
        params[name] = jnp.asarray(array)
    return unflatten_dict(params, sep=".")


def _check(module, golden):
    inputs = jnp.asarray(np.moveaxis(golden["inputs"], 1, -1))
    params = _params(golden)
    own = module.init(jax.random.key(0), inputs, train=False)["params"]
    assert flatten_dict(own).keys() == flatten_dict(params).keys()
    found = module.apply({"params": params}, inputs, train=False)
    wanted = np.moveaxis(golden["outputs"], 1, -1)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_encoder():
    module = ResnetEncoder(downsampling="symmetric_conv", features_kernel=1, **SHARED)
    _check(module, load("magvit2_encoder"))


def test_decoder():
    module = ResnetDecoder(
        out_channels=3,
        post_quant=False,
        upsampling="depth_to_space",
        adaptive_norm=True,
        **SHARED,
    )
    _check(module, load("magvit2_decoder"))
