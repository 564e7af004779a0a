"""Reads and writes goldens, arrays of reference implementations. NumPy only."""

import pathlib
import zlib

import numpy as np

FOLDER = pathlib.Path(__file__).parents[2] / "tests/parity/goldens"


def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of tests/parity/goldens/NAME.npz."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: file[key] for key in file}


def save(name: str, **arrays) -> None:
    """Writes tests/parity/goldens/NAME.npz from arrays, numbers or tensors."""
    arrays = {
        key: np.asarray(value.detach() if hasattr(value, "detach") else value)
        for key, value in arrays.items()
    }
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)


def named_weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Random weights computed from a parameter's name, so that no golden needs them.

    Those of embeddings have deviation 1, others 0.2; scales of norms are around 1.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    spread = 1.0 if name.endswith("embedding.weight") else 0.2
    offset = 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0
    return (offset + spread * rng.standard_normal(shape)).astype(np.float32)


def tiny_images() -> np.ndarray:
    """Two random batches of two images in [-1, 1], float32 [2, 2, 37, 45, 3]."""
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (2, 2, 37, 45, 3)).astype(np.float32)
