"""Checkpoints: state, data iterator and configuration, written together by Orbax."""

from collections.abc import Iterable
from typing import Any

import grain
import jax
import orbax.checkpoint as ocp
from etils import epath
from ml_collections import ConfigDict

import vq_jax
from vq_jax.config import paths
from vq_jax.config.checks import check_ranges
from vq_jax.errors import InputError
from vq_jax.workdirs import legacy

STATE, DATA, CONFIG, CARD = "state", "data", "config", "card"

# What may differ between a run and its resumption: none changes a stored array, and all
# but num_steps, mesh and usage_window leave every later number as it was.
FREE_FIELDS = (
    "num_steps",
    "mesh",
    "checkpoint",
    "evaluations",
    "log_every",
    "usage_window",
    "data.on_error",
    "data.data_dir",
    "data.num_threads",
    "data.prefetch",
)

RANGES = {"every": (0,), "keep": (1,), "keep_every": (0,)}


class Checkpointer:
    """Saves to and restores from `workdir/checkpoints`.

    Writing is asynchronous and atomic: a killed process leaves either a whole
    checkpoint or one that nobody sees. `config.checkpoint` has `keep`, the number of
    latest checkpoints to keep, and `keep_every`, the interval in steps of those kept
    for good (0 for none). `model_path` says where in the state the TrainState of the
    model lies that others may use; "" where the state is that.
    """

    def __init__(self, workdir: epath.PathLike, config: ConfigDict, model_path: str):
        self._config = config.to_dict()
        self._card = {"vq_jax": vq_jax.__version__, "model_path": model_path}
        options = ocp.CheckpointManagerOptions(
            max_to_keep=config.checkpoint.keep,
            keep_period=config.checkpoint.keep_every or None,
            enable_async_checkpointing=True,
        )
        self._manager = ocp.CheckpointManager(directory(workdir), options=options)

    @property
    def latest_step(self) -> int | None:
        return self._manager.latest_step()

    def save(self, step: int, state, iterator: grain.DatasetIterator) -> None:
        """Starts to save; state and iterator may change as soon as this returns."""
        if step in self._manager.all_steps():
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(
                **{
                    STATE: ocp.args.PyTreeSave(state),
                    DATA: grain.checkpoint.CheckpointSave(iterator),
                    CONFIG: ocp.args.JsonSave(self._config),
                    CARD: ocp.args.JsonSave(self._card),
                }
            ),
        )

    def restore(self, abstract_state, iterator: grain.DatasetIterator):
        """The latest state, onto the shardings of `abstract_state`; sets `iterator`.

        Raises:
            InputError: the checkpoint was made with a configuration that does not fit.
        """
        saved = legacy.upgraded(_read_json(self._manager, self.latest_step, CONFIG))
        _check_same_config(saved, self._config, self._manager.directory)
        _check_processes(self._manager.directory / str(self.latest_step) / DATA)
        shapes = _saved_shapes(self._manager, self.latest_step)
        wanted = _shapes(abstract_state)
        _check_shapes(shapes, wanted, shapes | wanted, self._manager.directory)
        restored = self._manager.restore(
            self.latest_step,
            args=ocp.args.Composite(
                **{
                    STATE: _restore_args(abstract_state),
                    DATA: grain.checkpoint.CheckpointRestore(iterator),
                }
            ),
        )
        return restored[STATE]

    def wait(self) -> None:
        """Returns when everything is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        self._manager.close()


def check_section(config: ConfigDict) -> None:
    """Raises InputError where a number in `config.checkpoint` is out of range."""
    check_ranges(config.checkpoint, RANGES, "config.checkpoint")


def directory(workdir: epath.PathLike) -> epath.Path:
    """Where the checkpoints of a run lie."""
    return epath.Path(workdir).resolve() / "checkpoints"


def check_same_experiment(workdir: epath.PathLike, config: ConfigDict) -> None:
    """Finds out whether a run in `workdir`, if there is one, would end as a fresh one.

    Raises:
        InputError: it has a checkpoint that was made with a configuration that does not
            fit, or with other `num_steps`, which schedules depend on.
    """
    path = directory(workdir)
    if not path.exists() or not ocp.utils.checkpoint_steps(path):
        return
    saved, _ = load_config(workdir)
    _check_same_config(saved.to_dict(), config.to_dict(), path)
    if saved.num_steps != config.num_steps:
        raise InputError(
            f"{path} is of a run of {saved.num_steps} steps, not {config.num_steps}; "
            "schedules depend on the number. Use the same, or another --workdir."
        )


def load_config(workdir: epath.PathLike) -> tuple[ConfigDict, int]:
    """Configuration and step of the latest checkpoint.

    Raises:
        InputError: there is no checkpoint.
    """
    with _open(workdir) as manager:
        step = manager.latest_step()
        config = _read_json(manager, step, CONFIG)
    return ConfigDict(legacy.upgraded(config)), step


def load_model_state(workdir: epath.PathLike, step: int, abstract_parts) -> Any:
    """Parts of the model's TrainState at `step`; nothing else is read.

    `abstract_parts` has shapes, dtypes and shardings by the name of the part, as
    {"params": …}.

    Raises:
        InputError: the checkpoint lacks a part, or has it in another shape.
    """
    with _open(workdir) as manager:
        path = _model_path(manager, step)
        if path:
            abstract_parts = {path: abstract_parts}
        wanted = _shapes(abstract_parts)
        _check_shapes(_saved_shapes(manager, step), wanted, wanted, workdir)
        args = ocp.args.Composite(**{STATE: _restore_args(abstract_parts)})
        restored = manager.restore(step, args=args)
    return restored[STATE][path] if path else restored[STATE]


def _restore_args(abstract_state) -> ocp.args.PyTreeRestore:
    """Arguments to read these arrays and no others, onto their shardings."""
    # Partial, too, where all are read: empty nodes of the tree do not count.
    return ocp.args.PyTreeRestore(
        abstract_state,
        restore_args=ocp.checkpoint_utils.construct_restore_args(abstract_state),
        partial_restore=True,
    )


def _read_json(manager: ocp.CheckpointManager, step: int, item: str) -> dict:
    args = ocp.args.Composite(**{item: ocp.args.JsonRestore()})
    return manager.restore(step, args=args)[item]


def _model_path(manager: ocp.CheckpointManager, step: int) -> str:
    """Where in the state the model's TrainState is: a field of it, or "" for itself."""
    if (manager.directory / str(step) / CARD).exists():
        return _read_json(manager, step, CARD)["model_path"]
    return legacy.model_path(_read_json(manager, step, CONFIG))


