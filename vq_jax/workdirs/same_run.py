"""May a run go on from this checkpoint? Only with the same experiment."""

from collections.abc import Mapping
from typing import Any

from etils import epath

from vq_jax.config import paths
from vq_jax.errors import InputError

# What may differ between a run and its resumption: none changes a stored array, and all
# but num_steps, mesh and usage_window leave every later number of training as it was
# (evaluations and sampling decide what evaluations measure). A tokenizer may have
# moved: it is known by its digest.
FREE_FIELDS = (
    "num_steps",
    "mesh",
    "checkpoint",
    "evaluations",
    "log_every",
    "profile",
    "sampling",
    "tokenizer",
    "usage_window",
    "degradation.eval",
    "degradation.eval_seed",
    "data.on_error",
    "data.data_dir",
    "data.num_threads",
    "data.prefetch",
)


def check_config(saved: dict, current: dict, where: epath.Path) -> None:
    """Raises InputError where two configurations differ in more than FREE_FIELDS."""
    saved, current = _flatten(saved), _flatten(current)
    differing = [
        f"  config.{field}: checkpoint {saved.get(field, 'absent')!r}, "
        f"now {current.get(field, 'absent')!r}"
        for field in sorted(saved.keys() | current.keys())
        if saved.get(field) != current.get(field)
        and not paths.below(field, FREE_FIELDS)
    ]
    if differing:
        raise InputError(
            f"{where} was made with another configuration:\n"
            + "\n".join(differing)
            + "\nUse the same configuration, or another --workdir."
        )


def check_origin(
    card: Mapping[str, str], origin: Mapping[str, str], where: epath.Path
) -> None:
    """Raises InputError where a checkpoint's card names another origin, by digest."""
    for name, digest in origin.items():
        if card.get(name) != digest:
            raise InputError(
                f"{where} was made with another {name} than that of config.{name}: "
                f"there {card.get(name, 'none')}, here {digest}. Name the {name} that "
                "it was made with (trained further it is another one), or train anew "
                "in another --workdir."
            )


def _flatten(config: dict) -> dict[str, Any]:
    """Dotted path -> value; lists as JSON keeps them."""
    return {
        field: list(value) if isinstance(value, tuple) else value
        for field, value in paths.flatten(config).items()
    }
