"""Processes: what those of one training tell each other beside the arrays, so that a difference is an error on all.

The messages go through the store of JAX's coordination service, not through the devices: a thread that reads data may
exchange them while the devices compute. Process 0 gathers what all say and gives it back to each.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import jax

from jkeras.errors import ProcessesError
from jkeras.jax_compat import coordination

Item = TypeVar("Item")
_made = itertools.count()
SECONDS = 600.0  # how long a process may take to its next message, such as to read a batch


def is_first() -> bool:
    """Whether this process prints and writes for all; a single process does.

    >>> is_first()
    True
    """
    return jax.process_index() == 0


class Channel:
    """Messages between the processes of one training, each in its turn. One process talks to itself.

    Args:
        name: for people who look into the store. Processes make the same channels in the same order.

    >>> Channel("example").exchange({"steps": 3})
    [{'steps': 3}]
    """

    def __init__(self, name: str) -> None:
        self.name, self.turn = f"{next(_made)}-{name}", 0

    def exchange(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What every process says in this turn, in their order.

        Raises:
            ProcessesError: one of them says nothing.
        """
        count, own = jax.process_count(), json.dumps(message)
        if count == 1:
            return [json.loads(own)]
        place, self.turn = f"jkeras/{self.name}/{self.turn}", self.turn + 1
        store = coordination()
        try:
            if is_first():
                others = [
                    store.blocking_key_value_get(f"{place}/{rank}", int(SECONDS * 1000)) for rank in range(1, count)
                ]
                store.key_value_set(f"{place}/all", json.dumps([own, *others]))
                if self.turn > 2:  # everybody has answered to the turn before
                    store.key_value_delete(f"jkeras/{self.name}/{self.turn - 3}/")
            else:
                store.key_value_set(f"{place}/{jax.process_index()}", own)
            said = json.loads(store.blocking_key_value_get(f"{place}/all", int(SECONDS * 1000)))
        except jax.errors.JaxRuntimeError as error:
            raise ProcessesError(
                "a process does not answer.",
                path=f"process {jax.process_index()}",
                expected=f"the same calls on all {count} processes, within {SECONDS:.0f} s of each other",
                received=str(error).splitlines()[0],
            ) from error
        return [json.loads(each) for each in said]

    @contextlib.contextmanager
    def agreeing(self, what: str) -> Iterator[dict[str, Any]]:
        """A block that every process runs. Its facts must be equal on all, and an exception on one is one on all.

        Args:
            what: the name of the block in messages.

        Yields:
            A dict for the facts, filled in the block.

        Raises:
            ProcessesError: they differ, or another process has raised something.

        >>> with Channel("example").agreeing("fit") as facts:
        ...     facts["epochs"] = 3
        """
        facts: dict[str, Any] = {}
        try:
            yield facts
        except Exception as error:
            self.exchange({"problem": f"{type(error).__name__}: {error}"})
            raise
        said = self.exchange({"facts": facts})
        _raise_problems(said, what)
        for name in facts:
            found = [each["facts"].get(name) for each in said]
            if any(value != found[0] for value in found):
                raise ProcessesError(
                    f"`{name}` must be the same on all processes.",
                    path=what,
                    expected=f"{found[0]} as on process 0",
                    received=", ".join(
                        f"{value} on process {rank}" for rank, value in enumerate(found) if value != found[0]
                    )[:200],
                    write="print(jax.process_index(), ...)   # what each of them gives to the call",
                )

    def any(self, flag: bool) -> bool:
        """Whether some process says yes.

        >>> Channel("example").any(False)
        False
        """
        return any(each["flag"] for each in self.exchange({"flag": flag}))

    def in_step(
        self, items: Iterable[Item], describe: Callable[[Item], tuple[int, str]]
    ) -> Iterator[tuple[Item, list[int]]]:
        """The items of this process, one at a time on all of them, with the sizes that they have on each.

        Args:
            items: such as the batches of a loader.
            describe: the number of examples of an item, and what must be the same of it everywhere.

        Raises:
            ProcessesError: one has fewer items than another, or others, or raises something.

        >>> list(Channel("example").in_step(["ab", "c"], lambda item: (len(item), "text")))
        [('ab', [2]), ('c', [1])]
        """
        stream = iter(items)
        for index in range(2**62):
            with contextlib.ExitStack() as stack:
                stack.push(self._telling)
                item = next(stream, None)
            size, form = (0, "") if item is None else describe(item)
            said = self.exchange({"end": item is None, "size": size, "form": form})
            place = f"batch {index + 1}"
            _raise_problems(said, place)
            ended = [rank for rank, each in enumerate(said) if each["end"]]
            if len(ended) == len(said):
                return
            if ended:
                raise ProcessesError(
                    "all processes must have the same number of batches.",
                    path=place,
                    expected=f"{index} batches as on process {ended[0]}, or as many on each",
                    received=f"no batch {index + 1} on the processes {ended}",
                    write="itertools.islice(batches, steps)   # the same number on each",
                )
            if len({each["form"] for each in said}) > 1:
                raise ProcessesError(
                    "batches must have the same shapes and dtypes on all processes.",
                    path=place,
                    expected=f"{said[0]['form']} as on process 0",
                    received=next(
                        f"{each['form']} on process {rank}"
                        for rank, each in enumerate(said)
                        if each["form"] != said[0]["form"]
                    ),
                )
            assert item is not None
            yield item, [each["size"] for each in said]

    def _telling(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception):
            self.exchange({"problem": f"{type(error).__name__}: {error}"})


def _raise_problems(said: list[dict[str, Any]], what: str) -> None:
    problems = {rank: each["problem"] for rank, each in enumerate(said) if "problem" in each}
    if problems:
        rank, problem = next(iter(problems.items()))
        raise ProcessesError(
            f"process {rank} has failed, so none can go on.",
            path=what,
            expected="work that succeeds on all processes",
            received=problem.splitlines()[0],
        )
