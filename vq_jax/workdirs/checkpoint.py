"""Checkpoints: state, data iterator and configuration, written together by Orbax."""

from collections.abc import Mapping
from typing import Any, TypedDict

import grain
import jax
import orbax.checkpoint as ocp
from etils import epath
from ml_collections import ConfigDict

import vq_jax
from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.workdirs import damage, digests, files, legacy, same_run

ITEMS = STATE, DATA, CONFIG, CARD = "state", "data", "config", "card"

OTHER_MODEL = "Use the version and the model that made it, or another --workdir."
OTHER_VERSION = "Use the version of vq_jax that made it."


class CheckpointFields(TypedDict):
    """The section `config.checkpoint`.

    Attributes:
        every: interval of saving, in steps; 0 saves after the last one only.
        keep: number of latest checkpoints to keep.
        keep_every: interval in steps of those kept for good; 0 for none.
    """

    every: ranges.Steps
    keep: ranges.Count
    keep_every: ranges.Steps


class Checkpointer:
    """Saves to and restores from `workdir/checkpoints`.

    Writing is asynchronous and atomic: a killed process leaves either a whole
    checkpoint or one that nobody sees. It has digests, so that whatever reads a
    checkpoint reads its bytes twice. `model_path` says where in the state the
    TrainState of the model lies that others may use; "" where the state is that.
    `origin` names what the model was made for, as the tokenizer of a prior, by its
    digest.
    """

    def __init__(
        self,
        workdir: epath.PathLike,
        config: ConfigDict,
        model_path: str,
        origin: Mapping[str, str] | None = None,
    ):
        self._config, self._origin = config.to_dict(), dict(origin or {})
        self._card = {
            "vq_jax": vq_jax.__version__,
            "model_path": model_path,
            **self._origin,
        }
        options = ocp.CheckpointManagerOptions(
            max_to_keep=config.checkpoint.keep,
            keep_period=config.checkpoint.keep_every or None,
            enable_async_checkpointing=True,
        )
        self._manager = ocp.CheckpointManager(
            directory(workdir), options=options, handler_registry=digests.handlers()
        )

    @property
    def latest_step(self) -> int | None:
        return self._manager.latest_step()

    def save(self, step: int, state, iterator: grain.DatasetIterator) -> None:
        """Starts to save; state and iterator may change as soon as this returns.

        Raises:
            InputError: there is no room on the disk, or the last save failed to write.
        """
        if step in self._manager.all_steps():
            return
        items = {
            STATE: ocp.args.PyTreeSave(state),
            DATA: grain.checkpoint.CheckpointSave(iterator),
            CONFIG: ocp.args.JsonSave(self._config),
            CARD: ocp.args.JsonSave(self._card),
        }
        with files.writing(self._manager.directory):
            self._manager.wait_until_finished()  # and removes what is not kept
            self.check_room(state)
            self._manager.save(step, args=ocp.args.Composite(**items))

    def check_room(self, state) -> None:
        """Raises InputError where the disk has no room for another checkpoint."""
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        damage.check_room(self._manager.directory, needed)

    def restore(self, abstract_state, iterator: grain.DatasetIterator):
        """The latest state, onto the shardings of `abstract_state`; sets `iterator`.

        Raises:
            InputError: the checkpoint was made with a configuration that does not fit,
                or it is damaged.
        """
        manager, step = self._manager, self.latest_step
        same_run.check_config(
            _read_config(manager, step), self._config, manager.directory
        )
        same_run.check_origin(
            _read_card(manager, step), self._origin, manager.directory
        )
        with _reading(manager, step, STATE, DATA):
            _check_processes(manager.directory / str(step) / DATA)
            wanted = _shapes(abstract_state)
            _check_shapes(manager, step, wanted, OTHER_MODEL, whole=True)
            restored = manager.restore(
                step,
                args=ocp.args.Composite(
                    **{
                        STATE: _restore_args(abstract_state),
                        DATA: grain.checkpoint.CheckpointRestore(iterator),
                    }
                ),
            )
        return restored[STATE]

    def wait(self) -> None:
        """Returns when everything is on disk.

        Raises:
            InputError: something could not be written.
        """
        with files.writing(self._manager.directory):
            self._manager.wait_until_finished()

    def close(self) -> None:
        with files.writing(self._manager.directory):
            self._manager.close()


def directory(workdir: epath.PathLike) -> epath.Path:
    """Where the checkpoints of a run lie."""
    return files.named(workdir).resolve() / files.CHECKPOINTS


def saved_steps(workdir: epath.PathLike) -> list[int]:
    """Steps of a run's checkpoints; none where it has not saved yet."""
    path = directory(workdir)
    return ocp.utils.checkpoint_steps(path) if path.exists() else []


def check_same_experiment(workdir: epath.PathLike, config: ConfigDict) -> None:
    """Finds out whether a run in `workdir`, if there is one, would end as a fresh one.

    Raises:
        InputError: it has a checkpoint that was made with a configuration that does not
            fit, or with other `num_steps`, which schedules depend on.
    """
    if not saved_steps(workdir):
        return
    path = directory(workdir)
    saved, _ = load_config(workdir)
    same_run.check_config(saved.to_dict(), config.to_dict(), path)
    if saved.num_steps != config.num_steps:
        raise InputError(
            f"{path} is of a run of {saved.num_steps} steps, not {config.num_steps}; "
            "schedules depend on the number. Use the same, or another --workdir."
        )


