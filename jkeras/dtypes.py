"""dtypes and dtype policies.

A `DTypePolicy` determines the dtype in which a layer keeps its values (`variable_dtype`) and in which it computes
(`compute_dtype`). Values are kept in the variable dtype and cast when they are read.

| name               | variable_dtype | compute_dtype |
|--------------------|----------------|---------------|
| `"float32"`        | float32        | float32       |
| `"bfloat16"`       | bfloat16       | bfloat16      |
| `"mixed_bfloat16"` | float32        | bfloat16      |
| `"mixed_float16"`  | float32        | float16       |
"""

import functools
import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias, cast

import jax.numpy as jnp

from jkeras import config, registry
from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean
from jkeras.typing import Array, ArrayLike, Config, DType, DTypeLike

NAMES = (
    "bfloat16", "float16", "float32", "float64", "bool",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "complex64", "complex128",
)  # fmt: skip
PYTHON = {bool: "bool", int: "int32", float: "float32"}


def standardize(dtype: DTypeLike | None = None) -> DType:
    """The name of a dtype; `floatx` for `None`.

    >>> standardize(jnp.bfloat16), standardize(float), standardize(None)
    ('bfloat16', 'float32', 'float32')
    """
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, type) and dtype in PYTHON:
        return config.floatx() if dtype is float else PYTHON[dtype]
    try:
        name = jnp.dtype(dtype).name
    except TypeError:
        raise UnknownNameError(
            f"unknown dtype {dtype!r}.", path="dtype", expected=did_you_mean(str(dtype), NAMES), write="dtype='float32'"
        ) from None
    if name.startswith(("object", "str", "bytes", "void", "datetime", "timedelta")):
        raise UnknownNameError(
            f"JAX has no dtype {name!r}.", path="dtype", expected=did_you_mean(name, NAMES), write="dtype='float32'"
        )
    return name


@functools.cache
def is_float(dtype: DTypeLike) -> bool:
    """Whether a dtype is a floating one, bfloat16 included.

    >>> is_float("bfloat16"), is_float("int32")
    (True, False)
    """
    return jnp.issubdtype(jnp.dtype(dtype), jnp.floating)


def as_floats(x: ArrayLike) -> Array:
    """An array of floats: integers and booleans get JAX's default dtype of floats, floats keep theirs.

    Args:
        x: a value that converts to an array.

    >>> as_floats([1, 2]).dtype.name, as_floats(jnp.zeros(2, "bfloat16")).dtype.name
    ('float32', 'bfloat16')
    """
    x = jnp.asarray(x)
    array: Array = x.astype(jnp.result_type(x, float))
    return array


def of(value: object) -> DType:
    """The dtype that a value has, or would have as an array: Python floats are `floatx`.

    >>> of(1.0), of(jnp.zeros(2, "float16"))
    ('float32', 'float16')
    """
    if isinstance(value, bool | int | float):
        return standardize(type(value))
    return jnp.result_type(value).name


