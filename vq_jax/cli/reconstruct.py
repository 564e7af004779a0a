"""Takes images of any size through a tokenizer and back, and writes them as PNG.

OUT/NAME.png has the size of its image; what does not fit the stride is padded and
cropped back.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from etils import epath

from vq_jax.cli import arguments, exits
from vq_jax.data import decode, transforms
from vq_jax.data.sources import folder, photos
from vq_jax.errors import InputError
from vq_jax.evaluation import pictures
from vq_jax.inference.padding import pad_to_multiple


def main(argv: Sequence[str]) -> None:
    """Writes the reconstructions, and says how each image fitted the stride."""
    parser = arguments.Parser("reconstruct", __doc__)
    parser.add_argument("--workdir", required=True, help="folder of a training run")
    text = "an image, a folder of images, or 'photos': the embedded held-out ones"
    parser.add_argument("--images", required=True, help=text)
    parser.add_argument("--out", required=True, help="folder for the PNG files")
    text = "put the original on the left"
    parser.add_argument("--compare", action="store_true", help=text)
    args = parser.parse_args(argv[1:])
    with exits.clear_errors():
        _reconstruct(args)


def _reconstruct(args) -> None:
    from vq_jax.inference.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(args.workdir, chunk_size=1)
    out = _make_folder(args.out)
    compared = []
    for name, image in _images(args.images, out, tokenizer.channels):
        height, width = image.shape[:2]
        padded = pad_to_multiple(image, tokenizer.stride)
        recon = tokenizer.reconstruct(padded[None])[0, :height, :width]
        shown = pictures.side_by_side(image, recon) if args.compare else recon
        path = pictures.write_png(out / f"{name}.png", shown)
        if args.compare and _embedded(args.images):
            compared.append(shown)
        fitted = f"a multiple of the stride {tokenizer.stride}"
        if padded.shape != image.shape:
            fitted = (
                f"padded to {padded.shape[1]}x{padded.shape[0]} by repeating the edge, "
                "then cropped back"
            )
        exits.console().print(
            f"wrote {path} ({width}x{height}, {fitted})", soft_wrap=True
        )
    if compared:
        path = pictures.write_png(out / "together.png", pictures.stack(compared))
        exits.console().print(
            f"wrote {path} (whole photographs, each left of its reconstruction)",
            soft_wrap=True,
        )


def _images(
    spec: str, out: epath.Path, channels: int
) -> Iterator[tuple[str, np.ndarray]]:
    """(name without extension, uint8 [h, w, c]) of each image."""
    path = epath.Path(spec)
    if _embedded(spec):
        for name, image in photos.held_out_photographs().items():
            yield name, transforms.to_channels(image, channels)
        return
    files = [path] if path.is_file() else [path / f for f in folder.list_images(path)]
    root = path.parent if path.is_file() else path
    names = [str(file.relative_to(root).with_suffix("")) for file in files]
    _check_outputs(files, [out / f"{name}.png" for name in names])
    for name, file in zip(names, files, strict=True):
        yield name, decode.decode_image(file, channels=channels)


def _embedded(spec: str) -> bool:
    return spec == "photos" and not epath.Path(spec).exists()


def _check_outputs(files: list[epath.Path], outputs: list[epath.Path]) -> None:
    """Raises InputError where a picture would replace an original or another one."""
    originals = {file.resolve() for file in files}
    seen = set()
    for path in outputs:
        if path.resolve() in originals:
            raise InputError(f"--out would overwrite {path}; choose another folder.")
        if path in seen:
            raise InputError(f"two images would become {path}; rename one of them.")
        seen.add(path)


def _make_folder(path: str) -> epath.Path:
    try:
        epath.Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out={path} cannot be written to ({error.strerror})."
        ) from error
    return epath.Path(path)
