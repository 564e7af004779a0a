"""Writes goldens/spectral_patchgan.npz from PyTorch's spectral normalisation.

    pip install -e '.[parity]' && python tests/parity/make_spectral_goldens.py

torch.nn.utils.spectral_norm of PyTorch 2.14.1 (BSD-3) on the convolutions of a patch
discriminator without norms. Weights follow from their names, as in the tests.
"""

import numpy as np
import torch

from vq_jax.testing.goldens import named_weight, save

# out, in, stride; 4x4, one pixel of padding
LAYERS = ((4, 3, 2), (8, 4, 2), (16, 8, 1), (1, 16, 1))


def make_net():
    modules = []
    for i, (out_dim, in_dim, stride) in enumerate(LAYERS):
        conv = torch.nn.Conv2d(in_dim, out_dim, 4, stride=stride, padding=1)
        with torch.no_grad():
            for name, parameter in conv.named_parameters():
                array = named_weight(f"conv_{i}.{name}", tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(array))
        modules += [torch.nn.utils.spectral_norm(conv), torch.nn.LeakyReLU(0.2)]
    return torch.nn.Sequential(*modules[:-1])


def vectors(net):
    """The left singular vectors as the power iteration has them."""
    return {f"u_{i}": net[2 * i].weight_u.clone() for i in range(len(LAYERS))}


def main():
    torch.manual_seed(0)
    net = make_net().train()
    before = {f"before_{k}": v for k, v in vectors(net).items()}
    images = np.random.default_rng(2).uniform(-1, 1, (2, 3, 20, 20))
    x = torch.from_numpy(images.astype(np.float32)).requires_grad_()
    logits = net(x)
    logits.square().sum().backward()
    grads = {f"grad_{i}": net[2 * i].weight_orig.grad for i in range(len(LAYERS))}
    after = {f"after_{k}": v for k, v in vectors(net).items()}
    save(
        "spectral_patchgan",
        images=x,
        logits=logits,
        images_grad=x.grad,
        second_logits=net(x),
        **before,
        **after,
        **grads,
    )


if __name__ == "__main__":
    main()
