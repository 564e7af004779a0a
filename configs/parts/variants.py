"""The variants of an experiment: the words after the colon of `--config=FILE:…`.

`smoke` shrinks any experiment to seconds on a CPU; `vqvae` takes a VQGAN's
discriminator and perceptual loss away; `perceptual` adds LPIPS; the name of a
discriminator gives an experiment that one, and the name of a quantizer replaces its
own. Priors and restorers have `smoke` alone: all others change a tokenizer. An
experiment may have words of its own.
"""

import functools
import re
from collections.abc import Callable, Mapping

from ml_collections import ConfigDict

from configs.parts.adversarial import (
    DISCRIMINATORS,
    drop_discriminator,
    use_discriminator,
)
from configs.parts.losses import drop_perceptual, use_perceptual
from configs.parts.quantizers import QUANTIZERS, change_quantizer
from configs.parts.smoke import shrink

Change = Callable[..., None]


def finish(
    config: ConfigDict, variant: str, own: Mapping[str, Change] | None = None
) -> ConfigDict:
    """Applies the words of a variant, comma-separated, and locks.

    Args:
        own: the experiment's own words, as regular expressions, and what they do, as
            `change(config, *groups)`; they act before all others.
    """
    words, rest = [word for word in variant.split(",") if word], []
    for word in words:
        for pattern, change in (own or {}).items():
            if match := re.fullmatch(pattern, word):
                change(config, *match.groups())
                break
        else:
            rest.append(word)
    common = AUTOENCODER if "model" in config else ON_CODES
    for word in rest:
        if word not in common:
            raise ValueError(_unknown(word, [*common, *(own or {})]))
        common[word](config)
    return config.lock()


def _unknown(word: str, choices: list[str]) -> str:
    choices = f"choose from {sorted(choices)}."
    if word in AUTOENCODER:
        return (
            f"config variant {word!r} changes a tokenizer, and this takes one that is "
            "trained; train the tokenizer with that variant, and name its workdir in "
            f"config.tokenizer; or {choices}"
        )
    return f"config variant {word!r} is unknown; {choices}"


def _vqvae(config: ConfigDict) -> None:
    drop_discriminator(config)
    drop_perceptual(config)
    config.losses.update(l1=0.0, l2=1.0)


# Words of all experiments on the codes of a tokenizer, and of all others.
ON_CODES = {"smoke": shrink}
AUTOENCODER = {
    "smoke": shrink,
    "vqvae": _vqvae,
    "perceptual": use_perceptual,
    **{k: functools.partial(use_discriminator, name=k) for k in DISCRIMINATORS},
    **{k: functools.partial(change_quantizer, family=k) for k in QUANTIZERS},
}
