"""Degradations by name: for training, and of one strength for evaluation.

Where a number comes from: [R] Real-ESRGAN's first round (2107.10833, section 4.1), [D]
DnCNN's blind models (1608.03981, section IV.A), [C] CodeFormer's order of operations
(2206.11253), [o] ours. Ranges are uniform, sizes are in pixels of the training image,
and nothing is scaled with it.
"""

from collections.abc import Mapping

from vq_jax.config.checks import choose
from vq_jax.data.degradations.degradation import Degradation
from vq_jax.data.degradations.operations import (
    Blur,
    GaussianNoise,
    Hole,
    Jpeg,
    MotionBlur,
    OneOf,
    PoissonNoise,
    Shrink,
)

# [R] six kinds, σ, and the two shapes.
BLUR = Blur(
    sigma=(0.2, 3.0),
    kinds={
        "gaussian_isotropic": 0.45,
        "gaussian_anisotropic": 0.25,
        "generalised_isotropic": 0.12,
        "generalised_anisotropic": 0.03,
        "plateau_isotropic": 0.12,
        "plateau_anisotropic": 0.03,
    },
    generalised_beta=(0.5, 4.0),
    plateau_beta=(1.0, 2.0),
)
# [o] up to a quarter of a crop of 64.
MOTION = MotionBlur(length=(1.0, 15.0))
# [R] the three kinds, equally likely.
KINDS = {"area": 1.0, "bilinear": 1.0, "bicubic": 1.0}
BICUBIC = {"bicubic": 1.0}


def _super_resolution(scale: int, kinds: Mapping[str, float]) -> Degradation:
    return Degradation((Shrink((float(scale), float(scale)), kinds),), scale)


TRAINING = {
    # [D] σ up to 55, in colour.
    "denoise": Degradation((GaussianNoise((0.0, 55.0)),)),
    # [o] two blurs in three are round; and the noise of a good camera, without which
    # the inverse of a blur would do.
    "deblur": Degradation(
        (
            OneOf(((BLUR, 2.0), (MOTION, 1.0))),
            GaussianNoise((0.0, 2.0)),
        )
    ),
    # [o] 10 to 40 and a margin; above, a tokenizer of 3 bits for 16 pixels loses more
    # than JPEG does.
    "jpeg": Degradation((Jpeg((5, 50)),)),
    # [o] from a small hole to one with little of the crop around it.
    "holes": Degradation((Hole((0.25, 0.75)),)),
    # [o] no blur and no noise, but any of three kernels.
    "super_resolution_x2": _super_resolution(2, KINDS),
    "super_resolution_x4": _super_resolution(4, KINDS),
    # [C] blur, smaller, noise, JPEG, and back to the size. [R] half of the noise is
    # Gaussian, 0.4 of it grey, σ 1 to 30, scale 0.05 to 3; quality 30 to 95. [o] factor
    # up to 4: [R] has 1/0.15, [C] 30 of 512 pixels.
    "blind": Degradation(
        (
            OneOf(((BLUR, 4.0), (MOTION, 1.0))),
            Shrink((1.0, 4.0), KINDS),
            OneOf(
                (
                    (GaussianNoise((1.0, 30.0), grey=0.4), 1.0),
                    (PoissonNoise((0.05, 3.0), grey=0.4), 1.0),
                )
            ),
            Jpeg((30, 95)),
        )
    ),
}

# [D] σ 15, 25 and 50, quality 10 to 40, bicubic scaling by 2 and 4; [o] the blur.
FIXED = {
    **{
        f"noise_{sigma}": Degradation((GaussianNoise((float(sigma), float(sigma))),))
        for sigma in (15, 25, 50)
    },
    **{f"jpeg_{q}": Degradation((Jpeg((q, q)),)) for q in (10, 20, 30, 40)},
    **{f"bicubic_x{s}": _super_resolution(s, BICUBIC) for s in (2, 4)},
    "hole_half": Degradation((Hole((0.5, 0.5)),)),
    "gaussian_blur": Degradation(
        (
            Blur((2.0, 2.0), {"gaussian_isotropic": 1.0}),
            GaussianNoise((2.0, 2.0)),
        )
    ),
}

DEGRADATIONS = {**TRAINING, **FIXED}


def degradation(name: str, where: str) -> Degradation:
    """The degradation of this name.

    Raises:
        InputError: there is none; `where` is the path of the field that has the name.
    """
    return choose(DEGRADATIONS, name, where)
