"""Builds modules from a configuration, with the tables of their names."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypedDict

from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.config.checks import choose
from vq_jax.config.fields import check_section, check_value, field_names
from vq_jax.config.tables import class_of, from_section, from_table
from vq_jax.errors import InputError
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.decoders.conv import ConvDecoder
from vq_jax.models.decoders.resnet import ResnetDecoder
from vq_jax.models.discriminators.base import Discriminator
from vq_jax.models.discriminators.blur_patch import BlurPatchDiscriminator
from vq_jax.models.discriminators.patchgan import PatchDiscriminator
from vq_jax.models.discriminators.stylegan import StyleGanDiscriminator
from vq_jax.models.encoders.conv import ConvEncoder
from vq_jax.models.encoders.resnet import ResnetEncoder
from vq_jax.models.heads import DeterministicHead, GaussianHead, IdentityHead
from vq_jax.models.priors.autoregressive import AutoregressivePrior
from vq_jax.models.priors.base import Prior
from vq_jax.models.priors.gpt import GptPrior
from vq_jax.models.priors.independent import IndependentPrior
from vq_jax.models.priors.maskgit import MaskGitPrior
from vq_jax.models.priors.next_scale import NextScalePrior
from vq_jax.models.priors.pixelcnn import PixelCnnPrior
from vq_jax.models.priors.random_order import RandomOrderPrior
from vq_jax.models.quantizers.base import Quantizer
from vq_jax.models.quantizers.binary_spherical import BinarySphericalQuantizer
from vq_jax.models.quantizers.clustered_vector import ClusteredVectorQuantizer
from vq_jax.models.quantizers.finite_scalar import FiniteScalarQuantizer
from vq_jax.models.quantizers.gumbel import GumbelQuantizer
from vq_jax.models.quantizers.identity import IdentityQuantizer
from vq_jax.models.quantizers.index_backprop import IndexBackpropagationQuantizer
from vq_jax.models.quantizers.lookup_free import LookupFreeQuantizer
from vq_jax.models.quantizers.multi_scale import MultiScaleQuantizer
from vq_jax.models.quantizers.product import ProductQuantizer
from vq_jax.models.quantizers.projected import ProjectedQuantizer
from vq_jax.models.quantizers.residual import ResidualQuantizer
from vq_jax.models.quantizers.sim_vector import SimVectorQuantizer
from vq_jax.models.quantizers.soft import SoftQuantizer
from vq_jax.models.quantizers.vector import VectorQuantizer
from vq_jax.models.quantizers.vector_ema import EmaVectorQuantizer
from vq_jax.models.restorer import Restorer
from vq_jax.ops import likelihoods

ENCODERS = {"conv": ConvEncoder, "resnet": ResnetEncoder}
DECODERS = {"conv": ConvDecoder, "resnet": ResnetDecoder}
DISCRIMINATORS = {
    "blur_patch": BlurPatchDiscriminator,
    "patchgan": PatchDiscriminator,
    "stylegan": StyleGanDiscriminator,
}
HEADS = {
    "deterministic": DeterministicHead,
    "gaussian": GaussianHead,
    "identity": IdentityHead,
}
QUANTIZERS = {
    "bsq": BinarySphericalQuantizer,
    "cvq": ClusteredVectorQuantizer,
    "fsq": FiniteScalarQuantizer,
    "gumbel": GumbelQuantizer,
    "ibq": IndexBackpropagationQuantizer,
    "lfq": LookupFreeQuantizer,
    "multi_scale": MultiScaleQuantizer,
    "none": IdentityQuantizer,
    "product": ProductQuantizer,
    "residual": ResidualQuantizer,
    "simvq": SimVectorQuantizer,
    "soft": SoftQuantizer,
    "vq": VectorQuantizer,
    "vq_ema": EmaVectorQuantizer,
}
PRIORS = {
    "autoregressive": AutoregressivePrior,
    "gpt": GptPrior,
    "independent": IndependentPrior,
    "maskgit": MaskGitPrior,
    "next_scale": NextScalePrior,
    "pixelcnn": PixelCnnPrior,
    "random_order": RandomOrderPrior,
}
LIKELIHOODS = {likelihood.name: likelihood for likelihood in likelihoods.ALL}


class ModelFields(TypedDict):
    """The section `config.model`; its own sections are built by their tables.

    Attributes:
        dtype: of convolutions and latents; parameters are float32.
        code_dim: channels of codes, but for families that have their own number.
        latent_dim: channels of the latents where linear maps lead from there to the
            codes and back; 0 has no maps.
        likelihood: one of LIKELIHOODS.
    """

    dtype: Literal["bfloat16", "float32"]
    code_dim: ranges.Width
    latent_dim: Annotated[int, ranges.Range(0, 2**14)]
    likelihood: str
    encoder: Mapping
    head: Mapping
    quantizer: Mapping
    decoder: Mapping


def build_autoencoder(config: ConfigDict, *, channels: int) -> Autoencoder:
    """The autoencoder that `config.model` describes, for images of so many channels.

    Raises:
        InputError: an unknown name or field, or an encoder and a decoder of different
            strides.
    """
    check_section(ModelFields, config, "config.model")
    likelihood = choose(LIKELIHOODS, config.likelihood, "config.model.likelihood")
    out_channels = channels * likelihood.outputs_per_channel
    shared = {"dtype": config.dtype}
    encoder = from_table(ENCODERS, config.encoder, "config.model.encoder", **shared)
    decoder = from_table(
        DECODERS,
        config.decoder,
        "config.model.decoder",
        out_channels=out_channels,
        **shared,
    )
    if encoder.downsampling_factor != decoder.upsampling_factor:
        raise InputError(
            f"config.model.encoder shrinks by {encoder.downsampling_factor} but "
            f"config.model.decoder grows by {decoder.upsampling_factor}; give "
            "num_downsamples and num_upsamples, or both multipliers, the same length."
        )
    quantizer = _build_latent_quantizer(config)
    code_dim = quantizer.input_dim or config.code_dim
    return Autoencoder(
        encoder=encoder,
        head=from_table(
            HEADS, config.head, "config.model.head", code_dim=code_dim, **shared
        ),
        quantizer=quantizer,
        decoder=decoder,
        likelihood=likelihood,
        channels=channels,
    )


def build_discriminator(config: ConfigDict, dtype: str) -> Discriminator:
    """The discriminator that `config.discriminator` describes.

    Raises:
        InputError: an unknown name or field.
    """
    return from_table(DISCRIMINATORS, config, "config.discriminator", dtype=dtype)


def build_prior(config: ConfigDict, tokenizer: Autoencoder, image_size: int) -> Prior:
    """The prior that `config.prior` describes, over the tokenizer's codes of an image.

    Raises:
        InputError: an unknown name or field, or a family that is none over these codes.
    """
    layout = tokenizer.token_layout(image_size, image_size)
    if not layout.codebook_size:
        raise InputError(
            "config.tokenizer: the tokenizer has no codes "
            "(config.model.quantizer.name='none'), so there is nothing to learn; train "
            "one with a quantizer that has a codebook."
        )
    family = class_of(PRIORS, config, "config.prior")
    derived = family.fields_of(tokenizer.quantizer)
    prior = from_table(PRIORS, config, "config.prior", layout=layout, **derived)
    if prior.class_dropout and not prior.num_classes:
        raise InputError(
            f"config.prior.class_dropout={prior.class_dropout} has no effect on a "
            "prior without classes; set config.prior.num_classes, or leave it 0."
        )
    return prior


def build_restorer(config: ConfigDict, tokenizer: Autoencoder) -> Restorer:
    """The restorer that `config.restorer` describes, with the tokenizer's encoder.

    Raises:
        InputError: a field that does not fit, or a tokenizer that has no codes or
            several a position.
    """
    quantizer, name = tokenizer.quantizer, type(tokenizer.quantizer).__name__
    if not quantizer.codebook_size:
        raise InputError(
            "config.tokenizer: the tokenizer has no codes "
            "(config.model.quantizer.name='none'), so there are none to predict; train "
            "one with a quantizer that has a codebook."
        )
    if quantizer.token_axes != ("hq", "wq"):
        raise InputError(
            f"config.tokenizer: its {name} has several codes a position, with axes "
            f"{quantizer.token_axes}, and restoration predicts one; train a tokenizer "
            "whose quantizer is none of 'product', 'residual' and 'multi_scale'."
        )
    return from_section(
        Restorer,
        config,
        "config.restorer",
        encoder=tokenizer.encoder.clone(),
        head=tokenizer.head.clone(),
    )


def _build_latent_quantizer(config: ConfigDict) -> Quantizer:
    """The quantizer, between two linear maps where `config.latent_dim` is not 0."""
    if not config.latent_dim:
        return build_quantizer(config.quantizer, config.code_dim, config.dtype)
    inner = build_quantizer(config.quantizer, config.code_dim, "float32")
    if not inner.input_dim:
        raise InputError(
            f"config.model.latent_dim={config.latent_dim} needs codes to map to, and "
            f"config.model.quantizer.name={config.quantizer.name!r} has none; set it 0."
        )
    return ProjectedQuantizer(
        inner=inner, latent_dim=config.latent_dim, dtype=config.dtype
    )


def build_quantizer(
    config: ConfigDict,
    code_dim: int,
    dtype: str,
    where: str = "config.model.quantizer",
) -> Quantizer:
    """The quantizer that `config.name` names, built on that of `config.inner` if any.

    Args:
        code_dim: D of families whose codes are vectors; product heads divide it.
        where: path of `config` in the whole configuration, for errors.

    Raises:
        InputError: an unknown name or field, or heads that do not divide `code_dim`.
    """
    family = choose(QUANTIZERS, config.name, f"{where}.name")
    derived = {"dtype": dtype}
    if "code_dim" in field_names(family):
        derived["code_dim"] = code_dim
    if "inner" not in field_names(family):
        return from_table(QUANTIZERS, config, where, **derived)
    if "inner" not in config:
        raise InputError(
            f"{where}.inner is missing: {config.name!r} needs a quantizer to build "
            "on, such as {'name': 'vq_ema'}."
        )
    check_value(Mapping, config.inner, f"{where}.inner")
    outer = ConfigDict({k: v for k, v in config.items() if k != "inner"})
    quantizer = from_table(QUANTIZERS, outer, where, **derived)
    heads = getattr(quantizer, "num_heads", 1)
    if code_dim % heads:
        raise InputError(
            f"{where}.num_heads={heads} must divide config.model.code_dim={code_dim}."
        )
    # Codes are summed or joined in float32, and rounded to dtype once.
    inner = build_quantizer(
        config.inner, code_dim // heads, "float32", f"{where}.inner"
    )
    return quantizer.clone(inner=inner)
