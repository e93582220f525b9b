"""Restoring: the state of a training from a file of it, or from the newest good file in a folder.

A folder may have been copied: neither the names nor the times of files say which is the newest, only the step in them.
A file that cannot be read is set aside, renamed to `*.damaged`, once another one has been read; if none can be, nothing
is changed.
"""

import os
import warnings
from typing import Any

import jax

from jkeras.errors import DamagedFileError, JKerasError, LeafError
from jkeras.saving import archive
from jkeras.saving.files import read_leaves
from jkeras.saving.keras_weights import arrays_of, read_array
from jkeras.saving.orbax_states import read_orbax
from jkeras.saving.state import read_state
from jkeras.training.files import BESIDE, OPTIMIZER, Restored, state_in
from jkeras.training.state import TrainState
from jkeras.typing import PyTree

ENDINGS = (".keras", ".h5", ".h5.bkp")
BACKUP = "state/step"  # where the step is in a file of `BackupAndRestore`
STEPS = (BACKUP, "step")
ORBAX = "_CHECKPOINT_METADATA"  # in each of orbax's folders


def restore(trainer: Restored, path: str | os.PathLike[str], inputs: tuple[PyTree, ...]) -> TrainState:
    """`Trainer.restore`."""
    path = os.fspath(path)
    if os.path.exists(os.path.join(path, ORBAX)):
        found: TrainState = read_orbax(path, _specs(trainer, inputs))
        return found
    if not os.path.isdir(path) or os.path.exists(os.path.join(path, archive.CONFIG)):
        return _read(trainer, path, inputs)
    files = [
        os.path.join(path, name)
        for name in sorted(os.listdir(path))
        if name.endswith(ENDINGS) and not name.endswith(".weights.h5")
    ]
    if not files:
        raise FileNotFoundError(f"{path}: the folder has no file that ends in {', '.join(ENDINGS)}")
    steps, problems = dict[str, int](), dict[str, JKerasError]()
    for file in files:
        try:
            steps[file] = _step(file)
        except JKerasError as error:
            problems[file] = error
    for file in sorted(steps, key=lambda file: steps[file], reverse=True):
        try:
            state = _read(trainer, file, inputs)
        except LeafError:  # that of another network
            raise
        except JKerasError as error:
            problems[file] = error
            continue
        _set_aside(problems, file)
        return state
    raise DamagedFileError(
        "none of the files can be read.",
        path=path,
        expected="at least one file that is as it was written",
        received="; ".join(f"{os.path.basename(file)}: {error}".splitlines()[0] for file, error in problems.items())[
            :300
        ],
    )


def _set_aside(problems: dict[str, JKerasError], used: str) -> None:
    for file, error in problems.items():
        os.replace(file, f"{file}.damaged")
        what = str(error).splitlines()[0]
        warnings.warn(f"{file} cannot be read and was renamed to *.damaged; {used} is used. {what}", stacklevel=4)


def _step(path: str) -> int:
    """The step in a file, by which the newest is found."""
    if path.endswith(".keras"):
        with archive.opened(path) as file, file.open(archive.WEIGHTS) as weights, arrays_of(weights, path) as found:
            names = [name for name in (f"{BESIDE}/step", f"{OPTIMIZER}/0") if name in found]
            return int(read_array(found[names[0]], names[0], path)) if names else -1
    leaves, _ = read_leaves(path, STEPS)
    return max((int(values) for values, _ in leaves.values()), default=-1)


def _specs(trainer: Restored, inputs: tuple[PyTree, ...]) -> Any:
    specs = jax.eval_shape(lambda: trainer.init(jax.random.key(0), *inputs))
    return trainer.session.specified(specs)


def _read(trainer: Restored, path: str, inputs: tuple[PyTree, ...]) -> TrainState:
    if path.endswith(".keras") or os.path.isdir(path):
        with archive.opened(path) as file, file.open(archive.WEIGHTS) as weights, arrays_of(weights, path) as found:
            return state_in(trainer, trainer.model, found, path, None)
    like = _specs(trainer, inputs)
    if BACKUP in read_leaves(path, STEPS)[0]:
        like = {"epoch": 0, "batch": 0, "steps": 0, "state": like}
        state: TrainState = read_state(path, like)["state"]
        return state
    alone: TrainState = read_state(path, like)
    return alone
