"""What generator and discriminator minimise against each other, and from which step."""

import dataclasses
from typing import Literal

from jaxtyping import Array, Float
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.config.tables import from_section
from vq_jax.errors import InputError
from vq_jax.losses import adversarial
from vq_jax.ops import diff_augment

Loss = Literal["hinge", "non_saturating", "vanilla"]
WHERE = "config.adversarial"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialObjective:
    """The adversarial losses, their weights and their schedule.

    Steps are those of the generator, from 0.

    Attributes:
        generator_loss, discriminator_loss: see `losses/adversarial.py`.
        weight: of the generator's adversarial loss.
        weighting: "adaptive" multiplies `weight` by the ratio of gradients at the
            decoder's last kernel (`adversarial.adaptive_weight`); "fixed" by 1.
        min_weight, max_weight: the clamp of that ratio.
        disc_start: first step at which the discriminator learns.
        gen_start: first step at which the adversarial loss acts on the generator.
        gen_ramp: steps over which its weight then rises to its full value.
        r1_weight: γ of the R1 penalty γ/2 · E ‖∂D/∂x‖² on real images; 0 has none.
        r1_every: interval of the penalty, which is multiplied by it, in updates of the
            discriminator (StyleGAN2 1912.04958, appendix B).
        lecam_weight, lecam_decay: of the LeCAM loss, and of its moving averages.
        lecam_logits: what that loss takes: "each" logit, as Open-MAGVIT2; the mean of
            an image's, "image_mean"; or the mean of a batch's, as MaskBit, "batch_mean"
            (with gradient accumulation, of a part's).
        augment: names from `ops/diff_augment.py`, for all images that the
            discriminator sees.
        fakes: "shared" trains the discriminator on the reconstructions that the
            generator's loss was computed on. "updated" reconstructs again with the
            updated generator, as VQGAN's released code does, for a second forward pass.
    """

    generator_loss: Loss
    discriminator_loss: Loss
    weight: ranges.Weight
    weighting: Literal["adaptive", "fixed"]
    min_weight: ranges.Weight
    max_weight: ranges.Weight
    disc_start: ranges.Steps
    gen_start: ranges.Steps
    gen_ramp: ranges.Steps
    r1_weight: ranges.Weight
    r1_every: ranges.Count
    lecam_weight: ranges.Weight
    lecam_decay: ranges.Fraction
    lecam_logits: Literal["each", "image_mean", "batch_mean"]
    augment: tuple[Literal[tuple(diff_augment.AUGMENTATIONS)], ...]
    fakes: Literal["shared", "updated"]

    def of_generator(self, fake: adversarial.Logits) -> Float[Array, ""]:
        """The generator's loss, unweighted, from logits of reconstructions."""
        return adversarial.GENERATOR_LOSSES[self.generator_loss](fake)

    def of_discriminator(
        self, real: adversarial.Logits, fake: adversarial.Logits
    ) -> Float[Array, ""]:
        """The discriminator's loss, without LeCAM and R1."""
        return adversarial.DISCRIMINATOR_LOSSES[self.discriminator_loss](real, fake)

    def lecam(
        self, real: adversarial.Logits, fake: adversarial.Logits, averages: dict
    ) -> Float[Array, ""]:
        """LeCAM's loss, unweighted; `averages` are those of "real" and "fake"."""
        take = adversarial.LECAM_LOGITS[self.lecam_logits]
        return adversarial.lecam(
            take(real), take(fake), averages["real"], averages["fake"]
        )

    def generator_weight(self, step, ratio: Float[Array, ""]) -> Float[Array, ""]:
        """What `of_generator` is multiplied with: weight, ratio of gradients, ramp."""
        ramp = adversarial.ramp(step, start=self.gen_start, length=self.gen_ramp)
        return self.weight * ratio * ramp


def build_adversarial_objective(config: ConfigDict) -> AdversarialObjective:
    """The objective of `config.adversarial`.

    Raises:
        InputError: an unknown field or choice, a number out of range, a clamp without
            room, or a generator that learns from a discriminator before that does.
    """
    section = config.adversarial
    objective = from_section(AdversarialObjective, section, WHERE)
    if section.min_weight > section.max_weight:
        raise InputError(
            f"{WHERE}.min_weight={section.min_weight} is above {WHERE}.max_weight="
            f"{section.max_weight}."
        )
    if section.gen_start < section.disc_start:
        raise InputError(
            f"{WHERE}.gen_start={section.gen_start} comes before {WHERE}.disc_start="
            f"{section.disc_start}: the generator would learn from a random net. Make "
            f"it {section.disc_start} or more."
        )
    return objective
