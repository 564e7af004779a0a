"""Discrete image tokenizers in JAX and Flax: VQ-VAE and its relatives.

VQ means *vector quantised*. `vq_jax.Tokenizer.load(workdir)` is the way in for trained
tokenizers, `vq_jax.Sampler.load(workdir)` for trained priors, which draw new images;
importing the package does no JAX work.
"""

__version__ = "0.2.0"
__all__ = ["InputError", "Sampler", "Tokenizer", "__version__"]

from vq_jax.errors import InputError


def __getattr__(name: str):
    # Deferred, so that `import vq_jax` stays free of jax (PEP 562).
    if name == "Tokenizer":
        from vq_jax.inference.tokenizer import Tokenizer

        return Tokenizer
    if name == "Sampler":
        from vq_jax.inference.sampler import Sampler

        return Sampler
    raise AttributeError(f"module 'vq_jax' has no attribute {name!r}")
