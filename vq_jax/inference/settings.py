"""How codes are drawn, in words and numbers, for the card of what was drawn."""

import dataclasses
from typing import Any

from vq_jax.inference.sampler import Sampler


def settings_card(sampler: Sampler, **changes) -> dict[str, Any]:
    """All settings that codes are drawn with: of `Sampling`, and the prior's own.

    Args:
        sampler: draws them.
        changes: as `Sampler.settings` takes them.

    Raises:
        InputError: as `Sampler.settings`.
    """
    prior, sampling = sampler.settings(**changes)
    own = {name: getattr(prior, name) for name in prior.sampling_fields}
    return {**dataclasses.asdict(sampling), **own}
