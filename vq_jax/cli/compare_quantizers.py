"""Trains families of quantizers alike, and reports how their results differ.

A preset of `vq-jax compare`: the same small encoder and decoder, as many codes a
position for all families, and the same report. With several sizes of the codebook, it
has a figure of the metrics over them, too.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, compare, exits

FAMILIES = "vq,vq_rotation,vq_cosine,vq_ema,cvq,simvq,ibq,gumbel,soft,fsq,lfq,bsq,"
FAMILIES += "product,residual,none"
ALLOWED = ("model.quantizer",)


def parser() -> arguments.Parser:
    """The flags of `vq-jax compare-quantizers`."""
    made = compare.shared_parser("compare-quantizers", __doc__)
    made.add_argument(
        "--config",
        required=True,
        help="a file that takes variants FAMILY-BITS, as configs/compare_quantizers.py",
    )
    made.add_argument(
        "--families",
        type=arguments.words,
        default=FAMILIES,
        help=f"default: {FAMILIES}",
    )
    made.add_argument(
        "--bits",
        type=arguments.numbers,
        default="8",
        help="as 6,8,10: log2 of the number of codes a position; default: 8",
    )
    return made


def main(argv: Sequence[str]) -> None:
    """Trains what is missing, then writes the report."""
    args, overrides = parser().parse_known_args(argv[1:])
    with exits.clear_errors():
        planned = candidates(args.config, args.families, args.bits)
        signal = compare.compare(argv, args, overrides, planned, ALLOWED)
    exits.leave(signal)


def candidates(
    config: str, families: Sequence[str], sizes: Sequence[int]
) -> list[compare.Candidate]:
    """Every family with every number of bits, which "none" does not have."""
    path, _, variant = config.partition(":")
    made = []
    for bits in sorted(sizes):
        for family in families:
            continuous = family == "none"
            if continuous and bits > min(sizes):
                continue
            word = f"{family}-{bits}"
            words = [*filter(None, variant.split(",")), word]
            made.append(
                compare.Candidate(
                    path=f"{path}:{','.join(words)}",
                    name="-".join(words),
                    label=family if continuous else word,
                    family=family,
                )
            )
    return made
