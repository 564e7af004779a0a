"""Writes goldens/var{,_shared}.npz from VAR's released code.

    git clone https://github.com/FoundationVision/VAR DIR
    pip install -e '.[parity]' huggingface_hub
    python tests/parity/make_var_goldens.py DIR

FoundationVision/VAR at 78b9539 (MIT). Its transformer and its quantizer run as they
are, the latter without the networks around it. Weights follow from their names, as in
the tests.
"""

import json
import sys
import types

import numpy as np
import torch

from vq_jax.testing.goldens import named_weight, save

SCALES, SIZE, CODE_DIM, CLASSES = (1, 2, 3, 5), 6, 4, 3
CASES = {
    "var": {"attn_l2_norm": True, "shared_aln": False},
    "var_shared": {"attn_l2_norm": False, "shared_aln": True},
}


def with_named_weights(module, prefix):
    """{name: shape} of the parameters, which get the values of their names."""
    shapes = {}
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            name = f"{prefix}{key}"
            shapes[name] = tuple(parameter.shape)
            parameter.copy_(torch.from_numpy(named_weight(name, shapes[name])))
    return shapes


def write(name, options):
    from models import var
    from models.quant import VectorQuantizer2

    quantizer = VectorQuantizer2(
        vocab_size=SIZE,
        Cvae=CODE_DIM,
        using_znorm=False,
        v_patch_nums=SCALES,
        share_quant_resi=4,
    )
    drawn = []
    tokenizer = types.SimpleNamespace(
        Cvae=CODE_DIM, vocab_size=SIZE, quantize=quantizer, fhat_to_img=torch.clone
    )
    model = var.VAR(
        tokenizer,
        num_classes=CLASSES,
        depth=2,
        embed_dim=8,
        num_heads=2,
        patch_nums=SCALES,
        cond_drop_rate=0.0,
        **options,
    ).eval()
    shapes = with_named_weights(model, "") | with_named_weights(quantizer, "quantize.")
    rng = np.random.default_rng(0)
    codes = [torch.from_numpy(rng.integers(0, SIZE, (3, n * n))) for n in SCALES]
    labels = torch.tensor([0, 2, CLASSES])
    draw = var.sample_with_top_k_top_p_

    def recorded(*args, **kwargs):
        drawn.append(draw(*args, **kwargs)[:, :, 0])
        return drawn[-1][:, :, None]

    var.sample_with_top_k_top_p_ = recorded
    with torch.no_grad():
        inputs = quantizer.idxBl_to_var_input(codes)
        logits = model(labels, inputs)
        total = model.autoregressive_infer_cfg(3, labels, g_seed=0, cfg=1.5, top_k=1)
    var.sample_with_top_k_top_p_ = draw
    save(
        name,
        shapes=json.dumps(shapes),
        codes=torch.cat(codes, 1),
        labels=labels,
        inputs=inputs,
        logits=logits,
        likeliest=torch.cat(drawn, 1),
        likeliest_z_q=(2 * total - 1).permute(0, 2, 3, 1),
    )


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    for name, options in CASES.items():
        write(name, options)
