"""Writes goldens/*.npz from the original implementations.

    pip install -e '.[parity]' && python tests/parity/make_quantizer_goldens.py

vector-quantize-pytorch 1.32.0 (https://github.com/lucidrains/vector-quantize-pytorch,
MIT) for most; Gumbel, index backpropagation and VAR's scales by their papers' formulas
in PyTorch autograd, big_vision's splitting rule in NumPy, since those projects have no
packages that install beside it; `interpolate` is PyTorch's.
Cases with a cotangent w have z_grad, the gradient of sum(w · z_q) + loss.
"""

import numpy as np
import torch
import torch.nn.functional as F
import vector_quantize_pytorch as lucid
from vector_quantize_pytorch.vector_quantize_pytorch import (
    directional_reparam,
    orthogonal_loss_fn,
)

from vq_jax.testing.goldens import save

DIM, SIZE = 6, 16
BY_GRADIENT = {"learnable_codebook": True, "ema_update": False}


def tensor(*shape, scale=1.0):
    return (scale * torch.randn(*shape)).requires_grad_()


def run(name, module, dim, *, size=SIZE, params=None, **extra):
    """One training pass of `module`, with gradients of z and of `params`."""
    z, w = tensor(2, size, dim), torch.randn(2, size, dim)
    before = {key: value.detach().clone() for key, value in (params or {}).items()}
    out = module(z)
    loss = out[2].sum() if len(out) > 2 else torch.zeros(())
    if len(out) == 2 or not out[0].requires_grad:
        loss = loss + 0.0
    ((out[0] * w).sum() + loss).backward()
    grads = {
        f"{key}_grad": value.grad
        for key, value in (params or {}).items()
        if value.grad is not None
    }
    save(
        name,
        z=z,
        w=w,
        z_q=out[0],
        indices=out[1],
        loss=loss,
        losses=out[2] if len(out) > 2 else loss,
        z_grad=z.grad,
        **before,
        **grads,
        **extra,
    )


def vector_quantize(**options):
    module = lucid.VectorQuantize(
        dim=DIM, codebook_size=SIZE, **{"rotation_trick": False, **options}
    )
    codes = torch.randn(1, SIZE, DIM)
    if options.get("use_cosine_sim"):
        codes = F.normalize(codes, dim=-1)
    module._codebook.embed.data.copy_(codes)
    module._codebook.embed_avg.data.copy_(codes)
    return module


def vectors():
    for name, options in {
        "vq": {},
        "vq_rotation": {"rotation_trick": True},
    }.items():
        module = vector_quantize(**BY_GRADIENT, **options)
        run(name, module, DIM, params={"codes": module._codebook.embed})
    for name, options in {
        "vq_ema": {},
        "vq_ema_cosine": {"use_cosine_sim": True},
    }.items():
        module = vector_quantize(decay=0.8, eps=1e-12, **options)
        before = module._codebook.embed.detach().clone()
        z, w = tensor(2, SIZE, DIM), torch.randn(2, SIZE, DIM)
        z_q, indices, loss = module(z)
        ((z_q * w).sum() + loss.sum()).backward()
        save(
            name,
            z=z,
            w=w,
            codes=before,
            z_q=z_q,
            indices=indices,
            loss=loss.sum(),
            z_grad=z.grad,
            codes_after=module._codebook.embed,
            counts_after=module._codebook.cluster_size,
        )
    z, codes, w = tensor(32, DIM), tensor(32, DIM), torch.randn(32, DIM)
    z_q = directional_reparam(z, codes, noise_variance=0.0)
    (z_q * w).sum().backward()
    save("diveq", z=z, w=w, codes=codes, z_q=z_q, z_grad=z.grad, codes_grad=codes.grad)
    codes = torch.randn(1, SIZE, DIM)
    save("orthogonality", codes=codes, value=orthogonal_loss_fn(codes))


