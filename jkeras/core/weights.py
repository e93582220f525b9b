"""WeightOwner: the declaring half of a layer. Names, dtypes, what is trainable, lists of variables and of values."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from jkeras import dtypes, initializers, tree
from jkeras.core import stateless
from jkeras.core.stateless import Variables
from jkeras.core.structure import Component, Structure, walk
from jkeras.core.variable import Variable
from jkeras.dtypes import DTypePolicy, PolicyLike
from jkeras.errors import ArgumentError, BuildError, NotInitializedError
from jkeras.typing import ConstraintLike, DType, DTypeLike, InitializerLike, Key, RegularizerLike

Method = TypeVar("Method", bound=Callable[..., Any])


def name_first(method: Method) -> Method:
    """A method of three positional arguments that may follow the name: `add_weight("kernel", shape=(2, 3))`."""

    @functools.wraps(method)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], str):
            kwargs, args = {"name": args[0], **kwargs}, args[1:]
        if len(args) > 3:
            raise TypeError(f"add_weight takes at most 3 positional arguments, received {len(args)}")
        return method(self, *args, **kwargs)

    return wrapped  # type: ignore[return-value]


class WeightOwner(Component):
    """A component that declares variables, with Keras's properties for them. Only `Layer` derives from it."""

    explicit_name: str | None

    @property
    def name(self) -> str:
        """The explicit name, else a default one."""
        raise NotImplementedError

    _hidden = frozenset({"_nodes", "own_variables", "_constructor"})
    _reserved: frozenset[str] = frozenset()  # methods that no attribute may hide

    def __init__(self, *, trainable: bool, dtype: PolicyLike, autocast: bool) -> None:
        self._trainable = trainable
        self._dtype_policy = dtypes.get(dtype)
        self._settled_policy: DTypePolicy | None = None
        self.autocast = bool(autocast)
        self.path: str | None = None
        self.own_variables: list[Variable] = []
        self._built = False
        self._is_building = False

    @property
    def _label(self) -> str:
        """What messages call the layer: its path below the outermost layer that was built, else its name."""
        return self.path or self.name

    def check_initialized(self) -> None:
        """Raises `NotInitializedError` where a subclass forgot `super().__init__()`, and `ArgumentError` where an
        attribute hides a method."""
        if "own_variables" not in vars(self):
            raise NotInitializedError(
                "`__init__` of the layer did not call `super().__init__()`.",
                path=type(self).__name__,
                write="super().__init__(**kwargs)   # first line of __init__",
            )
        if not self._reserved.isdisjoint(vars(self)):
            hidden = min(self._reserved.intersection(vars(self)))
            raise ArgumentError(
                f"the attribute `{hidden}` hides the method `{hidden}` of every layer.",
                path=type(self).__name__,
                expected="another name for the attribute",
                write=f"self.my_{hidden} = ...",
            )

    # -- files

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Puts the values of this layer's own variables into a file's group: by their order, trainable ones first.

        A hook for subclasses. It runs in a scope, so a variable reads as its value: `store["kernel"] = self.kernel`.
        """
        for index, variable in enumerate(sorted(self.own_variables, key=lambda variable: variable.assignable)):
            store[str(index)] = variable

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Assigns the values that `save_own_variables` kept: `self.kernel.assign(store["kernel"])`.

        Args:
            store: the arrays of the layer's group by name; a missing one raises `KeyError`.
        """
        for index, variable in enumerate(sorted(self.own_variables, key=lambda variable: variable.assignable)):
            variable.assign(store[str(index)])

    # -- declaring

    @name_first
    def add_weight(
        self,
        shape: Any = None,
        initializer: InitializerLike = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Declares a variable of this layer.

        Args:
            shape: a tuple of ints; a scalar by default.
            initializer: by default `"glorot_uniform"` for floats and `"zeros"` for anything else.
            dtype: by default the layer's variable dtype.
            trainable: whether gradients are taken for it; `False` also allows `assign`.
            autocast: whether it is read in the compute dtype.
            regularizer, constraint: names, configs or objects.
            aggregation, overwrite_with_gradient: kept for Keras's configs.
            name: its address within the layer; by default the attribute's name. It may come first, as a string.

        Raises:
            BuildError: the layer is already built.
            ArgumentError: the shape is not known.
        """
        self._check_declarable(name)
        dtype = self.variable_dtype if dtype is None else dtypes.standardize(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        variable = Variable(
            initializers.get(initializer),
            shape=() if shape is None else shape,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            aggregation=aggregation,
            name=name,
            regularizer=regularizer,
            constraint=constraint,
            overwrite_with_gradient=overwrite_with_gradient,
        )
        if not self.trainable:
            variable.trainable = False
        self.own_variables.append(variable)
        return variable

    def _check_declarable(self, name: str | None) -> None:
        self.check_initialized()
        if self._built and not self._is_building:
            raise BuildError(
                "the layer is already built; no variables can be added to it.",
                path=self._label,
                expected="variables that are declared in `build` or `__init__`",
                received=f"the variable {name!r}, later",
                write="self.add_weight(...)   # in `build` or `__init__`, not in `call`",
            )

    add_variable = add_weight

    def components(self) -> Iterator[tuple[str, Component | Variable]]:
        """Own weights in the order of their declaration, then what the attributes hold."""
        found = list(super().components())
        names = {id(part): name for name, part in reversed(found)}
        loose = 0
        for variable in self.own_variables:
            name = names.get(id(variable), variable.explicit_name)
            if name is None:  # a weight that no attribute holds and that has no name
                name, loose = f"variable_{loose}" if loose else "variable", loose + 1
            yield name, variable
        own = set(map(id, self.own_variables))
        yield from ((name, part) for name, part in found if id(part) not in own)

    def __delattr__(self, name: str) -> None:
        removed = getattr(self, name, None)
        self.own_variables = [variable for variable in self.own_variables if variable is not removed]
        super().__delattr__(name)

    def structure(self) -> Structure:
        """The parts of the layer and their addresses."""
        return walk(self)

    def address_variables(self) -> None:
        """Tells each part and variable its address below the outermost layer that was built or initialized."""
        for part, path in self.structure().paths.items():
            if part is not self and isinstance(part, Variable | WeightOwner):
                part.path = tree.join(self.path or "", path)

    # -- what is trainable

    @property
    def trainable(self) -> bool:
        """Whether the variables of the layer belong to the trainable tree. Setting it sets it for all sublayers.

        It changes the split, never values: `model.repartition(variables)` moves the leaves.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self._trainable = value
        for _, part in self.components():
            if isinstance(part, WeightOwner | Variable):
                part.trainable = value

    # -- lists of declarations

    @property
    def variables(self) -> list[Variable]:
        """All variables: own trainable ones, own others, states of seed generators, then sublayers'."""
        return list(self.structure().declarations)

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables of the trainable tree, in the order of its flat list."""
        return [d.variable for d in self.structure().split()[0]]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables of the non-trainable tree, in the order of its flat list."""
        return [d.variable for d in self.structure().split()[1]]

    @property
    def weights(self) -> list[Variable]:
        """The variables without the states of seed generators."""
        return [d.variable for d in self.structure().declarations.values() if not d.stream]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The trainable part of `weights`."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The non-trainable part of `weights`."""
        return [d.variable for d in self.structure().split()[1] if not d.stream]

    @property
    def built(self) -> bool:
        """Whether the variables are known."""
        raise NotImplementedError

    def count_params(self) -> int:
        """The number of scalars in `weights`. Raises `BuildError` before the layer is built."""
        if not self.built:
            raise BuildError(
                "the number of parameters is not known before the layer is built.",
                path=self.name,
                write=f"{self.name}.build((None, 8))",
            )
        return sum(variable.size for variable in self.weights)

    # -- values that the caller holds

    def repartition(self, variables: tuple[Any, Any], key: Key | None = None) -> Variables:
        """The same values split anew, after `trainable` has been changed or LoRA enabled. No value changes.

        Args:
            variables: the two trees.
            key: draws the values of variables that were declared since, such as LoRA's pairs.

        Raises:
            LeafError: a declared variable has no value and there is no key.
        """
        structure = self.structure()
        draw = None if key is None else stateless.drawing(structure, stateless.as_key(key, self.name))
        return stateless.repartition(structure, variables, self.name, draw)

    def get_weights(self, variables: tuple[Any, Any]) -> list[np.ndarray]:
        """The values of `weights`, in their order, as NumPy arrays."""
        values = stateless.bind(self.structure(), *variables, self.name).values
        return [np.asarray(values[weight]) for weight in self.weights]

    def set_weights(self, variables: tuple[Any, Any], weights: Sequence[Any]) -> Variables:
        """The same trees with the values of `weights` replaced.

        Raises `LeafError` where the number of arrays or a shape differs.
        """
        return stateless.replace(self.structure(), variables, self.weights, weights, self.name)

    def select(self, variables: tuple[Any, Any], of: "WeightOwner | None" = None) -> Variables:
        """The trees of this layer out of those of a whole that has its weights: `encoder.select(variables)`.

        The layer may be a part of the whole, at any depth, or a model that shares layers with it. The leaves are the
        same; each is in the tree that it has for this layer alone.

        Args:
            variables: the two trees of the whole.
            of: the whole. By default the one in which the weights got their addresses: that which was last built or
                initialized. Where weights belong to several wholes, say which.

        Raises:
            LeafError: a weight of this layer is not in the whole, or has another shape there.

        >>> import jax, jkeras
        >>> inputs = jkeras.Input((8,))
        >>> hidden = jkeras.layers.Dense(2)(inputs)
        >>> autoencoder, encoder = jkeras.Model(inputs, jkeras.layers.Dense(8)(hidden)), jkeras.Model(inputs, hidden)
        >>> variables = autoencoder.init(jax.random.key(0))
        >>> jax.tree.map(jax.numpy.shape, encoder.select(variables, of=autoencoder).trainable)
        {'dense': {'bias': (2,), 'kernel': (8, 2)}}
        """
        structure = self.structure()
        if of is None:
            places = {variable: variable.path for variable in structure.declarations}
        else:
            whole = of.structure().declarations
            places = {
                variable: whole[variable].path if variable in whole else None for variable in structure.declarations
            }
        return stateless.select(structure, variables, places, self.name, None if of is None else of.name)

    # -- dtypes

    @property
    def declared_dtype_policy(self) -> Any:
        """The policy as it was given: a `DTypePolicy`, or a `DTypePolicyMap`."""
        return self._dtype_policy

    @property
    def dtype_policy(self) -> DTypePolicy:
        """The policy of this layer; out of a map, that of its path, or of its name where nothing owns it."""
        policy = self._settled_policy or self._dtype_policy
        return policy[self._label] if isinstance(policy, dtypes.DTypePolicyMap) else policy

    @dtype_policy.setter
    def dtype_policy(self, value: PolicyLike) -> None:
        self._dtype_policy, self._settled_policy = dtypes.get(value), None

    def settle_dtype_policy(self) -> None:
        """Keeps the policy that a map gave until now, whatever the address becomes: the variables have its dtype."""
        self._settled_policy = self.dtype_policy

    @property
    def variable_dtype(self) -> DType:
        """The dtype in which values are kept."""
        return self.dtype_policy.variable_dtype

    dtype = variable_dtype

    @property
    def compute_dtype(self) -> DType:
        """The dtype in which the layer computes."""
        return self.dtype_policy.compute_dtype

    input_dtype = compute_dtype