def _saved_shapes(manager: ocp.CheckpointManager, step: int) -> dict[str, tuple]:
    """{path: shape} of the state's arrays on disk."""
    path = manager.directory / str(step) / STATE
    return _shapes(ocp.PyTreeCheckpointHandler().metadata(path).tree)


def _shapes(tree) -> dict[str, tuple]:
    """{path: shape}, whatever the containers are."""
    leaves = jax.tree_util.tree_leaves_with_path(
        tree, is_leaf=lambda leaf: hasattr(leaf, "shape")
    )
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): tuple(leaf.shape)
        for path, leaf in leaves
        if hasattr(leaf, "shape")
    }


def _check_shapes(
    saved: dict, wanted: dict, paths: Iterable[str], where: epath.PathLike
) -> None:
    """Raises InputError where an array of `paths` is not the same in both."""
    wrong = [
        f"  {path}: here {wanted.get(path, 'absent')}, there "
        f"{saved.get(path, 'absent')}"
        for path in paths
        if saved.get(path) != wanted.get(path)
    ]
    if wrong:
        shown = wrong[:10] + ([f"  … and {len(wrong) - 10} more"] * (len(wrong) > 10))
        raise InputError(
            f"the checkpoint in {where} holds another state than this configuration "
            "and this version of vq_jax have:\n"
            + "\n".join(shown)
            + "\nUse the version and the model that made it, or another --workdir."
        )


def _open(workdir: epath.PathLike) -> ocp.CheckpointManager:
    path = directory(workdir)
    if not path.exists():
        raise InputError(
            f"{workdir} holds no checkpoint ({path} does not exist); train first: "
            f"python train.py --config=configs/quickstart.py --workdir={workdir}"
        )
    # Not `read_only`, of which Orbax warns three times; nothing here writes.
    options = ocp.CheckpointManagerOptions(
        create=False, enable_async_checkpointing=False
    )
    manager = ocp.CheckpointManager(path, options=options)
    if manager.latest_step() is None:
        raise InputError(f"{path} holds no finished checkpoint; train first.")
    return manager


def _check_same_config(saved: dict, current: dict, where: epath.Path) -> None:
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


def _check_processes(path: epath.Path) -> None:
    """Raises InputError where another number of processes saved its data iterators."""
    saved, here = len(list(path.glob("process_*.json"))), jax.process_count()
    if saved != here:
        raise InputError(
            f"{path.parent} was saved by {saved} process(es), this run has {here}; "
            "start as many, or take another --workdir."
        )


def _flatten(config: dict) -> dict[str, Any]:
    """Dotted path -> value; lists as JSON keeps them."""
    return {
        field: list(value) if isinstance(value, tuple) else value
        for field, value in paths.flatten(config).items()
    }
