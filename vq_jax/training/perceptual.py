"""The perceptual term of a configuration."""

from collections.abc import Callable, Mapping

from ml_collections import ConfigDict

from vq_jax.config.checks import check_choice
from vq_jax.losses.terms import PERCEPTUAL
from vq_jax.models.perceptual.lpips import NETS, Lpips


def make_perceptual(
    config: ConfigDict, loss_weights: Mapping[str, float]
) -> Callable | None:
    """(nets, recon, images) -> LPIPS [b] with `config.net`; None without a weight.

    `nets` is {name of a net: its parameters}. Gradients reach `recon` and `images`.

    Raises:
        InputError: the net is unknown.
    """
    if PERCEPTUAL not in loss_weights:
        return None
    check_choice(config.net, NETS, "config.perceptual.net")
    lpips = Lpips(net=config.net)

    def perceptual(nets, recon, images):
        return lpips.apply({"params": nets[config.net]}, recon, images)

    return perceptual
