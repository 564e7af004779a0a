"""Trains families of quantizers alike, and reports how their results differ.

A preset of `vq-jax compare`: the same small encoder and decoder, as many codes a
position for all families, and the same report. With several sizes of the codebook, it
has a figure of the metrics over them, too.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, compare, compiled_programs, exits

FAMILIES = "vq,vq_rotation,vq_cosine,vq_ema,cvq,simvq,ibq,gumbel,soft,fsq,lfq,bsq,"
FAMILIES += "product,residual,none"


def main(argv: Sequence[str]) -> None:
    """Trains what is missing, then writes the report."""
    parser = compare.shared_parser("compare-quantizers", __doc__)
    text = "a file with variants FAMILY-BITS, as configs/compare_quantizers.py"
    parser.add_argument("--config", type=arguments.path, required=True, help=text)
    text = f"families of quantizers; default: {FAMILIES}"
    parser.add_argument("--families", type=arguments.words, default=FAMILIES, help=text)
    text = "log2 of the number of codes a position, as 6,8,10; default: 8"
    parser.add_argument("--bits", type=arguments.numbers, default="8", help=text)
    args, overrides = parser.parse_known_args(argv[1:])
    with exits.clear_errors():
        compiled_programs.keep()
        planned = candidates(args.config, args.families, args.bits)
        signal = compare.compare(argv, args, overrides, planned, ["model.quantizer"])
    exits.leave(signal)


def candidates(
    config: str, families: Sequence[str], sizes: Sequence[int]
) -> list[compare.Candidate]:
    """Every family with every number of bits; "none", which has no codes, once."""
    path, _, variant = config.partition(":")
    made = []
    for bits in sorted(sizes):
        for family in families:
            if family == "none" and bits > min(sizes):
                continue
            word = f"{family}-{bits}"
            words = [*filter(None, variant.split(",")), word]
            label = family if family == "none" else word
            named = "-".join(words), label, family
            made.append(compare.Candidate(f"{path}:{','.join(words)}", *named))
    return made
