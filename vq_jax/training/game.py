"""The rules between generator and discriminator, from `config.adversarial`."""

import dataclasses
from typing import Literal

from ml_collections import ConfigDict

from vq_jax.config.checks import check_choice
from vq_jax.config.tables import check_literals
from vq_jax.errors import InputError
from vq_jax.losses import adversarial
from vq_jax.ops import diff_augment

Loss = Literal["hinge", "non_saturating", "vanilla"]


@dataclasses.dataclass(frozen=True)
class Game:
    """What both sides are told; steps are those of the generator, from 0.

    Attributes:
        generator_loss, discriminator_loss: see `losses/adversarial.py`.
        weight: of the generator's adversarial loss.
        weighting: "adaptive" multiplies `weight` by the ratio of gradients at the
            decoder's last kernel (`adversarial.adaptive_weight`); "fixed" by 1.
        min_weight, max_weight: the clamp of that ratio.
        disc_start: first step at which the discriminator learns.
        gen_start: first step at which the generator learns from it.
        gen_ramp: steps over which the generator's weight then rises to its full value.
        r1_weight: γ of the R1 penalty γ/2 · E ‖∂D/∂x‖² on real images; 0 has none.
        r1_every: interval of the penalty, which is multiplied by it, in updates of the
            discriminator (StyleGAN2 1912.04958, appendix B).
        lecam_weight, lecam_decay: of the LeCAM term, and of its moving averages.
        augment: names from `ops/diff_augment.py`, for all that the discriminator sees.
        fakes: "shared" shows the discriminator the reconstructions that the generator
            learns from. "updated" reconstructs again with the updated generator, as
            VQGAN's released code does, which costs a second forward pass.
    """

    generator_loss: Loss = "hinge"
    discriminator_loss: Loss = "hinge"
    weight: float = 0.8
    weighting: Literal["adaptive", "fixed"] = "adaptive"
    min_weight: float = 0.0
    max_weight: float = 1e4
    disc_start: int = 0
    gen_start: int = 0
    gen_ramp: int = 0
    r1_weight: float = 0.0
    r1_every: int = 16
    lecam_weight: float = 0.0
    lecam_decay: float = 0.999
    augment: tuple[str, ...] = ()
    fakes: Literal["shared", "updated"] = "shared"


WHERE = "config.adversarial"


def make_game(config: ConfigDict) -> Game:
    """The rules of `config.adversarial`, checked but for `setup.LIMITS`.

    Raises:
        InputError: an unknown choice, a clamp without room, a generator that starts to
            learn from a discriminator that has not.
    """
    check_literals(Game, config.to_dict(), WHERE)
    for name in config.augment:
        check_choice(name, diff_augment.AUGMENTATIONS, f"{WHERE}.augment")
    if config.min_weight > config.max_weight:
        raise InputError(
            f"{WHERE}.min_weight={config.min_weight} is above {WHERE}.max_weight="
            f"{config.max_weight}."
        )
    if config.gen_start < config.disc_start:
        raise InputError(
            f"{WHERE}.gen_start={config.gen_start} comes before {WHERE}.disc_start="
            f"{config.disc_start}: the generator would learn from a random net. Make it"
            f" {config.disc_start} or more."
        )
    return Game(**{**config.to_dict(), "augment": tuple(config.augment)})


def losses(game: Game):
    """The two loss functions, of fake logits and of (real, fake) logits."""
    return (
        adversarial.GENERATOR_LOSSES[game.generator_loss],
        adversarial.DISCRIMINATOR_LOSSES[game.discriminator_loss],
    )
