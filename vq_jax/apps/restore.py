"""Restoration of images of any size with a trained restorer.

    restorer = ImageRestorer.load("runs/restore_photos")
    clean = restorer(degraded, fidelity=0.2)

The encoder and the decoder see the whole image at once. The transformer sees windows of
the grid that are as large as in training and overlap by half or more; each code is that
of the window whose middle is nearest. So there are no seams between decoded tiles.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from etils import epath
from jaxtyping import Int, UInt8

from vq_jax import compiler
from vq_jax.apps.windows import windows
from vq_jax.config.checks import check_range
from vq_jax.data.degradations.degradation import enlarge
from vq_jax.inference.load_restorer import SavedRestorer, open_restorer
from vq_jax.inference.padding import check_image, pad_to_few
from vq_jax.inference.restoration import most_likely
from vq_jax.ops import images as image_ops

Image = UInt8[np.ndarray, "_ _ _"]

WINDOWS_AT_ONCE = 16


class ImageRestorer:
    """A trained restorer: degraded uint8 images -> uint8 images.

    What does not fit the stride, or is smaller than a training image, is padded at
    right and bottom by repeating its edge, and cropped back. A model is compiled for
    every padded size that it meets.

    Attributes:
        scale: an output is so many times larger than its image.
        stride: pixels of an output that a code spans in each direction.
        channels: channels of an image.
        config: the configuration of the run.
    """

    def __init__(self, saved: SavedRestorer):
        self._models, self.config = saved.models, saved.config
        self._params = {"params": saved.params}
        self._tokenizer = saved.tokenizer.load()
        self.scale = saved.degradations.train.scale
        self.stride = saved.models.tokenizer.downsampling_factor
        self.channels = saved.models.tokenizer.channels
        self._size = saved.config.data.image_size

    @classmethod
    def load(
        cls, workdir: epath.PathLike, *, tokenizer: epath.PathLike | None = None
    ) -> "ImageRestorer":
        """The restorer that a run trained, from its latest checkpoint.

        `tokenizer` is the workdir of its tokenizer, where that has moved.

        Raises:
            InputError: there is no checkpoint, it holds no restorer, or the tokenizer
                is not there, or another one than that of the training.
        """
        return cls(open_restorer(workdir, tokenizer))

    def __call__(self, image: Image, *, fidelity: float | None = None) -> Image:
        """The image restored, `scale` times as high and as wide.

        Args:
            image: uint8 [h, w, c], 0 to 255.
            fidelity: w in [0, 1], between the predicted codes and the encoder's
                features; see `inference/restoration.py: Models.decode`. By default 1
                with fusions, which learn at that, and else 0.

        Raises:
            InputError: other images, or a fidelity out of range.
        """
        if fidelity is None:
            fidelity = float(bool(self._models.restorer.fuse_levels))
        check_range(fidelity, 0.0, 1.0, where="fidelity")
        check_image("the image", image, self.channels)
        large = enlarge(image, self.scale)
        padded = self.pad(large)
        encoded = self._encode(self._params, padded[None])
        indices = self._predict(encoded.z_e)
        decoded = self._decode(
            self._params, self._tokenizer, indices, encoded, jnp.float32(fidelity)
        )
        height, width = large.shape[:2]
        return np.asarray(decoded)[0, :height, :width]

    def pad(self, large: Image) -> Image:
        """An enlarged image as the model takes it."""
        missing = [(0, max(0, self._size - side)) for side in large.shape[:2]]
        return pad_to_few(np.pad(large, (*missing, (0, 0)), mode="edge"), self.stride)

    def _predict(self, z_e) -> Int[np.ndarray, "1 hq wq"]:
        """The codes of a whole grid, window by window."""
        side = self._size // self.stride
        tops, owners_y = windows(z_e.shape[1], side)
        lefts, owners_x = windows(z_e.shape[2], side)
        corners = [(top, left) for top in tops for left in lefts]
        found = []
        for start in range(0, len(corners), WINDOWS_AT_ONCE):
            few = corners[start : start + WINDOWS_AT_ONCE]
            # One program for all: the last ones are filled up with any others.
            few = np.array(few + [few[0]] * (WINDOWS_AT_ONCE - len(few)))
            found.append(self._codes(self._params, self._tokenizer, z_e, few))
        of_window = np.concatenate(found).reshape(-1, side, side)
        y, x = np.arange(z_e.shape[1])[:, None], np.arange(z_e.shape[2])[None]
        number = owners_y[:, None] * len(lefts) + owners_x[None]
        return of_window[
            number, y - tops[owners_y][:, None], x - lefts[owners_x][None]
        ][None]

    @functools.cached_property
    def _encode(self) -> Callable:
        restorer = self._models.restorer

        def encode(params, images):
            images = image_ops.from_uint8(images)
            return restorer.apply(params, images, train=False, method="encode")

        return compiler.jit(encode)

    @functools.cached_property
    def _codes(self) -> Callable:
        """(params, tokenizer, z_e [1, hq, wq, d], corners [n, 2]) -> [n, side, side]"""
        models, side = self._models, self._size // self.stride

        def codes(params, tokenizer, z_e, corners):
            offsets = jnp.arange(side)
            rows = corners[:, :1] + offsets[None]
            columns = corners[:, 1:] + offsets[None]
            cut = z_e[0][rows[:, :, None], columns[:, None, :]]
            logits = models.restorer.apply(
                params, cut, models.codebook(tokenizer), train=False, method="logits"
            )
            return most_likely(logits)

        return compiler.jit(codes)

    @functools.cached_property
    def _decode(self) -> Callable:
        models = self._models

        def decode(params, tokenizer, indices, encoded, fidelity):
            arguments = (params, tokenizer, indices, encoded, fidelity)
            return image_ops.to_uint8(models.decode(*arguments))

        return compiler.jit(decode)
