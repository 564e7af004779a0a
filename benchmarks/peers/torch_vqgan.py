"""VQGAN's architecture and its two updates in PyTorch, to time ours against.

A restatement of what the paper and its released code compute (2012.09841v3, table 7 and
eq. 6): the residual encoder and decoder with attention, the straight-through nearest
code, the patch discriminator with BatchNorm, the hinge loss and the adaptive weight. As
there, a step of generator and discriminator reconstructs the batch twice, once for
each. Only what costs time is here: no perceptual net, no logs.
"""

import dataclasses

import torch
from torch import nn
from torch.nn import functional


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of the model and its images."""

    resolution: int = 256
    base_dim: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    num_res_blocks: int = 2
    attention_resolution: int = 16
    code_dim: int = 256
    codebook_size: int = 1_024

    @property
    def levels(self) -> range:
        return range(len(self.multipliers))

    def attends(self, level: int) -> bool:
        return self.resolution >> level == self.attention_resolution

    def channels(self, level: int) -> int:
        return self.base_dim * self.multipliers[level]


class Block(nn.Module):
    """A residual block."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = nn.Sequential(_norm(inputs), nn.SiLU(), _conv(inputs, outputs))
        self.second = nn.Sequential(_norm(outputs), nn.SiLU(), _conv(outputs, outputs))
        same = inputs == outputs
        self.shortcut = nn.Identity() if same else _conv(inputs, outputs, 1)

    def forward(self, x):
        return self.shortcut(x) + self.second(self.first(x))


class Attention(nn.Module):
    """Self-attention of one head over all positions."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = _norm(channels)
        self.query, self.key, self.value, self.out = (
            _conv(channels, channels, 1) for _ in range(4)
        )

    def forward(self, x):
        normed = self.norm(x)
        query, key, value = (
            project(normed).flatten(2).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        return x + self.out(attended.transpose(1, 2).unflatten(2, x.shape[2:]))


class Downsample(nn.Module):
    """A convolution of stride 2, padded at the right and the bottom."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class Autoencoder(nn.Module):
    """Images in [-1, 1], [b, 3, h, w], to their reconstructions and the latent loss."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.encoder = nn.Sequential(*_encoder(sizes))
        self.codebook = nn.Embedding(sizes.codebook_size, sizes.code_dim)
        bound = 1 / sizes.codebook_size
        nn.init.uniform_(self.codebook.weight, -bound, bound)
        self.decoder = nn.Sequential(*_decoder(sizes))

    def forward(self, images):
        z_e = self.encoder(images)
        z_q, loss = self.quantize(z_e)
        return self.decoder(z_q), loss

    def encode(self, images):
        """Codes [n], in the order of [b, h, w]."""
        return self.nearest(self.encoder(images))[1]

    def quantize(self, z_e):
        flat, indices = self.nearest(z_e)
        chosen = self.codebook(indices)
        loss = functional.mse_loss(chosen.detach(), flat)
        loss = loss + 0.25 * functional.mse_loss(chosen, flat.detach())
        z_q = flat + (chosen - flat).detach()
        batch, channels, height, width = z_e.shape
        return z_q.view(batch, height, width, channels).permute(0, 3, 1, 2), loss

    def nearest(self, z_e):
        flat = z_e.permute(0, 2, 3, 1).reshape(-1, z_e.shape[1])
        codes = self.codebook.weight
        squares = (flat**2).sum(1, keepdim=True) + (codes**2).sum(1)
        return flat, torch.argmin(squares - 2 * flat @ codes.t(), dim=1)


def discriminator(base_dim: int = 64, num_layers: int = 3) -> nn.Sequential:
    """The patch discriminator."""
    layers = [nn.Conv2d(3, base_dim, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    inputs = base_dim
    for i in range(1, num_layers + 1):
        outputs = base_dim * min(2**i, 8)
        stride = 2 if i < num_layers else 1
        layers += [
            nn.Conv2d(inputs, outputs, 4, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2, True),
        ]
        inputs = outputs
    return nn.Sequential(*layers, nn.Conv2d(inputs, 1, 4, 1, 1))


class VaeStep:
    """An update of the autoencoder: L1 and the latent loss, Adam."""

    def __init__(self, model: Autoencoder):
        self.model = model
        self.optim = _adam(model)

    def __call__(self, images):
        recon, latent = self.model(images)
        loss = (recon - images).abs().mean() + latent
        self.optim.zero_grad(set_to_none=True)
        loss.backward()
        self.optim.step()
        return loss


class GanStep:
    """An update of the autoencoder, and then one of the discriminator."""

    def __init__(self, model: Autoencoder, critic: nn.Module):
        self.model, self.critic = model, critic
        self.optim, self.critic_optim = _adam(model), _adam(critic)

    def __call__(self, images):
        recon, latent = self.model(images)
        image = (recon - images).abs().mean()
        adversarial = -self.critic(recon).mean()
        weight = self._adaptive_weight(image, adversarial)
        loss = image + latent + 0.8 * weight * adversarial
        self.optim.zero_grad(set_to_none=True)
        loss.backward()
        self.optim.step()

        recon, _ = self.model(images)
        real, fake = self.critic(images), self.critic(recon.detach())
        hinge = functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
        self.critic_optim.zero_grad(set_to_none=True)
        (0.5 * hinge).backward()
        self.critic_optim.step()
        return loss

    def _adaptive_weight(self, image, adversarial):
        last = self.model.decoder[-1].weight
        norms = [
            torch.autograd.grad(loss, last, retain_graph=True)[0].norm()
            for loss in (image, adversarial)
        ]
        return (norms[0] / (norms[1] + 1e-4)).clamp(0, 1e4).detach()


def _encoder(sizes: Sizes):
    yield _conv(3, sizes.base_dim)
    channels = sizes.base_dim
    for level in sizes.levels:
        for _ in range(sizes.num_res_blocks):
            yield Block(channels, sizes.channels(level))
            channels = sizes.channels(level)
            if sizes.attends(level):
                yield Attention(channels)
        if level != sizes.levels[-1]:
            yield Downsample(channels)
    yield from _middle(channels)
    yield from (_norm(channels), nn.SiLU(), _conv(channels, sizes.code_dim))
    yield _conv(sizes.code_dim, sizes.code_dim, 1)


def _decoder(sizes: Sizes):
    channels = sizes.channels(sizes.levels[-1])
    yield _conv(sizes.code_dim, sizes.code_dim, 1)
    yield _conv(sizes.code_dim, channels)
    yield from _middle(channels)
    for level in reversed(sizes.levels):
        for _ in range(sizes.num_res_blocks + 1):
            yield Block(channels, sizes.channels(level))
            channels = sizes.channels(level)
            if sizes.attends(level):
                yield Attention(channels)
        if level:
            yield nn.Upsample(scale_factor=2, mode="nearest")
            yield _conv(channels, channels)
    yield from (_norm(channels), nn.SiLU(), _conv(channels, 3))


def _middle(channels: int):
    return Block(channels, channels), Attention(channels), Block(channels, channels)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)


def _conv(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


def _adam(module: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=4.5e-6, betas=(0.5, 0.9))
