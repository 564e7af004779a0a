"""Gives images of any size the style of another one, and writes PNG files.

OUT/NAME.png has the size of its image, and is an image of the tokenizer's codes.
--method=gram optimises them against features of VGG16, for which the package of LPIPS
has the weights; --method=adain moves statistics of the latents, which takes no longer
than a reconstruction. At --strength=0 both write what vq-jax reconstruct does. Nothing
is drawn at random. Broken images are left out and named, and the exit code is 2 then.
"""

import dataclasses
import functools
from collections.abc import Sequence

from vq_jax.cli import arguments, compiled_programs, each_image, exits, image_files
from vq_jax.cli.each_image import Picture
from vq_jax.config.checks import check_choice, check_range
from vq_jax.errors import InputError

METHODS = ("gram", "adain")
SAY_EVERY = 10
FLAGS = {
    r"config\.data\.source": "--content",
    **image_files.FLAGS,
    r"\b(strength|steps|step_size|style_size)=": r"--\1=",
    r"\bmethod=": "--method=",
    r"^style ": "--style ",
}


# name -> (type, default, help)
OF_GRAM = {
    "steps": (int, 60, "of Adam"),
    "step_size": (float, 0.4, "the first at strength 1, in deviations of the latents"),
}


def main(argv: Sequence[str]) -> None:
    """Writes the restyled images."""
    parser = arguments.Parser("restyle", __doc__)
    arguments.add_workdir(parser, "folder of a tokenizer's training run")
    text = image_files.HELP
    parser.add_argument("--content", type=arguments.path, required=True, help=text)
    text = "the image whose style they get"
    parser.add_argument("--style", type=arguments.path, required=True, help=text)
    text = "folder for the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = "in [0, 1]: 0 is content alone, 1 style alone; default: 0.75"
    parser.add_argument("--strength", type=float, default=0.75, help=text)
    text = "gram or adain; default: gram"
    parser.add_argument("--method", default="gram", help=text)
    for name, (kind, default, text) in OF_GRAM.items():
        text = f"of --method=gram: {text}; default: {default}"
        parser.add_argument(f"--{name}", type=kind, help=text)
    text = "pixels that the style's shorter side is scaled to; default: as it is"
    parser.add_argument("--style_size", type=int, help=text)
    text = "put the original on the left"
    parser.add_argument("--compare", action="store_true", help=text)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        check_choice(args.method, METHODS, "method")
        compiled_programs.keep()
        _restyle(args)


def _restyle(args) -> None:
    from vq_jax.data.decode import decode_image
    from vq_jax.data.transforms import resize
    from vq_jax.inference.load import load_workdir
    from vq_jax.inference.tokenizer import Tokenizer
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "restyle")
    options = _options(args)
    check_range(args.strength, 0.0, 1.0, where="strength")
    trained = load_workdir(args.workdir)
    data = trained.config.data
    style = decode_image(
        args.style, channels=data.channels, white_point=data.white_point
    )
    if args.style_size is not None:
        check_range(args.style_size, 1, where="style_size")
        style = resize(style, args.style_size, "shorter_side", "bicubic")
    tokenizer = Tokenizer(trained.model, trained.variables, chunk_size=1)
    restyler = _restyler(args.method, options, tokenizer)
    restyler.check_style(style)
    each_image.convert(
        args.content,
        make_folder(args.out, "--out"),
        data,
        functools.partial(_through, restyler, style, args.strength),
        compare=args.compare,
        together="whole photographs, each left of itself restyled",
    )


def _options(args) -> dict:
    """The flags of --method=gram, with their defaults; of the other method none."""
    given = {name: getattr(args, name) for name in OF_GRAM}
    given = {name: value for name, value in given.items() if value is not None}
    if args.method == "gram":
        return {name: default for name, (_, default, _) in OF_GRAM.items()} | given
    for name in given:
        raise InputError(
            f"--{name} is for method=gram, and this is method={args.method}; leave it "
            "out."
        )
    return {}


def _restyler(method: str, options: dict, tokenizer):
    """The one of this method; weights that it needs are read here."""
    if method == "adain":
        from vq_jax.apps.style.adain import AdainStyle

        return AdainStyle(tokenizer)
    from vq_jax.apps.style.gram import GramStyle
    from vq_jax.pretrained.lpips import load_lpips

    return GramStyle(tokenizer, load_lpips("vgg16"), say=_say, **options)


def _say(progress) -> None:
    if progress.steps % SAY_EVERY == 0:
        losses = ", ".join(f"{k} {float(v):.3f}" for k, v in progress.losses.items())
        exits.console().print(f"step {progress.steps}: {losses}")


def _through(restyler, style, strength: float, picture: Picture) -> Picture:
    """The picture restyled."""
    result = restyler(picture.image, style, strength=strength)
    return dataclasses.replace(picture, result=result, fitted=f"strength {strength:g}")
