"""From `config.evaluations` to evaluations: the table of all kinds."""

from ml_collections import ConfigDict

from vq_jax.config.fields import check_known
from vq_jax.config.tables import from_section
from vq_jax.errors import InputError
from vq_jax.evaluation.base import Evaluation, Subject
from vq_jax.evaluation.generation import Generation
from vq_jax.evaluation.likelihood import Likelihood
from vq_jax.evaluation.neighbours import Neighbours
from vq_jax.evaluation.recognition import Recognition
from vq_jax.evaluation.reconstruction import Reconstruction, ReconstructionPictures
from vq_jax.evaluation.restoration import Restoration, RestorationPictures
from vq_jax.evaluation.samples import Samples

EVALUATIONS = {
    "generation": Generation,
    "likelihood": Likelihood,
    "neighbours": Neighbours,
    "pictures": ReconstructionPictures,
    "recognition": Recognition,
    "reconstruction": Reconstruction,
    "restoration": Restoration,
    "restored_pictures": RestorationPictures,
    "samples": Samples,
}


def build_evaluations(config: ConfigDict, subject: Subject) -> dict[str, Evaluation]:
    """Name of a section of `config.evaluations` -> the evaluation it describes.

    Raises:
        InputError: an unknown kind or field, or a value that it does not take.
    """
    made = {}
    for name, section in config.evaluations.items():
        check_known(name, EVALUATIONS, "config.evaluations")
        kind, where = EVALUATIONS[name], f"config.evaluations.{name}"
        if type(subject) is not kind.SUBJECT:
            raise InputError(
                f"{where} does not evaluate a run of config.task={config.task!r}; "
                "leave that section out."
            )
        made[name] = from_section(kind, section, where, subject=subject, where=where)
    return made
