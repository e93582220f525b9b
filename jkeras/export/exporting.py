"""Exporting: a layer or a function becomes a program that needs neither."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from jkeras import arguments, jax_compat
from jkeras.config import floatx, lowering_for
from jkeras.core import Layer, Variables
from jkeras.errors import ArgumentError
from jkeras.export.exported import INSIDE, OUTSIDE, Exported
from jkeras.export.inference import CALL, Inference, Program, constants, inputs_of, warning_of_lost_updates
from jkeras.export.specs import as_specs
from jkeras.typing import PyTree


def export(
    function: Layer | Program,
    variables: PyTree = None,
    *specs: PyTree,
    platforms: Sequence[str] | None = None,
    values: str = INSIDE,
    training: bool = False,
    updates: bool = False,
    method: str = CALL,
    constraints: Sequence[str] = (),
    vjp_order: int = 0,
) -> Exported:
    """The inference of a layer, or any function of arrays, as a program that needs neither the class nor jkeras.

    Args:
        function: a built layer or model; or a function of arrays, which gets `variables` first unless they are `None`.
        variables: the two trees of values; for a function any tree. With `values="outside"` specs will do.
        specs: for each argument shape tuples, `jax.ShapeDtypeStruct`s, arrays or symbolic tensors, in any structure. In
            a shape tuple, which is one of `floatx`, `None` is a size that stays free, and a string one with a name.
            A model that declares its inputs needs no specs.
        platforms: some of `"cpu"`, `"cuda"`, `"rocm"`, `"tpu"`; `None` for the one that computes here.
        values: `"inside"` makes the values constants of the program; `"outside"` makes them the first argument.
        training: whether layers behave as in training.
        updates: whether the program returns `(outputs, non_trainable)`; needs `values="outside"`.
        method: the method of the layer that computes.
        constraints: what holds of free sizes, as `jax.export.symbolic_shape` takes it: `"t >= 3"`.
        vjp_order: how often the program can be differentiated once it is in a file.

    Returns:
        The program.

    Raises:
        ArgumentError: an argument of another kind; or a model whose inputs are not known, and no specs.
        BuildError: the layer is not built.
        LeafError: the values do not fit the layer.

    >>> import jax.numpy as jnp, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((None, 4)), jkeras.layers.GRU(2)])
    >>> variables = model.init(jax.random.key(0))
    >>> exported = export(model, variables, platforms=("cpu", "cuda", "tpu"), values="outside")
    >>> exported.in_specs[1], exported.out_specs
    (ShapeDtypeStruct(shape=(b, n, 4), dtype=float32), ShapeDtypeStruct(shape=(b, 2), dtype=float32))
    >>> exported(variables, jnp.ones((5, 3, 4))).shape
    (5, 2)
    """
    owner = name_of(function)
    arguments.one_of(values, "values", owner, (INSIDE, OUTSIDE))
    arguments.integer(vjp_order, "vjp_order", owner, least=0)
    if updates and values == INSIDE:
        raise ArgumentError(
            "`updates` must be False where the values are inside the program, because no call can have new ones.",
            path=owner,
            expected="values='outside'",
            received="updates=True, values='inside'",
            write="export(model, variables, values='outside', updates=True)",
        )
    run, given, inputs = prepared(function, variables, specs, method, training, updates, constraints)
    targets = targets_of(platforms)
    outside = values == OUTSIDE and given is not None
    called = run if given is None else _outside(run, given) if outside else with_values(run, given, owner)
    called.__name__ = owner
    if outside:
        inputs = (jax.tree.map(_spec, tuple(given) if isinstance(given, Variables) else given), *inputs)
    with warning_of_lost_updates(run), lowering_for(*traced_for(targets)):
        program = jax.export.export(jax.jit(called), platforms=targets)(*inputs)
    return Exported(program, values=OUTSIDE if outside else INSIDE, vjp_order=vjp_order)


def prepared(
    function: Layer | Program,
    variables: PyTree,
    specs: Sequence[PyTree],
    method: str = CALL,
    training: bool = False,
    updates: bool = False,
    constraints: Sequence[str] = (),
) -> tuple[Program, PyTree, tuple[PyTree, ...]]:
    """What is exported as a function, its values, and the specs of its inputs."""
    owner = name_of(function)
    if not isinstance(function, Layer):
        arguments.function(function, "function", "export")
        if not specs or method != CALL or training or updates:
            raise ArgumentError(
                "a function must have `specs`, and none of `method`, `training` and `updates`.",
                path=owner,
                expected="a spec for each argument",
                received=f"{len(specs)} specs",
                write=f"export({owner}, variables, (None, 8))",
            )
        return function, variables, as_specs(specs, floatx(), constraints)
    if variables is None:
        raise arguments.refusal(None, "variables", owner, "the two trees of a layer", write=f"{owner}.init(key)")
    given = specs or inputs_of(function)
    inference = Inference(function, method, training=training, updates=updates)
    return inference, variables, as_specs(given, floatx(), constraints)


def signature(model: Layer, given: Sequence[PyTree] | None) -> tuple[PyTree, ...]:
    """The specs of an `input_signature`.

    >>> import jkeras
    >>> signature(jkeras.Sequential(), None), signature(jkeras.Sequential(), [(None, 3)])
    ((), ((None, 3),))
    """
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise ArgumentError(
            f"`input_signature` must be a list with a spec for each argument of `call`, got {type(given).__name__}.",
            path=f"{model.name}.export",
            expected="a list",
            received=type(given).__name__,
            write=f"{model.name}.export(path, variables, input_signature=[(None, 8)])",
        )
    return tuple(given)


def name_of(function: Layer | Program) -> str:
    """The name of a layer or a function, which the program has too.

    >>> name_of(abs)
    'abs'
    """
    name = function.name if isinstance(function, Layer) else getattr(function, "__name__", type(function).__name__)
    return str(name)


def targets_of(platforms: Sequence[str] | str | None) -> tuple[str, ...]:
    """The platforms that a program is for.

    >>> targets_of("tpu"), targets_of(["cpu", "cuda"])
    (('tpu',), ('cpu', 'cuda'))
    """
    if platforms is None:
        return jax_compat.target_platforms()
    return (platforms,) if isinstance(platforms, str) else tuple(platforms)


def traced_for(platforms: tuple[str, ...]) -> tuple[str, ...]:
    """The platforms that a program is traced for. One for NVIDIA's GPUs alone is traced as one for several, which has
    no kernel of cuDNN: JAX promises nothing for its calls, and refuses to write them.

    >>> traced_for(("tpu",)), traced_for(("cuda",))
    (('tpu',), ('cuda', 'rocm'))
    """
    return ("cuda", "rocm") if platforms == ("cuda",) else platforms


def with_values(run: Program, values: PyTree, owner: str) -> Program:
    """The function of the inputs alone; the values are constants of its program.

    >>> with_values(lambda values, x: values * x, 2.0, "twice")(3.0)
    Array(6., dtype=float32)
    """
    inside = constants(values, owner)
    return lambda *inputs: run(inside, *inputs)


def _outside(run: Program, values: PyTree) -> Program:
    """The function whose program needs no class of jkeras: of `Variables` it takes a plain tuple."""
    if isinstance(values, Variables):
        return lambda values, *inputs: run(Variables(*values), *inputs)
    return lambda values, *inputs: run(values, *inputs)


def _spec(leaf: Any) -> jax.ShapeDtypeStruct:
    leaf = leaf if hasattr(leaf, "dtype") else jnp.asarray(leaf)
    return jax.ShapeDtypeStruct(leaf.shape, jax_compat.canonical_dtype(leaf.dtype))
