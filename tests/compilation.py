"""How the suite compiles: quickly, or as users do where the compiled program is what a test judges.

The suite compiles tens of thousands of small programs for the CPU, and each runs once or twice. So LLVM does not
optimize them, and works in one thread for each: this halves the time of compiling. In JAX 0.10, XLA's fusion emitters
take as long for a small program as all else together, so its older emitters are used; later versions have none.
"""

import os

import jax

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


def quickly() -> None:
    """Chooses this for the process and those that it starts, before XLA compiles for the first time."""
    os.environ["XLA_FLAGS"] = " ".join([*QUICKLY, os.environ.get("XLA_FLAGS", "")])
    jax.config.update("jax_traceback_in_locations_limit", 0)  # what only messages of compilers show
