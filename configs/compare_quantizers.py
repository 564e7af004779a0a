"""Quantizers with the same encoder, decoder, data, bits and steps: small, for CPUs.

    vq-jax compare-quantizers --config=configs/compare_quantizers.py \
        --workdir=runs/compare_quantizers --families=vq,vq_ema,fsq --bits=6,8,10

It writes runs/compare_quantizers/report.html: docs/comparing.md has what is in it.
One of its runs alone, an FSQ of 2^8 codes:

    python train.py --config=configs/compare_quantizers.py:fsq-8 --workdir=runs/fsq-8

Two CPU cores, float32, about a minute a run. Held-out photographs of 64 px, or with the
variant `fashion_mnist` the 10,000 test images. Results: docs/quantizers.md.
"""

from configs.parts.defaults import defaults
from configs.parts.quantizers import QUANTIZERS, quantizer
from configs.parts.variants import finish

# bits -> levels of FSQ with exactly as many codes
FSQ_LEVELS = {
    3: (8,),
    4: (4, 4),
    5: (4, 8),
    6: (8, 8),
    8: (4, 8, 8),
    9: (8, 8, 8),
    10: (4, 4, 8, 8),
    12: (8, 8, 8, 8),
}
HALVES = ("product", "residual", "residual_fsq")  # two tokens of half the bits each


def get_config(variant: str = ""):
    config = defaults()
    config.num_steps = 300
    config.batch_size = 32
    config.data.resize = "none"
    config.model.code_dim = 16
    for part in (config.model.encoder, config.model.decoder):
        part.hidden_dim = 32
    config.optim.learning_rate = 2e-3
    config.optim.schedule = "cosine"
    config.optim.warmup_steps = 20
    config.evaluations.pictures.every = 0
    config.evaluations.reconstruction.every = 0  # once, at the end
    own = {r"(\w+)-(\d+)": _family, "fashion_mnist": _fashion_mnist}
    return finish(config, variant, own)


def _family(config, family: str, bits: str):
    config.model.quantizer = family_of_bits(family, int(bits))


def _fashion_mnist(config):
    config.data.source = "idx:/usr/share/datasets/fashion-mnist"
    config.data.image_size = 28
    config.data.channels = 1
    config.data.crop = "center"
    config.evaluations.reconstruction.batch_size = 512


def family_of_bits(family: str, bits: int) -> dict:
    """A family with 2^bits codes a position."""
    if family not in QUANTIZERS:
        raise ValueError(
            f"family {family!r} is unknown; choose from {sorted(QUANTIZERS)}."
        )
    if family in HALVES:
        if bits % 2:
            raise ValueError(f"{family} halves its bits; {bits} is odd.")
        inner = dict(QUANTIZERS[family]["inner"])
        inner.update(_size(inner["name"], bits // 2))
        return quantizer(family, inner=inner)
    if family == "none":
        return quantizer(family)
    if family == "multi_scale":
        raise ValueError("multi_scale has other numbers of tokens: nothing to compare.")
    name = QUANTIZERS[family]["name"]
    fields = _size(name, bits)
    # What takes some thousand steps by default has to happen within these few.
    if name in ("gumbel", "soft"):
        fields["anneal_steps"] = 200
    if name == "cvq":
        fields["decay"] = 0.9
    return quantizer(family, **fields)


def _size(name: str, bits: int) -> dict:
    if name in ("lfq", "bsq"):
        return {"num_bits": bits}
    if name != "fsq":
        return {"codebook_size": 2**bits}
    if bits not in FSQ_LEVELS:
        raise ValueError(f"fsq has levels for {sorted(FSQ_LEVELS)} bits, not {bits}.")
    return {"levels": FSQ_LEVELS[bits]}
