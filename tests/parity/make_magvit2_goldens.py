"""Writes goldens/magvit2_{encoder,decoder}.npz from Open-MAGVIT2's released code.

    git clone https://github.com/TencentARC/SEED-Voken DIR
    pip install -e '.[parity]' && python tests/parity/make_magvit2_goldens.py DIR

TencentARC/SEED-Voken at b9a17eac8e2c0779c12a5429b0bfd6c502788484 (Apache-2.0). Its
modules run as they are, but with 2 groups in place of 32 in GroupNorm. Weights follow
from their names, as in the tests.
"""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import torch

from vq_jax.testing.goldens import named_weight, save

FILE = "src/Open_MAGVIT2/modules/diffusionmodules/improved_model.py"
SIZES = {
    "ch": 4,
    "out_ch": 3,
    "in_channels": 3,
    "num_res_blocks": 2,
    "z_channels": 4,
    "ch_mult": (1, 2),
    "resolution": 16,
}


def load(folder):
    """The module of FILE, which needs nothing else of its package."""
    spec = importlib.util.spec_from_file_location("magvit2", pathlib.Path(folder, FILE))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(name, net, shape):
    shapes = {}
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            shapes[key] = tuple(parameter.shape)
            parameter.copy_(torch.from_numpy(named_weight(key, shapes[key])))
    inputs = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    outputs = net(torch.from_numpy(inputs))
    save(name, inputs=inputs, outputs=outputs, shapes=json.dumps(shapes))


if __name__ == "__main__":
    group_norm = torch.nn.GroupNorm

    def two_groups(num_groups=32, num_channels=None, **options):
        return group_norm(2, num_channels, **options)

    torch.nn.GroupNorm = two_groups
    magvit2 = load(sys.argv[1])
    write("magvit2_encoder", magvit2.Encoder(**SIZES), (2, 3, 15, 12))
    write("magvit2_decoder", magvit2.Decoder(**SIZES), (2, 4, 8, 6))
