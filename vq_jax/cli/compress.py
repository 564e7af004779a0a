"""Writes images of any size as few bytes: the codes of a tokenizer, range coded.

With --out=FOLDER each image becomes FOLDER/NAME.vqj; with --out=FILE.vqj all of them
become one file, which needs one head and, of a prior, fewer computations. The workdir
is that of a prior, whose probabilities code the codes, or of a tokenizer. `vq-jax
decompress` with the same workdir gives the codes back, bit for bit, and writes images.

Prints what the files take beside what theory promises; with --compare beside PNG, JPEG
and WebP of the same images, too. Broken images are left out and named, and the exit
code is 2 then.
"""

import time
from collections.abc import Iterator, Sequence

from etils import epath

from vq_jax.cli import arguments, compiled_programs, exits, image_files
from vq_jax.errors import InputError

SUFFIX = ".vqj"

FLAGS = {
    **image_files.FLAGS,
    r"config\.tokenizer": "--tokenizer",
    r"\bcoder=": "--coder=",
    r"\blabels=": "--label=",
}


def main(argv: Sequence[str]) -> None:
    """Writes the files and prints what they take."""
    parser = arguments.Parser("compress", __doc__)
    arguments.add_workdir(parser, "folder of a prior's or a tokenizer's training run")
    text = image_files.HELP
    parser.add_argument("--images", type=arguments.path, required=True, help=text)
    text = f"folder for a file an image, or NAME{SUFFIX} for one file of all images"
    parser.add_argument("--out", type=arguments.path, required=True, help=text)
    text = (
        "fixed (length), order0 (histogram), or prior; default: prior with a prior's "
        "workdir, order0 with a tokenizer's"
    )
    parser.add_argument("--coder", help=text)
    text = "class of all images, which a prior with classes then codes with"
    parser.add_argument("--label", default="none", help=text)
    text = "print sizes of PNG, JPEG and WebP, too; keeps all images in memory"
    parser.add_argument("--compare", action="store_true", help=text)
    arguments.add_tokenizer(parser)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors(FLAGS):
        compiled_programs.keep()
        _compress(args)


def _compress(args) -> None:
    from vq_jax.apps.compression import rates
    from vq_jax.apps.compression.compressor import Compressor
    from vq_jax.training.jax_flags import GUARDS, check_flags
    from vq_jax.workdirs.files import make_folder

    check_flags(GUARDS, "compress")
    compressor = Compressor.load(
        args.workdir, coder=args.coder, tokenizer=args.tokenizer, label=args.label
    )
    out, console = epath.Path(args.out), exits.console()
    together = out.suffix == SUFFIX
    make_folder(out.parent if together else out, "--out")
    images = _Images(args, compressor.data, console)
    if together:
        codes = [*compressor.encode(images)]
        if not codes:
            raise InputError(image_files.left_out(images.broken, len(images.broken)))
        console.print(f"coding {len(codes)} images", soft_wrap=True)
        written = [_write(out, compressor.compress(codes), console)]
    else:
        codes, written = [], []
        for named in images:
            (coded,) = compressor.encode([named])
            codes.append(coded)
            # The name is that of the file.
            content = compressor.compress([coded._replace(name="")])
            path = _path(out, named.name)
            written.append(_write(path, content, console))
    if codes:
        _print(rates.ladder(compressor, codes, sum(written)), console)
    if args.compare and codes:
        decoded = [*compressor.decode(codes)]
        psnr = rates.mean_psnr(images.kept, decoded)
        console.print(f"PSNR of the decoded images: {psnr:.2f} dB", soft_wrap=True)
        _print(rates.other_formats(images.kept, decoded), console)
    if images.broken:
        count = len(codes) + len(images.broken)
        raise InputError(image_files.left_out(images.broken, count))


class _Images:
    """The images that can be read; names of others are kept, and said.

    Attributes:
        broken: names of images that are left out.
        kept: images, where they are needed again.
    """

    def __init__(self, args, data, console):
        self._args, self._data, self._console = args, data, console
        self.broken, self.kept = [], []

    def __iter__(self) -> Iterator:
        from vq_jax.apps.compression.compressor import NamedImage

        args, said = self._args, time.monotonic()

        def output(name):
            out = epath.Path(args.out)
            return out / name if out.suffix == SUFFIX else _path(out, name)

        for number, (name, read) in enumerate(
            image_files.each(args.images, self._data, output)
        ):
            if time.monotonic() - said >= 10:
                said = time.monotonic()
                self._console.print(f"{number} images read", soft_wrap=True)
            try:
                named = NamedImage(name, read())
            except InputError as error:
                self._console.print(f"left out {name}: {error}", soft_wrap=True)
                self.broken.append(name)
                continue
            if args.compare:
                self.kept.append(named)
            yield named


def _path(out: epath.Path, name: str) -> epath.Path:
    return out / f"{name}{SUFFIX}"


def _write(path: epath.Path, content: bytes, console) -> int:
    """The number of bytes that were written."""
    from vq_jax.workdirs.files import replace_bytes

    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, content)
    console.print(f"wrote {path} ({len(content)} bytes)", soft_wrap=True)
    return len(content)


def _print(rows, console) -> None:
    for name, num_bytes, bits, psnr in rows:
        text = f"{name:<32} {num_bytes:>12,.0f} bytes  {bits:.4f} bits a pixel"
        text += "" if psnr is None else f"  {psnr:.2f} dB"
        console.print(text, soft_wrap=True)
