"""The codes of records, as they are kept on disk."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from vq_jax.data.code_shards import EncodedImage
from vq_jax.errors import InputError
from vq_jax.inference.fit import FittedImage
from vq_jax.inference.tokenizer import Tokenizer


def encode_views(
    tokenizer: Tokenizer, records: Iterable[list[FittedImage]], root: str
) -> Iterator[EncodedImage]:
    """The codes of every view of every record; neighbours of one size go together.

    Args:
        tokenizer: the tokenizer.
        records: the views of each record, as `Views` makes them.
        root: what names begin with that is left out of them.

    Raises:
        InputError: the tokenizer takes images of one size only, and these have another.
    """
    numbered = itertools.chain.from_iterable(map(enumerate, records))
    for shape, group in itertools.groupby(numbered, lambda pair: pair[1].image.shape):
        most = tokenizer.most_at_once(*shape[:2])
        while batch := list(itertools.islice(group, most)):
            _check_size(tokenizer, batch[0][1])
            codes = tokenizer.encode(np.stack([fitted.image for _, fitted in batch]))
            for row, (view, fitted) in zip(codes, batch, strict=True):
                name = fitted.name.removeprefix(root)
                yield EncodedImage(row, name, fitted.label, fitted.size, view)


def _check_size(tokenizer: Tokenizer, fitted: FittedImage) -> None:
    """Raises InputError where the codes are those of one size of images only."""
    try:
        tokenizer.model.tokens_shape(*fitted.image.shape[:2])
    except InputError as error:
        raise InputError(
            f"{fitted.name}: {error} --fit=crop makes all images as large as in "
            "training."
        ) from error