@registry.export("keras", "keras.dtype_policies")
@registry.export("keras", "keras.dtype_policies", name="FloatDTypePolicy")  # an older name, read and never written
class DTypePolicy:
    """In which dtype a layer keeps its values and in which it computes.

    Args:
        name: a dtype name, `"mixed_bfloat16"`, `"mixed_float16"` or a name given to `register`; by default the policy
            of `jkeras.config`.

    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.variable_dtype, policy.compute_dtype
    ('float32', 'bfloat16')
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = config.dtype_policy().name
        if not isinstance(name, str):
            raise ArgumentError(
                f"`name` must be a string, got {type(name).__name__}.",
                path="DTypePolicy",
                expected="a str",
                received=repr(name),
                write="DTypePolicy('mixed_bfloat16')",
            )
        self.name = name
        if name.startswith("mixed_") and name not in _REGISTERED:
            raise UnknownNameError(
                f"unknown dtype policy {name!r}.",
                path="DTypePolicy",
                expected=did_you_mean(name, _REGISTERED),
                write="DTypePolicy('mixed_bfloat16')",
            )
        self.variable_dtype, self.compute_dtype = _REGISTERED.get(name) or (standardize(name),) * 2

    def get_config(self) -> Config:
        """`{"name": name}`."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> "DTypePolicy":
        """The policy of a config."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name

    def __hash__(self) -> int:
        return hash((DTypePolicy, self.name))

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


FloatDTypePolicy = DTypePolicy

_REGISTERED: dict[str, tuple[DType, DType]] = {  # name -> the dtypes of values and of computations
    "mixed_bfloat16": ("float32", "bfloat16"),
    "mixed_float16": ("float32", "float16"),
}


def register(name: str, variable_dtype: DTypeLike, compute_dtype: DTypeLike) -> DTypePolicy:
    """Gives a name to a pair of dtypes; layers, configs and `jkeras.config` take it as they take `"mixed_bfloat16"`.

    Args:
        name: a name that no dtype and no other policy has.
        variable_dtype: the dtype in which values are kept.
        compute_dtype: the dtype in which layers compute.

    Raises:
        ArgumentError: the name is that of a dtype, or of a policy with other dtypes.

    >>> register("wide", "bfloat16", "float32")
    <DTypePolicy "wide">
    >>> DTypePolicy("wide").variable_dtype
    'bfloat16'
    """
    pair = standardize(variable_dtype), standardize(compute_dtype)
    known = (name, name) if name in NAMES else _REGISTERED.get(name, pair)
    if known != pair or name in NAMES:
        raise ArgumentError(
            f"`name` must be new, but {name!r} is a policy of {known[0]} values and {known[1]} computations.",
            path="dtype_policies.register",
            expected="another name",
            received=repr(name),
            write=f"register('my_{name}', {pair[0]!r}, {pair[1]!r})",
        )
    _REGISTERED[name] = pair
    return DTypePolicy(name)


@registry.export("keras.dtype_policies")
class DTypePolicyMap(MutableMapping[str, DTypePolicy]):
    """Policies by layer path: of the key that is the path, else of the key that matches it as a regular expression.

    Args:
        default_policy: for paths that nothing matches; by default the policy of `jkeras.config`.
        policy_map: `{path or pattern: policy}`.

    >>> policies = DTypePolicyMap(policy_map={"encoder/.*": DTypePolicy("bfloat16")})
    >>> policies["encoder/dense"], policies["head"]
    (<DTypePolicy "bfloat16">, <DTypePolicy "float32">)
    """

    def __init__(
        self, default_policy: "PolicyLike" = None, policy_map: Mapping[str, DTypePolicy] | None = None
    ) -> None:
        self.default_policy = cast(DTypePolicy, get(default_policy))
        self._given_default = default_policy
        self._policies: dict[str, DTypePolicy] = dict(policy_map or {})

    @property
    def name(self) -> str:
        """`"map_"` and the name of the default policy."""
        return f"map_{self.default_policy.name}"

    @property
    def variable_dtype(self) -> DType:
        """The default policy's."""
        return self.default_policy.variable_dtype

    @property
    def compute_dtype(self) -> DType:
        """The default policy's."""
        return self.default_policy.compute_dtype

    def __getitem__(self, path: str) -> DTypePolicy:
        if path in self._policies:
            return self._policies[path]
        matches = [pattern for pattern in self._policies if re.fullmatch(pattern, path)]
        if len(matches) > 1:
            raise ArgumentError(
                f"at most one pattern of the map must match a path, got {matches}.",
                path=path,
                expected="one pattern",
                received=matches,
                write=f"policies[{path!r}] = policy   # an exact path takes precedence",
            )
        return self._policies[matches[0]] if matches else self.default_policy

    def __setitem__(self, path: str, policy: DTypePolicy) -> None:
        if path in self._policies:
            raise ArgumentError(
                "cannot set the policy of this path, because it has one already.",
                path=path,
                expected="a path without a policy",
                received=self._policies[path],
                write=f"del policies[{path!r}]",
            )
        if not isinstance(policy, DTypePolicy):
            write = f"policies[{path!r}] = DTypePolicy('bfloat16')"
            raise ArgumentError.must("`policy` must be a DTypePolicy", type(policy).__name__, path=path, write=write)
        self._policies[path] = policy

    def __delitem__(self, path: str) -> None:
        del self._policies[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)

    def get_config(self) -> Config:
        """`{"default_policy": ..., "policy_map": {path: policy}}`."""
        policies = {path: registry.serialize(policy) for path, policy in self._policies.items()}
        given = self._given_default
        return {"default_policy": registry.serialize(get(given)) if given is not None else None, "policy_map": policies}

    @classmethod
    def from_config(cls, config: Config) -> "DTypePolicyMap":
        """The map of a config."""
        return cls(**registry.deserialize(config))

    __hash__ = None  # type: ignore[assignment]


PolicyLike: TypeAlias = DTypeLike | Mapping[str, Any] | DTypePolicy | DTypePolicyMap | None
"""What `get` takes: a policy, its name or config, or a dtype; `None` is the default policy."""


def get(identifier: PolicyLike) -> DTypePolicy | DTypePolicyMap:
    """The policy of a name, a dtype, a config or a policy; the default one for `None`.

    >>> get("float16"), get({"class_name": "DTypePolicy", "module": "keras", "config": {"name": "float32"}})
    (<DTypePolicy "float16">, <DTypePolicy "float32">)
    """
    if identifier is None:
        result: DTypePolicy | DTypePolicyMap = config.dtype_policy()
        return result
    if isinstance(identifier, DTypePolicy | DTypePolicyMap):
        return identifier
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    if isinstance(identifier, Mapping):
        policy = registry.deserialize(identifier)
        if not isinstance(policy, DTypePolicy | DTypePolicyMap):
            rule = "the config must be that of a DTypePolicy or a DTypePolicyMap"
            raise ArgumentError.must(rule, repr(identifier)[:80], path="dtype", write="dtype='bfloat16'")
        return policy
    return DTypePolicy(standardize(identifier))


config.make_policies_by(get)
