"""How the suite compiles: quickly, or as users do where the compiled program is what a test judges.

The suite compiles tens of thousands of small programs for the CPU, and each runs once or twice. So LLVM does not
optimize them, and works in one thread for each: this halves the time of compiling. In JAX 0.10, XLA's fusion emitters
take as long for a small program as all else together, so its older emitters are used; later versions have none.

JAX also makes a context of MLIR for each program, which registers all dialects anew: a third of the time of lowering
and most of the memory that a compiled function keeps. Here hundreds of programs share one.

What one process compiled, the others read from a folder: `JAX_COMPILATION_CACHE_DIR`, where it is set, as `make test`
does; then the next run reads it too. Else a new folder that is removed with the process that made it.
"""

import atexit
import itertools
import os
import shutil
import tempfile
from typing import Any

import jax
from jax._src.interpreters import mlir  # no public name makes these contexts

OLDER_EMITTERS = jax.__version_info__ < (0, 11)  # XLA aborts on flags that it does not know
QUICKLY = [
    "--xla_backend_optimization_level=0",
    "--xla_cpu_parallel_codegen_split_count=1",
    *(["--xla_cpu_use_fusion_emitters=false"] if OLDER_EMITTERS else []),
]
AS_USERS_DO = {
    "xla_backend_optimization_level": 3,
    **({"xla_cpu_use_fusion_emitters": True} if OLDER_EMITTERS else {}),
}

PROGRAMS_OF_A_CONTEXT = 500  # constants stay in a context as long as it lives


def quickly() -> None:
    """Chooses this for the process and those that it starts, before XLA compiles for the first time."""
    os.environ["XLA_FLAGS"] = " ".join([*QUICKLY, os.environ.get("XLA_FLAGS", "")])
    jax.config.update("jax_traceback_in_locations_limit", 0)  # what only messages of compilers show
    mlir.make_ir_context = _Shared(mlir.make_ir_context)


def share() -> None:
    """Chooses the folder of compiled programs for this process and those that it starts."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="jkeras-compiled-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
    for name, value in (("min_compile_time_secs", 0), ("min_entry_size_bytes", -1)):
        os.environ[f"JAX_PERSISTENT_CACHE_{name.upper()}"] = str(value)
        jax.config.update(f"jax_persistent_cache_{name}", value)


class _Shared:
    """A maker of contexts that gives the same one many times."""

    def __init__(self, make: Any) -> None:
        self.make, self.asked = make, itertools.count()
        self.context: Any = None

    def __call__(self) -> Any:
        if next(self.asked) % PROGRAMS_OF_A_CONTEXT == 0:
            self.context = self.make()
        return self.context
