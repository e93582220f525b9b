"""Plans from the command line: `python -m jkeras.plan SCRIPT.py:NAME v5p:4x4x4 --batch 64x2048 --placement fsdp`.

NAME is a trainer, or a function without arguments that returns a trainer or `(trainer, batch)`. The exit status is 0
where the step fits or nothing says what there is, 2 where it does not fit, and 1 for an error.
"""

import argparse
import contextlib
import importlib.util
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from jkeras.distribution import FSDP, DataParallel
from jkeras.errors import ArgumentError, JKerasError
from jkeras.placement import Placement
from jkeras.plan.machines import Machine, machine_of
from jkeras.plan.planning import plan_training
from jkeras.training import Trainer

PLACEMENTS: dict[str, Callable[[Mesh], Placement]] = {"data": DataParallel, "fsdp": FSDP}


def main(given: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        given: its arguments; by default those of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m jkeras.plan", description=__doc__)
    parser.add_argument("trainer", help="a file and a name in it: train.py:trainer")
    parser.add_argument("topology", help="v5e:4x4, v5p:4x4x8, h100:8, cpu:8, ...")
    parser.add_argument("--batch", help="the shape of a batch of tokens, 64x2048, unless the function returns a batch")
    parser.add_argument("--placement", choices=PLACEMENTS, help="by default the trainer's own")
    parser.add_argument("--mesh", help="the axes of the mesh, data=16,model=4; by default one over all devices")
    options = parser.parse_args(given)
    try:
        _prepare(machine_of(options.topology))
        trainer, batch = found(options.trainer)
        batch = numbers(options.batch, "--batch") if options.batch else batch
        if batch is None:
            raise ArgumentError("`--batch` must be given where the function returns no batch.", write="--batch 64x2048")
        placement = PLACEMENTS[options.placement] if options.placement else None
        plan = plan_training(trainer, options.topology, batch, placement, mesh_shape=axes(options.mesh))
    except (JKerasError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(plan)
    return 2 if plan.fits is False else 0


def _prepare(machine: Machine) -> None:
    """Sets what JAX reads when it starts; where it has started, the plan says what is missing."""
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_platforms", "cpu")  # what compiles for other machines needs none of them
        if machine.platform == "cpu":
            jax.config.update("jax_num_cpu_devices", math.prod(machine.shape))


def found(address: str) -> tuple[Trainer, Any]:
    """The trainer at `file.py:name`, and the batch where there is one.

    Raises:
        ArgumentError: the file has no such name, or it is no trainer.
    """
    file, _, name = address.rpartition(":")
    spec = importlib.util.spec_from_file_location(Path(file).stem, file) if file else None
    if spec is None or spec.loader is None:
        raise ArgumentError.must(
            "`trainer` must be a file and a name", repr(address), write="python -m jkeras.plan train.py:trainer"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    value = getattr(module, name, None)
    if callable(value) and not isinstance(value, Trainer):
        value = value()
    trainer, batch = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    if not isinstance(trainer, Trainer):
        raise ArgumentError.must(
            f"`{name}` in {file} must be a trainer, or a function that returns one",
            f"a {type(trainer).__name__}",
            write="def trainer(): return jkeras.Trainer(model, ...), (x_spec, y_spec)",
        )
    return trainer, batch


def numbers(text: str, option: str) -> tuple[int, ...]:
    """The numbers of `64x2048`.

    >>> numbers("64x2048", "--batch")
    (64, 2048)
    """
    parts = text.split("x")
    if not all(part.isdigit() and int(part) for part in parts):
        raise ArgumentError.must(f"`{option}` must be positive numbers with an x between", repr(text), write="64x2048")
    return tuple(map(int, parts))


def axes(text: str | None) -> dict[str, int] | None:
    """The sizes by axis of `data=16,model=4`.

    >>> axes("data=16,model=4"), axes(None)
    ({'data': 16, 'model': 4}, None)
    """
    if text is None:
        return None
    parts = [part.partition("=") for part in text.split(",")]
    if not all(name and size.isdigit() and int(size) for name, _, size in parts):
        raise ArgumentError.must("`--mesh` must be axes with sizes", repr(text), write="--mesh data=16,model=4")
    return {name: int(size) for name, _, size in parts}


if __name__ == "__main__":
    sys.exit(main())
