"""`python -m benchmarks NAME ...`: runs programs by name, prints tables, writes `benchmarks/results/NAME.json`."""

import sys

from benchmarks import (
    accelerators,
    compiling,
    depth,
    files,
    harness,
    hlo,
    hooks,
    imports,
    layers,
    loop,
    memory,
    overhead,
    plans,
    replicas,
    scaling,
)

PROGRAMS = {
    "imports": imports.run,
    "hlo": hlo.run,
    "overhead": overhead.run,
    "compiling": compiling.run,
    "loop": loop.run,
    "hooks": hooks.run,
    "replicas": replicas.run,
    "depth": depth.run,
    "layers": layers.run,
    "memory": memory.run,
    "files": files.run,
    "accelerators": accelerators.run,
    "scaling": scaling.run,
    "plans": plans.run,
}


def main(names: list[str]) -> None:
    if names == ["all"]:
        names = list(PROGRAMS)
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown or not names:
        usage = "\n".join(
            f"  {name:<12} {(program.__doc__ or '').splitlines()[0]}" for name, program in PROGRAMS.items()
        )
        raise SystemExit(f"usage: python -m benchmarks NAME ...   (or all)\n{usage}")
    for name in names:
        harness.show(PROGRAMS[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
