"""A tiny tokenizer with a prior of two classes, and images of these in idx files."""

import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath
from ml_collections import ConfigDict

from configs.parts import data as data_parts
from vq_jax import sharding
from vq_jax.evaluation.prior import PriorSubject
from vq_jax.inference.code_data import OnlineCodes
from vq_jax.inference.load import SavedTokenizer
from vq_jax.models.build import build_autoencoder
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.ops.sampling import Sampling
from vq_jax.testing import priors, tiny

SIZE = 16
COUNTS = {"train": 50, "t10k": 20}


def _write_idx(path, array):
    header = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder of idx files: grey squares, dark ones of class 0, bright ones of 1."""
    folder = tmp_path_factory.mktemp("idx")
    for seed, (name, count) in enumerate(COUNTS.items()):
        labels = np.arange(count, dtype=np.uint8) % 2
        pixels = (
            tiny.images(count, SIZE, seed)[..., 0] // 3 + 150 * labels[:, None, None]
        )
        _write_idx(folder / f"{name}-images-idx3-ubyte", pixels.astype(np.uint8))
        _write_idx(folder / f"{name}-labels-idx1-ubyte", labels)
    return folder


@pytest.fixture(scope="session")
def tiny_prior(images):
    """`tiny_prior(**fields)`: a subject whose prior has these fields; the variables of
    the prior; those of the tokenizer, as nets."""
    section = ConfigDict(tiny.model_config())
    model = build_autoencoder(section, channels=1)
    data = ConfigDict(data_parts.photos())
    data.update(source=f"idx:{images}", image_size=SIZE, channels=1, flip=False)
    data.update(resize="none", crop="center", train_split="train", eval_split="test")
    config = ConfigDict({"data": data, "model": section, "ema_decay": 0.0})
    tokenizer = SavedTokenizer(epath.Path("nowhere"), model, config, 0)
    init = jax.jit(model.init, static_argnames="train")
    nets = {
        TOKENIZER: init(jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 1)), train=False)
    }

    def make(**fields):
        prior = priors.build("independent", tokenizer.layout, **fields)
        subject = PriorSubject(
            prior,
            data,
            "test",
            sharding.make_mesh(data=-1, fsdp=1),
            tokenizer=tokenizer,
            code_data=OnlineCodes(tokenizer, data),
            sampling=Sampling(),
        )
        return subject, priors.variables(prior, random=0.5), nets

    return make
