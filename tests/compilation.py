"""How the suite compiles: quickly, or as users do where the compiled program is what a test judges.

The suite compiles tens of thousands of small programs for the CPU. In JAX 0.10, XLA's fusion emitters take as long for
one of them as all else together, so its older emitters are used: the same operations, in half the time. Later versions
have no older emitters.
"""

import os

import jax

OLDER_EMITTERS = jax.__version_info__ < (0, 11)  # XLA aborts on flags that it does not know
AS_USERS_DO = {"xla_cpu_use_fusion_emitters": True} if OLDER_EMITTERS else {}


def quickly() -> None:
    """Chooses the older emitters for this process and those that it starts, before XLA compiles for the first time."""
    if OLDER_EMITTERS:
        os.environ["XLA_FLAGS"] = f"--xla_cpu_use_fusion_emitters=false {os.environ.get('XLA_FLAGS', '')}"