def scalars():
    for name, levels, symmetric in (
        ("fsq_8555", (8, 5, 5, 5), False),
        ("fsq_75555", (7, 5, 5, 5, 5), False),
        ("fsq_symmetric", (2, 3, 4, 8), True),
    ):
        module = lucid.FSQ(list(levels), preserve_symmetry=symmetric)
        table = module.indices_to_codes(torch.arange(module.codebook_size))
        run(name, module, len(levels), levels=np.asarray(levels), table=table)
    for name, spherical in (("lfq", False), ("bsq", True)):
        module = lucid.LFQ(
            dim=6,
            entropy_loss_weight=0.1,
            commitment_loss_weight=0.25,
            diversity_gamma=1.5,
            spherical=spherical,
        ).train()
        run(name, module, 6)


def place(residual, codes):
    """Gives each level of a residual quantizer its codes."""
    for layer, code in zip(residual.layers, codes, strict=True):
        layer._codebook.embed.data.copy_(code[None])


def composed():
    module = lucid.ResidualVQ(
        dim=DIM,
        num_quantizers=3,
        codebook_size=SIZE,
        rotation_trick=False,
        **BY_GRADIENT,
    ).train()
    codes = torch.randn(3, SIZE, DIM) / torch.tensor([1.0, 2.0, 4.0])[:, None, None]
    place(module, codes)
    run("residual_vq", module, DIM, codes=codes)
    module = lucid.ResidualFSQ(levels=[5, 5, 3], dim=3, num_quantizers=3)
    run("residual_fsq", module, 3, clamp=module.soft_clamp_input_value)
    for name, rotation in (("simvq", False), ("simvq_rotation", True)):
        module = lucid.SimVQ(dim=DIM, codebook_size=SIZE, rotation_trick=rotation)
        weight = module.code_transform.weight
        run(name, module, DIM, params={"weight": weight}, frozen=module.frozen_codebook)


def grouped():
    module = lucid.GroupedResidualVQ(
        dim=2 * DIM,
        groups=2,
        num_quantizers=2,
        codebook_size=SIZE,
        rotation_trick=False,
        **BY_GRADIENT,
    ).train()
    codes = torch.randn(2, 2, SIZE, DIM)
    for group, group_codes in zip(module.rvqs, codes, strict=True):
        place(group, group_codes)
    z = torch.randn(2, SIZE, 2 * DIM)
    z_q, indices, losses = module(z)
    save(
        "grouped_residual_vq", z=z, codes=codes, z_q=z_q, indices=indices, losses=losses
    )


def multi_scale():
    """VAR's tokenizer, alg. 1 of 2404.02905, with one φ for all scales."""
    scales, side = (1, 2, 3, 4), 4
    z, w = tensor(2, DIM, side, side), torch.randn(2, DIM, side, side)
    codes, phi = tensor(SIZE, DIM), torch.nn.Conv2d(DIM, DIM, 3, padding=1)
    total, loss, indices = torch.zeros_like(z), 0.0, []
    for scale in scales:
        rest = F.interpolate((z - total).detach(), (scale, scale), mode="area")
        flat = rest.permute(0, 2, 3, 1).reshape(-1, DIM)
        index = torch.cdist(flat, codes).argmin(-1)
        chosen = codes[index].reshape(2, scale, scale, DIM).permute(0, 3, 1, 2)
        if scale != side:
            chosen = F.interpolate(chosen, (side, side), mode="bicubic")
        total = total + 0.5 * chosen + 0.5 * phi(chosen)
        loss = loss + 0.25 * F.mse_loss(z, total.detach())
        loss = loss + F.mse_loss(total, z.detach())
        indices.append(index.reshape(2, -1))
    loss = loss / len(scales)
    z_q = z + (total - z).detach()
    ((z_q * w).sum() + loss).backward()
    last = {"z": z, "w": w, "z_q": z_q, "z_grad": z.grad}
    save(
        "multi_scale",
        **{key: value.flatten(2).mT for key, value in last.items()},
        scales=np.asarray(scales),
        codes=codes,
        codes_grad=codes.grad,
        kernel=phi.weight.permute(2, 3, 1, 0),
        kernel_grad=phi.weight.grad.permute(2, 3, 1, 0),
        bias=phi.bias,
        bias_grad=phi.bias.grad,
        indices=torch.cat(indices, 1),
        loss=loss,
    )


