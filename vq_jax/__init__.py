"""Discrete image tokenizers in JAX and Flax: VQ-VAE and its relatives.

VQ means *vector quantised*. `vq_jax.Tokenizer.load(workdir)` is the way in for trained
models; importing the package does no JAX work.
"""

__version__ = "0.2.0"
__all__ = ["InputError", "Tokenizer", "__version__"]

from vq_jax.errors import InputError


def __getattr__(name: str):
    # Deferred, so that `import vq_jax` stays free of jax (PEP 562).
    if name == "Tokenizer":
        from vq_jax.inference.tokenizer import Tokenizer

        return Tokenizer
    raise AttributeError(f"module 'vq_jax' has no attribute {name!r}")
