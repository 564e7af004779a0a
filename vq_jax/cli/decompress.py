"""Writes the images of files that `vq-jax compress` wrote, as PNG.

The workdir, or a copy of it, is the one that they were compressed with. A file that is
damaged, or of another model, ends the program with a message and exit code 2; no image
of it is written.
"""

from collections.abc import Iterator, Sequence

from etils import epath

from vq_jax.cli import arguments, compiled_programs, exits
from vq_jax.cli.compress import FLAGS, SUFFIX
from vq_jax.errors import InputError


def main(argv: Sequence[str]) -> None:
    """Writes the images."""
    parser = arguments.Parser("decompress", __doc__)
    arguments.add_workdir(parser, "that the files were compressed with")
    text = f"a file, or a folder of files, NAME{SUFFIX}"
    parser.add_argument("--files", type=arguments.path, required=True, help=text)
    text = "folder for the PNG files"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = "that of compress, where it was given"
    parser.add_argument("--coder", help=text)
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _decompress(args)


def _decompress(args) -> None:
    from vq_jax.apps.compression.compressor import Compressor
    from vq_jax.evaluation import pictures
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "decompress")
    files = _files(epath.Path(args.files))
    # Of any class: files say which one they were coded with.
    compressor = Compressor.load(
        args.workdir, coder=args.coder, tokenizer=args.tokenizer, label=None
    )
    out, console = make_folder(args.out, "--out"), exits.console()
    for name, path in files:
        coded = compressor.decompress(path.read_bytes(), str(path))
        for image in compressor.decode(coded):
            shown = out / f"{_inside(image.name or name, path)}.png"
            pictures.write_png(shown, image.image)
            size = f"{image.image.shape[1]}x{image.image.shape[0]}"
            console.print(f"wrote {shown} ({size})", soft_wrap=True)


def _files(path: epath.Path) -> list[tuple[str, epath.Path]]:
    """(name without extension, path) of each file."""
    if path.is_file():
        return [(path.stem, path)]
    found = [*_below(path)] if path.is_dir() else []
    if not found:
        what = f"has no *{SUFFIX}" if path.is_dir() else "does not exist"
        raise InputError(f"--files={path} {what}; name what vq-jax compress wrote.")
    return [(str(file.relative_to(path).with_suffix("")), file) for file in found]


def _below(folder: epath.Path) -> Iterator[epath.Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _below(path)
        elif path.suffix == SUFFIX:
            yield path


def _inside(name: str, path: epath.Path) -> str:
    """The name of an image, which must not lead out of the folder.

    Raises:
        InputError: it would.
    """
    if name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise InputError(f"{path} has an image of the name {name!r}, outside of --out.")
    return name