def splitting():
    """big_vision's rule for unused codes, without the perturbation (UViM 2205.10337).

    vit.py: while a count is below the threshold, the least used takes half of the sums
    and of the count of the most used.
    """
    sums, counts = torch.randn(SIZE, DIM).numpy(), torch.rand(SIZE).numpy()
    counts[3], counts[7], counts[11], threshold = 20.0, 0.001, 0.002, 0.1
    before = {"sums": sums.copy(), "counts": counts.copy()}
    while (counts < threshold).any():
        most, least = counts.argmax(), counts.argmin()
        sums[least] = sums[most]
        counts[least] = counts[most] / 2
        counts[most] = counts[most] / 2
        sums[least], sums[most] = sums[least] / 2, sums[most] / 2
    save(
        "splitting", **before, threshold=threshold, sums_after=sums, counts_after=counts
    )


def formulas():
    z, w = tensor(2, SIZE, DIM), torch.randn(2, SIZE, DIM)
    codes = tensor(SIZE, DIM)
    logits = z @ codes.T
    soft = logits.softmax(-1)
    hard = F.one_hot(logits.argmax(-1), SIZE).float()
    z_q = (hard - soft.detach() + soft) @ codes
    z_hard = hard @ codes
    loss = ((z_q - z) ** 2).mean() + ((z_hard.detach() - z) ** 2).mean()
    loss = loss + 0.25 * ((z_hard - z.detach()) ** 2).mean()
    ((z_q * w).sum() + loss).backward()
    save(
        "ibq",
        z=z,
        w=w,
        codes=codes,
        z_q=z_q,
        indices=logits.argmax(-1),
        loss=loss,
        z_grad=z.grad,
        codes_grad=codes.grad,
    )
    for name, straight in (("gumbel", False), ("gumbel_hard", True)):
        z, w = tensor(2, SIZE, DIM), torch.randn(2, SIZE, DIM)
        kernel, codes = tensor(DIM, SIZE), tensor(SIZE, DIM)
        noise = -torch.log(-torch.log(torch.rand(2, SIZE, SIZE)))
        logits = z @ kernel
        soft = ((logits + noise) / 0.7).softmax(-1)
        hard = F.one_hot(soft.argmax(-1), SIZE).float()
        sample = hard - soft.detach() + soft if straight else soft
        z_q = sample @ codes
        q = logits.softmax(-1)
        loss = 5e-4 * (q * torch.log(q * SIZE + 1e-10)).sum(-1).mean()
        ((z_q * w).sum() + loss).backward()
        save(
            name,
            z=z,
            w=w,
            codes=codes,
            kernel=kernel,
            noise=noise,
            z_q=z_q,
            indices=soft.argmax(-1),
            loss=loss,
            z_grad=z.grad,
            codes_grad=codes.grad,
            kernel_grad=kernel.grad,
        )


def interpolate():
    arrays = {}
    for mode, pairs in {
        "area": ((4, 1), (4, 2), (4, 3), (16, 7), (5, 5)),
        "bicubic": ((1, 4), (2, 4), (3, 4), (7, 16)),
    }.items():
        for source, target in pairs:
            grid = torch.randn(1, 2, source, source)
            options = {"align_corners": False} if mode == "bicubic" else {}
            out = F.interpolate(grid, (target, target), mode=mode, **options)
            arrays[f"{mode}_{source}_{target}_in"] = grid
            arrays[f"{mode}_{source}_{target}_out"] = out
    save("interpolate", **arrays)


def main():
    parts = (vectors, scalars, composed, formulas, interpolate)
    for seed, part in enumerate((*parts, grouped, multi_scale, splitting)):
        torch.manual_seed(seed)
        part()


if __name__ == "__main__":
    main()
