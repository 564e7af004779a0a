"""Pictures between two images of one size, in equal steps, in several ways.

pixels: a cross-fade. latents: linear in the encoder's latents, which are then
quantised. codes: codes of the first image swapped for those of the last, in an order at
random. refined, with the workdir of a prior that keeps any codes: these with the least
likely codes drawn anew. The ends of latents and codes are the tokenizer's round trips.
OUT/WAY/0.png, 1.png, … are the pictures, and OUT/together.png has a row for each way.
"""

from collections.abc import Sequence

from vq_jax.cli import arguments, compiled_programs, exits, sampling_flags
from vq_jax.errors import InputError

FLAGS = {
    r"\bsampling\.(\w+)": r"--\1",
    r"config\.tokenizer": "--tokenizer",
    r"^(steps|seed|refined_share)=": r"--\1=",
}


def main(argv: Sequence[str]) -> None:
    """Writes the pictures."""
    parser = arguments.Parser("interpolate", __doc__)
    arguments.add_workdir(
        parser, "folder of a training run, a tokenizer's or a prior's"
    )
    for flag, dest in (("--from", "first"), ("--to", "last")):
        text = f"the {dest} image"
        parser.add_argument(
            flag, dest=dest, type=arguments.path, required=True, help=text
        )
    text = "folder for the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = "pictures, both ends among them; default: 7"
    parser.add_argument("--steps", type=int, default=7, help=text)
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    text = "of a prior: share of codes that refined draws anew, in [0, 1]; default: 0.3"
    parser.add_argument("--refined_share", type=float, help=text)
    sampling_flags.add(parser, of="of a prior: ")
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _interpolate(args)


def _interpolate(args) -> None:
    from vq_jax.apps.interpolation import Interpolator, check_path, cross_fade
    from vq_jax.config.checks import check_range
    from vq_jax.data.decode import decode_image
    from vq_jax.evaluation import pictures
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs import checkpoint
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "interpolate")
    check_range(args.seed, 0, 2**32 - 1, where="seed")
    config, _ = checkpoint.load_config(args.workdir)
    is_prior, data = "prior" in config, config.data
    if not is_prior:
        _check_no_prior_flags(args)
    ends = [
        decode_image(path, channels=data.channels, white_point=data.white_point)
        for path in (args.first, args.last)
    ]
    check_path(*ends, args.steps)
    tokenizer, refiner = _opened(args, is_prior)
    interpolator = Interpolator(tokenizer)
    shape = interpolator.tokens_shape(ends[0])
    if refiner:
        refiner.check_tokens(shape)
    out, console = make_folder(args.out, "--out"), exits.console()
    found = {
        "pixels": cross_fade(*ends, args.steps),
        "latents": interpolator.latents(*ends, args.steps),
    }
    if tokenizer.codebook_size:
        path = interpolator.code_path(*ends, args.steps, seed=args.seed)
        found["codes"] = interpolator.decode(path, ends[0].shape[:2])
    if refiner:
        given = sampling_flags.given(args)
        path[1:-1] = refiner.refine(path[1:-1], seed=args.seed, **given)
        found["refined"] = interpolator.decode(path, ends[0].shape[:2])
    for way, images in found.items():
        for number, image in enumerate(images):
            pictures.write_png(out / way / f"{number}.png", image)
        console.print(f"wrote {len(images)} pictures to {out / way}", soft_wrap=True)
    rows = [pictures.side_by_side(*images) for images in found.values()]
    path = pictures.write_png(out / "together.png", pictures.stack(rows))
    console.print(f"wrote {path} ({', '.join(found)})", soft_wrap=True)


def _check_no_prior_flags(args) -> None:
    for name in ("refined_share", "tokenizer", *args.sampling_flags):
        if getattr(args, name) is not None:
            raise InputError(
                f"--{name} is for a prior, and {args.workdir} is the run of none; "
                "leave it out."
            )


def _opened(args, is_prior: bool):
    """The tokenizer and, of a prior's workdir, what refines with it."""
    from vq_jax.apps.refinement import Refiner
    from vq_jax.inference.load import load_workdir
    from vq_jax.inference.load_prior import open_prior
    from vq_jax.inference.sampler import Sampler
    from vq_jax.inference.tokenizer import Tokenizer

    if not is_prior:
        trained = load_workdir(args.workdir)
        tokenizer = Tokenizer(trained.model, trained.variables, chunk_size=1)
        return tokenizer, None
    saved = open_prior(args.workdir, args.tokenizer)
    sampler = Sampler(saved, batch_size=max(1, args.steps - 2))
    share = {} if args.refined_share is None else {"share": args.refined_share}
    refiner = Refiner(sampler, **share)
    sampler.settings(**sampling_flags.given(args))
    return sampler.tokenizer, refiner
