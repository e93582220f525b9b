"""What rematerialization keeps nevertheless: the policies of `jax.checkpoint_policies`, as configs can hold them.

A policy is a name. Those that JAX makes of arguments are a dict of the name and its arguments. Values get names in
`call`, by `jax.ad_checkpoint.checkpoint_name(x, "mixed")`. What is offloaded waits in the memory of the host, where the
platform has one that devices reach (`pinned_host`), instead of being computed again.
"""

from collections.abc import Mapping
from typing import Any

import jax

from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean

Policy = str | Mapping[str, Any]

MEMORIES = {"offload_src": "device", "offload_dst": "pinned_host"}
NAMES = ("save_only_these_names", "save_any_names_but_these", "save_anything_except_these_names")
OFFLOADED = "save_and_offload_only_these_names"
BOTH = "save_from_both_policies"
DOTS = "offload_dot_with_no_batch_dims"
EXAMPLES = {
    **{name: f'{{"{name}": ["mixed"]}}' for name in NAMES},
    OFFLOADED: f'{{"{OFFLOADED}": {{"save": ["mixed"], "offload": ["wide"]}}}}',
    BOTH: f'{{"{BOTH}": ["dots_saveable", {{"save_only_these_names": ["mixed"]}}]}}',
}


def checkpoint_policy(policy: Policy | None, path: str) -> Any:
    """The function in `jax.checkpoint_policies` that a policy means.

    | policy | keeps |
    |---|---|
    | `"nothing_saveable"`, `"everything_saveable"`, `"dots_saveable"`, `"dots_with_no_batch_dims_saveable"` | as JAX |
    | `"offload_dot_with_no_batch_dims"` | products with weights, in the memory of the host |
    | `{"save_only_these_names": ["a", "b"]}`, and the other two of this form | values of those names, or all others |
    | `{"save_and_offload_only_these_names": {"save": ["a"], "offload": ["b"]}}` | `a` on the device, `b` on the host |
    | `{"save_from_both_policies": [policy, policy]}` | what one of two keeps |

    Args:
        policy: a row of the table; `None` for what JAX does without a policy, which is to keep nothing.
        path: who asks, for the message.

    Raises:
        UnknownNameError: there is no such policy.
        ArgumentError: the arguments of a policy are missing, or are not those that it takes.

    >>> checkpoint_policy(None, "Remat") is None
    True
    >>> checkpoint_policy("dots_saveable", "Remat") is jax.checkpoint_policies.dots_saveable
    True
    """
    if policy is None:
        return None
    name, given = next(iter(policy.items())) if isinstance(policy, Mapping) and len(policy) == 1 else (policy, None)
    known = {each for each in dir(jax.checkpoint_policies) if not each.startswith("_")}
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError(
            f"the policy must be a name in jax.checkpoint_policies, got {policy!r}.",
            path=path,
            expected=did_you_mean(name, known) if isinstance(name, str) else "a name, or {name: arguments}",
            received=repr(policy),
            write="Remat(layer, policy='dots_saveable')",
        )
    found: Any = getattr(jax.checkpoint_policies, name)
    if name == DOTS and given is None:
        return found(*MEMORIES.values())
    if name in NAMES and _are_strings(given):
        return found(*given)  # type: ignore[misc]
    if name == OFFLOADED and isinstance(given, Mapping) and given.keys() == {"save", "offload"}:
        saved, offloaded = list(given["save"]), list(given["offload"])
        return found(names_which_can_be_saved=saved, names_which_can_be_offloaded=offloaded, **MEMORIES)
    if name == BOTH and isinstance(given, list | tuple) and len(given) == 2:
        return found(*(checkpoint_policy(each, path) for each in given))
    if name not in EXAMPLES and given is None:
        return found
    form = EXAMPLES.get(name, repr(name))
    raise ArgumentError(
        f"the policy must have the arguments of `{name}`, got {policy!r}.",
        path=path,
        expected=form,
        received=repr(policy),
        write=f"Remat(layer, policy={form})",
    )


def _are_strings(given: object) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(each, str) for each in given)
