"""Writes goldens/vqgan_*.npz from VQGAN's released code.

    git clone https://github.com/CompVis/taming-transformers DIR
    pip install -e '.[parity]' && python tests/parity/make_vqgan_goldens.py DIR

CompVis/taming-transformers at 3ba01b241669f5ade541ce990f7650a3b8f65318 (MIT). Its
modules run as they are, but with 2 groups in place of 32 in GroupNorm, so that a model
is small enough to keep. Weights before the step follow from their names, as in the
tests.
"""

import json
import sys
import types

import numpy as np
import torch

from vq_jax.testing.goldens import named_weight, save

MODEL = {
    "ch": 4,
    "out_ch": 3,
    "ch_mult": (1, 2),
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
    "z_channels": 4,
    "double_z": False,
}
CODES, CODE_DIM = 8, 4
LEARNING_RATE = 1e-2


def images(seed, size=(16, 16)):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (2, 3, *size)).astype(np.float32)


def fill(module, prefix=""):
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(
                torch.from_numpy(named_weight(prefix + name, parameter.shape))
            )
    return module


def arrays(module, prefix=""):
    return {
        prefix + k: v.detach().numpy().copy() for k, v in module.state_dict().items()
    }


class Autoencoder(torch.nn.Module):
    """VQModel without pytorch-lightning."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = model.Encoder(**MODEL), model.Decoder(**MODEL)
        self.quantize = quantize.VectorQuantizer2(CODES, CODE_DIM, beta=0.25)
        self.quant_conv = torch.nn.Conv2d(MODEL["z_channels"], CODE_DIM, 1)
        self.post_quant_conv = torch.nn.Conv2d(CODE_DIM, MODEL["z_channels"], 1)

    def forward(self, x):
        z_e = self.quant_conv(self.encoder(x))
        z_q, loss, (_, _, indices) = self.quantize(z_e)
        return self.decoder(self.post_quant_conv(z_q)), loss, indices


def small_gradients(module, prefix=""):
    """Where a gradient is rounding alone, and so Adam's first step of any sign."""
    grads = {name: p.grad for name, p in module.named_parameters()}
    largest = max(grad.abs().max() for grad in grads.values())
    return {
        f"{prefix}{k}": (g.abs() < 1e-5 * largest).numpy() for k, g in grads.items()
    }


def packed(kind, values):
    """One array for all, with names and shapes: hundreds of files take more room."""
    return {
        f"{kind}_index": json.dumps({k: v.shape for k, v in values.items()}),
        kind: np.concatenate([v.ravel() for v in values.values()]),
    }


def write_models():
    encoder = fill(model.Encoder(**MODEL), "encoder.")
    for name, size in (("even", (16, 16)), ("odd", (15, 13))):
        x = torch.from_numpy(images(0, size))
        features, first = x, []
        encoder.conv_in.register_forward_hook(lambda *a, kept=first: kept.append(a[2]))
        features = encoder(x)
        save(f"vqgan_encoder_{name}", images=x, conv_in=first[0], features=features)
    decoder = fill(model.Decoder(**MODEL), "decoder.")
    z = torch.from_numpy(images(1, (8, 8))[:, [0, 1, 2, 0]])
    save("vqgan_decoder", z=z, outputs=decoder(z))


def write_discriminator():
    net = fill(discriminator.NLayerDiscriminator(3, ndf=4, n_layers=2), "disc.")
    x = torch.from_numpy(images(2, (20, 20))).requires_grad_()
    logits = net.train()(x)
    logits.square().sum().backward()
    stats = {k: v for k, v in arrays(net).items() if "running" in k}
    evaluated = net.eval()(x)
    save(
        "vqgan_patchgan",
        images=x,
        logits=logits,
        images_grad=x.grad,
        evaluated=evaluated,
        **stats,
    )


def write_step():
    """Two iterations of VQModel.training_step, without the perceptual loss."""
    vqgan = fill(Autoencoder())
    disc = fill(discriminator.NLayerDiscriminator(3, ndf=4, n_layers=2), "disc.")
    criterion = types.SimpleNamespace(discriminator_weight=0.8)
    adaptive_weight = vqperceptual.VQLPIPSWithDiscriminator.calculate_adaptive_weight
    opt_g, opt_d = (
        torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.9))
        for net in (vqgan, disc)
    )
    uint8 = np.random.default_rng(3).integers(0, 256, (2, 16, 16, 3), np.uint8)
    x = torch.from_numpy(uint8.transpose(0, 3, 1, 2) / np.float32(127.5) - 1)
    disc.train()
    recon, codebook_loss, indices = vqgan(x)
    nll = torch.abs(x - recon).mean()
    g_loss = -torch.mean(disc(recon))
    last = vqgan.decoder.conv_out.weight
    weight = adaptive_weight(criterion, nll, g_loss, last_layer=last)
    loss = nll + weight * g_loss + codebook_loss
    opt_g.zero_grad()
    loss.backward()
    small = small_gradients(vqgan)
    opt_g.step()
    # The second pass of the reference: with the updated generator.
    recon_updated, _, _ = vqgan(x)
    real, fake = disc(x), disc(recon_updated.detach())
    d_loss = vqperceptual.hinge_d_loss(real, fake)
    opt_d.zero_grad()
    d_loss.backward()
    small |= small_gradients(disc, "disc.")
    opt_d.step()
    save(
        "vqgan_step",
        uint8=uint8,
        recon=recon,
        indices=indices,
        nll=nll,
        g_loss=g_loss,
        codebook_loss=codebook_loss,
        adaptive_weight=weight / 0.8,
        d_loss=d_loss,
        logits_real=real.mean(),
        logits_fake=fake.mean(),
        **packed("small", small),
        **packed("after", arrays(vqgan) | arrays(disc, "disc.")),
    )


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    # What the loss imports for LPIPS, which is not used here.
    for name in ("torchvision", "requests"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision"].models = types.ModuleType("models")
    from taming.modules.diffusionmodules import model
    from taming.modules.discriminator import model as discriminator
    from taming.modules.losses import vqperceptual
    from taming.modules.vqvae import quantize

    model.Normalize = lambda channels: torch.nn.GroupNorm(2, channels, eps=1e-6)
    torch.manual_seed(0)
    write_models()
    write_discriminator()
    write_step()
