"""Images to code indices and back, with a trained model.

`encode`, `decode` and `reconstruct` are pure functions of arrays, for programs that
have a `jax.jit` or `jax.vmap` of their own, as the input pipeline of a prior.
`Tokenizer` compiles them, and takes NumPy arrays of any length.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jax.sharding import Mesh
from jaxtyping import Array, Int, Integer, UInt8

from vq_jax import compiler, sharding
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError
from vq_jax.inference.load import load_workdir
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.ops import images as image_ops
from vq_jax.typing import Variables

MAX_PIXELS = 32 * 256**2  # at once: what memory is needed for, whatever the image size


def encode(
    model: Autoencoder, variables: Variables, images: UInt8[Array, "n h w c"]
) -> Int[Array, "n *tokens"]:
    """Codes (int32, in [0, codebook_size)) of uint8 images; pure.

    Raises:
        InputError: not uint8 [n, h, w, c] of the model's channels, a size that is no
            multiple of the stride, or a model without codes.
    """
    check_has_codes(model, "encode")
    _check_images(images)
    return model.apply(variables, image_ops.from_uint8(images), method="encode")


def decode(
    model: Autoencoder, variables: Variables, codes: Integer[Array, "n *tokens"]
) -> UInt8[Array, "n h w c"]:
    """uint8 images of codes, exactly those that `reconstruct` gives; pure.

    Codes have to be in [0, codebook_size): a function that is traced cannot check it.

    Raises:
        InputError: not integers with the axes that `encode` returns, or a model without
            codes.
    """
    check_has_codes(model, "decode")
    _check_axes(model, codes)
    images = model.apply(variables, codes.astype(jnp.int32), method="decode")
    return image_ops.to_uint8(images)


def reconstruct(
    model: Autoencoder, variables: Variables, images: UInt8[Array, "n h w c"]
) -> UInt8[Array, "n h w c"]:
    """The images as the model reproduces them, with codes or without; pure.

    Raises:
        InputError: as `encode` does for images.
    """
    _check_images(images)
    output = model.apply(variables, image_ops.from_uint8(images), train=False)
    return image_ops.to_uint8(output.recon)


class Tokenizer:
    """A trained tokenizer: uint8 images <-> int32 codes.

    Works on NumPy arrays of any length, on all devices of this process or on those of a
    `mesh`. Each computes at most `chunk_size` images, or some two million pixels, at
    once, and fewer are padded to a power of two. So a few compilations an image size
    serve all lengths. The devices have the next images before the results of those
    before are fetched. It can be pickled; the copy has all devices where it is.

    Attributes:
        model: the autoencoder.
        variables: its variables.
        stride: pixels a code spans in each direction; image sizes are multiples of it.
        codebook_size: number of codes, 0 for a model without codes.
        channels: channels of an image.
    """

    def __init__(
        self,
        model: Autoencoder,
        variables: dict,
        *,
        chunk_size: int = 128,
        mesh: Mesh | None = None,
    ):
        if not isinstance(chunk_size, int):
            raise InputError(
                f"chunk_size={chunk_size!r} must be an integer, 1 or more."
            )
        check_range(chunk_size, 1, where="chunk_size")
        self.model, self.variables = model, variables
        if mesh is None:
            mesh = sharding.make_mesh(data=-1, fsdp=1, devices=jax.local_devices())
        self._chunk_size, self._mesh = chunk_size, mesh
        self._placed = jax.device_put(variables, sharding.replicated(mesh))
        self.stride = model.downsampling_factor
        self.codebook_size = model.quantizer.codebook_size
        self.channels = model.channels

    @classmethod
    def load(
        cls,
        workdir: epath.PathLike,
        *,
        chunk_size: int = 128,
        dtype: str | None = None,
    ) -> "Tokenizer":
        """The tokenizer that a run trained, from its latest checkpoint.

        Args:
            workdir: folder of the run.
            chunk_size: images that a device computes at once, at most.
            dtype: of the convolutions, "bfloat16" or "float32"; that of the training if
                none is given. Distances are float32 in both, but some features round to
                another code (docs/codes.md has how many).

        Raises:
            InputError: there is no checkpoint in `workdir`, or no such dtype.
        """
        trained = load_workdir(workdir, dtype=dtype)
        return cls(trained.model, trained.variables, chunk_size=chunk_size)

    def __reduce__(self):
        # Compiled functions cannot be pickled; the copy compiles its own.
        make = functools.partial(type(self), chunk_size=self._chunk_size)
        return make, (self.model, self.variables)

    def encode(
        self,
        images: UInt8[np.ndarray, "n h w c"] | Sequence[UInt8[np.ndarray, "h w c"]],
    ) -> Int[np.ndarray, "n *tokens"]:
        """Codes (int32, in [0, codebook_size)) of uint8 images of one size.

        Raises:
            InputError: not uint8 [n, h, w, c] of the model's channels, a size that is
                no multiple of the stride, or a model without codes.
        """
        check_has_codes(self.model, "encode")
        (codes,) = self._each(self._encode, [_images(images)])
        return codes

    def encode_each(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """`encode` of each; the next batch is asked for and sent before codes come.

        Until then a batch may not be changed: a CPU computes on its very memory.

        Raises:
            InputError: as `encode`.
        """
        check_has_codes(self.model, "encode")
        return self._each(self._encode, map(_images, batches))

    def decode_each(
        self, codes: Integer[np.ndarray, "n *tokens"]
    ) -> UInt8[np.ndarray, "n h w c"]:
        """`decode` of each image by itself, bit for bit.

        Rounding depends on how many images are decoded at once.
        """
        alone = [self.decode(codes[i : i + 1]) for i in range(len(codes))]
        return np.concatenate(alone)

    def decode(
        self, codes: Integer[np.ndarray, "n *tokens"] | Sequence
    ) -> UInt8[np.ndarray, "n h w c"]:
        """uint8 images of codes, exactly those that `reconstruct` gives.

        Raises:
            InputError: not integers [n, hq, wq], codes out of range, or a model without
                codes.
        """
        check_has_codes(self.model, "decode")
        codes = _array(codes, "codes")
        _check_axes(self.model, codes)
        if codes.size and (codes.min() < 0 or codes.max() >= self.codebook_size):
            raise InputError(
                f"codes range over [{codes.min()}, {codes.max()}] but the codebook has "
                f"codes 0 to {self.codebook_size - 1}; were they made by another model?"
            )
        codes = codes.astype(np.int32)
        (images,) = self._each(self._decode, [codes])
        return images

    def reconstruct(
        self,
        images: UInt8[np.ndarray, "n h w c"] | Sequence[UInt8[np.ndarray, "h w c"]],
    ) -> UInt8[np.ndarray, "n h w c"]:
        """The images as the model reproduces them; works without codes, too.

        Raises:
            InputError: as `encode` does for images.
        """
        (recons,) = self._each(self._reconstruct, [_images(images)])
        return recons

    def most_at_once(self, height: int, width: int) -> int:
        """Number of images of this size that are computed at once; more are cut up."""
        on_each = min(self._chunk_size, max(1, MAX_PIXELS // (height * width)))
        return on_each * self._mesh.size

    @functools.cached_property
    def _encode(self) -> Callable:
        return compiler.jit(functools.partial(encode, self.model))

    @functools.cached_property
    def _decode(self) -> Callable:
        return compiler.jit(functools.partial(decode, self.model))

    @functools.cached_property
    def _reconstruct(self) -> Callable:
        return compiler.jit(functools.partial(reconstruct, self.model))

    def _each(self, fn: Callable, arrays: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """`fn` of all rows of each array; parts are fetched when the next is sent."""
        fetched = []
        sent = itertools.chain(self._sent(fn, arrays), [None])
        for (part, num_rows, is_last), _ in itertools.pairwise(sent):
            fetched.append(np.asarray(part)[:num_rows])
            if is_last:
                yield np.concatenate(fetched)
                fetched.clear()

    def _sent(
        self, fn: Callable, arrays: Iterable[np.ndarray]
    ) -> Iterator[tuple[jax.Array, int, bool]]:
        """(`fn` of some rows and of padding, number of rows, last of their array?)."""
        rows_of, kind = sharding.batch_sharding(self._mesh), None
        for array in arrays:
            # Asked first: bad shapes raise, and it is the answer where there are no
            # rows. It takes a millisecond, and most arrays are as those before.
            if kind != (array.shape[1:], array.dtype):
                one = self._shape_of_one(fn, array)
                kind = array.shape[1:], array.dtype
            if not len(array):
                yield np.zeros((0, *one.shape[1:]), one.dtype), 0, True
            image = one if fn is self._decode else array
            most = self.most_at_once(*image.shape[1:3])
            for start in range(0, len(array), most):
                rows = array[start : start + most]
                padded = jax.device_put(self._padded(rows, most), rows_of)
                is_last = start + most >= len(array)
                yield fn(self._placed, padded), len(rows), is_last

    def _padded(self, rows: np.ndarray, most: int) -> np.ndarray:
        """The rows, and zeros up to a power of two on each device, or up to `most`."""
        on_each = -(-len(rows) // self._mesh.size)
        power_of_two = 1 << (on_each - 1).bit_length()
        missing = min(power_of_two * self._mesh.size, most) - len(rows)
        if not missing:
            return rows
        return np.pad(rows, ((0, missing),) + ((0, 0),) * (rows.ndim - 1))

    def _shape_of_one(self, fn: Callable, array: np.ndarray) -> jax.ShapeDtypeStruct:
        """Shape and dtype of `fn` of one row of the array."""
        row = jax.ShapeDtypeStruct((1, *array.shape[1:]), array.dtype)
        return fn.eval_shape(self.variables, row)


def _images(values) -> np.ndarray:
    images = _array(values, "images")
    _check_images(images)
    return images


def _array(values, name: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except jax.errors.TracerArrayConversionError as error:
        raise InputError(
            f"{name} are traced, and a Tokenizer computes on NumPy arrays; within "
            "jax.jit or jax.vmap call the functions of vq_jax.inference.tokenizer, as "
            "encode(tokenizer.model, tokenizer.variables, images)."
        ) from error
    except ValueError as error:
        shapes = sorted({np.shape(value) for value in values})
        raise InputError(
            f"{name} have several shapes, as {shapes[0]} and {shapes[-1]}; give those "
            "of one shape at a time, or crop or pad them first."
        ) from error


def _check_images(images) -> None:
    if images.dtype != np.uint8 or images.ndim != 4:
        raise InputError(
            f"images are {images.dtype} {images.shape}; give uint8 [n, h, w, c], 0 to "
            "255."
        )


def _check_axes(model: Autoencoder, codes) -> None:
    axes = ("n", *model.quantizer.token_axes)
    if codes.ndim != len(axes) or not np.issubdtype(codes.dtype, np.integer):
        raise InputError(
            f"codes are {codes.dtype} {codes.shape}; decode takes integers "
            f"[{', '.join(axes)}], as encode returns them."
        )


def check_has_codes(model: Autoencoder, what: str) -> None:
    """Raises InputError where `what` needs codes and the model has none."""
    if not model.quantizer.codebook_size:
        raise InputError(
            f"{what}: the model has no codes (config.model.quantizer.name='none'); "
            "use reconstruct, or train with a quantizer that has a codebook."
        )