def load_config(workdir: epath.PathLike) -> tuple[ConfigDict, int]:
    """Configuration and step of the latest checkpoint.

    Raises:
        InputError: there is no checkpoint, or it is damaged.
    """
    with _open(workdir) as manager:
        step = manager.latest_step()
        return ConfigDict(_read_config(manager, step)), step


def check_origin(workdir: epath.PathLike, step: int, origin: Mapping[str, str]) -> None:
    """Raises InputError where a model was made for another origin than this one."""
    with _open(workdir) as manager:
        same_run.check_origin(_read_card(manager, step), origin, manager.directory)


def load_model_state(
    workdir: epath.PathLike, step: int, abstract_parts, *, advice: str = OTHER_VERSION
) -> Any:
    """Parts of the model's TrainState at `step`; no other arrays are restored.

    The digests of all arrays are compared, though, where the checkpoint has them.
    `abstract_parts` has shapes, dtypes and shardings by the name of the part, as
    {"params": …}; `advice` tells the user what to do where they do not fit.

    Raises:
        InputError: the checkpoint lacks a part, has it in another shape, or is damaged.
    """
    with _open(workdir) as manager:
        path = _model_path(manager, step)
        if path:
            abstract_parts = {path: abstract_parts}
        with _reading(manager, step, STATE):
            _check_shapes(manager, step, _shapes(abstract_parts), advice)
            args = ocp.args.Composite(**{STATE: _restore_args(abstract_parts)})
            restored = manager.restore(step, args=args)
    return restored[STATE][path] if path else restored[STATE]


def _reading(manager: ocp.CheckpointManager, step: int, *items: str):
    """A context in which items of a checkpoint, known to be whole, may be read."""
    return damage.reading(manager.directory, step, items)


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
    with _reading(manager, step, item):
        return dict(manager.restore(step, args=args)[item])


def _read_config(manager: ocp.CheckpointManager, step: int) -> dict:
    return legacy.upgraded(_read_json(manager, step, CONFIG))


def _read_card(manager: ocp.CheckpointManager, step: int) -> dict:
    """What the checkpoint says of itself; nothing before version 0.2."""
    if (manager.directory / str(step) / CARD).exists():
        return _read_json(manager, step, CARD)
    return {}


def _model_path(manager: ocp.CheckpointManager, step: int) -> str:
    """Where in the state the model's TrainState is: a field of it, or "" for itself."""
    card = _read_card(manager, step)
    if "model_path" in card:
        return card["model_path"]
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
    manager: ocp.CheckpointManager,
    step: int,
    wanted: dict,
    advice: str,
    *,
    whole: bool = False,
) -> None:
    """Raises InputError where the state on disk lacks a wanted array, has it in another
    shape or, of the `whole` state, has others besides."""
    saved = _saved_shapes(manager, step)
    wrong = [
        f"  {path}: here {wanted.get(path, 'absent')}, there "
        f"{saved.get(path, 'absent')}"
        for path in (saved | wanted if whole else wanted)
        if saved.get(path) != wanted.get(path)
    ]
    if wrong:
        shown = wrong[:10] + ([f"  … and {len(wrong) - 10} more"] * (len(wrong) > 10))
        author = _read_card(manager, step).get("vq_jax", "0.1")
        raise InputError(
            f"the checkpoint of step {step} in {manager.directory}, written by vq_jax "
            f"{author}, holds another state than this configuration and vq_jax "
            f"{vq_jax.__version__} have:\n" + "\n".join(shown) + f"\n{advice}"
        )


def _open(workdir: epath.PathLike) -> ocp.CheckpointManager:
    path = directory(workdir)
    if not path.exists():
        files.check_not_inside(path.parent)
        raise InputError(_no_run(path.parent))
    # Not `read_only`, of which Orbax warns three times; nothing here writes.
    options = ocp.CheckpointManagerOptions(
        create=False, enable_async_checkpointing=False
    )
    manager = ocp.CheckpointManager(path, options=options)
    if manager.latest_step() is None:
        raise InputError(f"{path} holds no finished checkpoint; train first.")
    return manager


def _no_run(workdir: epath.Path) -> str:
    """What to say of a workdir without a folder of checkpoints."""
    if not workdir.exists():
        return f"{workdir} does not exist; name the workdir of a run."
    if not workdir.is_dir():
        return f"{workdir} is a file; name the workdir of a run."
    runs = [run.name for run in workdir.iterdir() if (run / files.CHECKPOINTS).exists()]
    if runs:
        shown = ", ".join(sorted(runs)[:10])
        return f"{workdir} is no run; name a folder of one, as there are {shown}."
    return (
        f"{workdir} holds no checkpoint; train first: python train.py "
        f"--config=configs/quickstart.py --workdir={workdir}"
    )


def _check_processes(path: epath.Path) -> None:
    """Raises InputError where another number of processes saved its data iterators."""
    saved, here = len(list(path.glob("process_*.json"))), jax.process_count()
    if saved != here:
        raise InputError(
            f"{path.parent} was saved by {saved} process(es), this run has {here}; "
            "start as many, or take another --workdir."
        )
