"""The contract of layers: what holds for every layer in every configuration that has a row."""

import copy
import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import config, layers, registry, tree
from jkeras.core import Variables
from jkeras.core.tensor import KerasTensor
from jkeras.errors import OutsideScopeError
from tests.contract.object_graph import arrays_in
from tests.contract.subject import HALF_TWINS, Subject, is_float, split_floats, subject
from tests.descriptors.layers import AT_DEFAULT, NO_ROW, ROWS, constructor_defaults, public_layers
from tests.leaks import checking_leaks
from tests.oracle import assert_close

PLAIN = frozenset({row.layer: row.name for row in reversed(ROWS)}.values())  # the first row of each layer


def rows(flag: str | None = None, *, plain: bool = False, unconfirmed: bool = False):
    """One parameter per row; rows for which `flag` is off are left out, the row says why.

    With `plain` the first row of each layer stands for all of them: for what follows from the class, not its options.
    With `unconfirmed` come those that are not compared with Keras: for what that comparison shows of the others.
    """

    def chosen(row):
        wanted = flag is None or getattr(row, flag) is True
        anyway = not (plain or unconfirmed)
        return wanted and (anyway or (plain and row.name in PLAIN) or (unconfirmed and row.keras is not True))

    return pytest.mark.parametrize("name", [row.name for row in ROWS if chosen(row)])


def shapes(values: dict) -> dict[str, tuple[int, ...]]:
    return {path: leaf.shape for path, leaf in tree.flatten(values).items()}


def assert_same_bits(ours, theirs):
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), strict=True)


def assert_all_close(ours, theirs, ulps, err_msg=""):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert one.dtype == other.dtype
        if is_float(one):
            assert_close(one, other, ulps=ulps, err_msg=err_msg)
        else:
            np.testing.assert_array_equal(one, other, err_msg=err_msg)


# -- the table


def test_every_public_layer_has_a_row():
    described = {row.layer.__name__ for row in ROWS}
    missing = set(public_layers()) - described - set(NO_ROW)
    assert not missing, f"no row in tests/descriptors/layers_*.py: {sorted(missing)}"
    assert not described & set(NO_ROW)
    assert set(NO_ROW) <= set(public_layers()), "an exception for a layer that does not exist"


def test_every_constructor_argument_leaves_its_default_in_some_row():
    stuck = []
    for name, cls in public_layers().items():
        arguments = [row.arguments for row in ROWS if row.layer is cls]
        for argument, default in constructor_defaults(cls).items():
            moved = any(argument in given and not _same(given[argument], default) for given in arguments)
            if not moved and f"{name}.{argument}" not in AT_DEFAULT and arguments:
                stuck.append(f"{name}.{argument}")
    assert not stuck, f"at their default in every row: {sorted(stuck)}"
    known = {f"{name}.{argument}" for name, cls in public_layers().items() for argument in constructor_defaults(cls)}
    assert set(AT_DEFAULT) <= known, "an exception for an argument that does not exist"


def _same(given, default) -> bool:
    try:
        return type(given) is type(default) and bool(given == default)
    except ValueError:  # arrays
        return False


# -- values


@rows()
def test_init_makes_exactly_the_described_tree(name):
    made = subject(name)
    expected = {"trainable": {}, "non_trainable": {}, **made.row.tree}
    assert {"trainable": shapes(made.variables.trainable), "non_trainable": shapes(made.variables.non_trainable)} == {
        side: {path: tuple(shape) for path, shape in leaves.items()} for side, leaves in expected.items()
    }
    counted = [
        leaf.size for variable, leaf in zip(made.layer.weights, made.layer.get_weights(made.variables), strict=True)
    ]
    assert made.layer.count_params() == sum(counted)


@rows(plain=True)
def test_init_gives_the_same_values_in_every_program_and_for_every_member_of_a_vmap(name):
    made = subject(name)
    key = jax.random.key(0)
    if not jax.tree.leaves(made.variables):
        assert jax.tree.leaves(jax.eval_shape(made.init, key)) == []
        return
    init = jax.jit(made.init)
    assert_all_close(init(key), made.variables, 16)  # from a program that is not optimized
    keys = jax.random.split(jax.random.key(1), 2)
    ensemble = jax.jit(jax.vmap(made.init))(keys)
    # members of a batch may be factorized or summed in another order
    assert_all_close(jax.tree.map(lambda leaf: leaf[1], ensemble), init(keys[1]), 16)


@rows(unconfirmed=True)
def test_eager_equals_compiled(name):
    made = subject(name)
    assert_all_close(made.call(made.variables, made.args, made.kwargs), made.results, made.row.ulps)
    assert arrays_in(made.layer) == []


@rows()
def test_a_second_call_compiles_nothing(name):
    made = subject(name)
    _, non_trainable = made.results
    other = jax.tree.map(lambda leaf: leaf[::-1] if leaf.ndim else leaf, (made.args, made.kwargs))
    made.jitted(made.variables._replace(non_trainable=non_trainable), *other)
    assert made.traces == 1


@rows(plain=True)
def test_a_call_is_pure(name):
    made = subject(name)
    before = jax.tree.map(np.array, (made.variables, made.args, made.kwargs))
    leaves = jax.tree.leaves(made.variables)
    outputs, non_trainable = made.results
    again = made.jitted(made.variables, made.args, made.kwargs)
    assert_same_bits(again, (outputs, non_trainable))
    assert all(new is old for new, old in zip(jax.tree.leaves(made.variables), leaves, strict=True))
    assert_same_bits((made.variables, made.args, made.kwargs), before)
    carry = jax.eval_shape(lambda *call: made.call(*call)[1], made.variables, made.args, made.kwargs)
    assert jax.tree.structure(carry) == jax.tree.structure(made.variables.non_trainable)
    for new, old in zip(jax.tree.leaves(carry), jax.tree.leaves(made.variables.non_trainable), strict=True):
        assert (new.shape, new.dtype, new.weak_type) == (old.shape, old.dtype, old.weak_type)


@rows(plain=True)
def test_no_tracer_leaks(name):
    made = subject(name)
    with checking_leaks():
        jax.jit(lambda *call: made.call(*call)).trace(made.variables, made.args, made.kwargs)


@rows(plain=True)
def test_flat_lists_in_lists_out(name):
    made = subject(name)
    lists = [
        [tree.flatten(side)[declaration.path] for declaration in declarations]
        for side, declarations in zip(made.variables, made.layer.structure().split(), strict=True)
    ]
    assert [leaf.shape for leaf in lists[0]] == [variable.shape for variable in made.layer.trainable_variables]
    outputs, non_trainable = jax.eval_shape(lambda call: made.call(*call), (tuple(lists), made.args, made.kwargs))
    assert isinstance(non_trainable, list) and len(non_trainable) == len(lists[1])
    assert jax.tree.map(jnp.shape, outputs) == jax.tree.map(jnp.shape, made.results[0])


# -- shapes


@rows()
def test_the_symbolic_outputs_foretell_the_real_ones(name):
    made = subject(name)
    layer = made.row.make()
    args, kwargs = made.row.symbols()
    symbolic = layer(*args, **kwargs, **made.row.static)
    specs, outputs = jax.tree.leaves(symbolic), jax.tree.leaves(made.results[0])
    assert len(specs) == len(outputs)
    for spec, output in zip(specs, outputs, strict=True):
        assert isinstance(spec, KerasTensor)
        assert spec.dtype == output.dtype.name
        if made.row.dynamic_batch is True:
            assert spec.shape == (None, *output.shape[1:])
        else:
            assert len(spec.shape) == output.ndim
            assert all(a is None or a == b for a, b in zip(spec.shape, output.shape, strict=True))
    assert shapes(layer.init(jax.random.key(0)).trainable) == shapes(made.variables.trainable)


def one_format():
    """The first rows of layers whose rows have one data format.

    But those of RandAugment, whose layers are all here themselves, and of loops: images come behind an axis of time.
    """
    formats = {}
    for row in ROWS:
        formats.setdefault(row.layer, set()).add(row.arguments.get("data_format") or "channels_last")
    known = [row for row in ROWS if row.name in PLAIN and "data_format" in constructor_defaults(row.layer)]
    others = (layers.RandAugment, layers.RNN)
    return [row.name for row in known if len(formats[row.layer]) == 1 and not issubclass(row.layer, others)]


@pytest.mark.parametrize("name", one_format())
def test_the_other_data_format_is_a_transposition(name):
    made = subject(name)
    last = made.row.arguments.get("data_format") != "channels_first"
    there, back = ((-1, 1), (1, -1)) if last else ((1, -1), (-1, 1))

    def turned(values, axes):
        return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, *axes) if leaf.ndim > 2 else leaf, values)

    layer = made.row.layer(**{**made.row.arguments, "data_format": "channels_first" if last else "channels_last"})
    layer.init(jax.random.key(0), *turned(made.args, there), **turned(made.kwargs, there), **made.row.static)
    other = _Under(layer, made.row)
    call = jax.jit(lambda *call: Subject.call(other, *call))
    outputs, _ = call(made.variables, turned(made.args, there), turned(made.kwargs, there))
    assert_all_close(turned(outputs, back), made.results[0], made.row.ulps)


# -- transforms


@rows("per_example", plain=True, unconfirmed=True)
def test_vmap_over_the_batch_changes_nothing(name):
    made = subject(name)

    def one(args, kwargs):
        example = jax.tree.map(lambda leaf: leaf[None], (args, kwargs))
        return jax.tree.map(lambda leaf: leaf[0], made.call(made.variables, *example)[0])

    assert_all_close(jax.jit(jax.vmap(one))(made.args, made.kwargs), made.results[0], made.row.ulps)


@rows(plain=True)
def test_vmap_over_variables_runs_an_ensemble(name):
    made = subject(name)
    if not jax.tree.leaves(made.variables):
        return
    members = [made.variables, jax.tree.map(lambda leaf: leaf * 2 if is_float(leaf) else leaf, made.variables)]
    ensemble = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    together = jax.jit(jax.vmap(made.call, (0, None, None)))(ensemble, made.args, made.kwargs)
    for index, member in enumerate(members):
        alone = made.jitted(member, made.args, made.kwargs)
        assert_all_close(jax.tree.map(lambda leaf, i=index: leaf[i], together), alone, made.row.ulps)


def differentiated_here():
    """First rows with weights, and what is not compared with Keras's: whose gradients say the same of the others."""
    known = [row for row in ROWS if row.gradients is True]
    chosen = [row for row in known if row.keras is not True or (row.name in PLAIN and row.tree.get("trainable"))]
    return [row.name for row in chosen]


@pytest.mark.parametrize("name", differentiated_here())
def test_derivatives_agree_with_finite_differences_in_float64(name):
    with jax.enable_x64(True):
        made = Subject(subject(name).row, policy="float64", float_dtype="float64")
        # weights that are float32 under every policy are widened too: a call takes leaves of any dtype
        variables = jax.tree.map(lambda leaf: leaf.astype("float64") if is_float(leaf) else leaf, made.variables)
        floats, merge = split_floats((variables.trainable, made.args, made.kwargs))

        def outputs(values):
            trainable, args, kwargs = merge(values)
            result, _ = made.call(Variables(trainable, variables.non_trainable), args, kwargs)
            return [leaf for leaf in jax.tree.leaves(result) if is_float(leaf)]

        generator = np.random.default_rng(0)

        def random_like(leaf):
            return jnp.asarray(generator.normal(size=leaf.shape), leaf.dtype)

        direction = jax.tree.map(random_like, floats)
        cotangent = jax.tree.map(random_like, jax.eval_shape(outputs, floats))
        step = 1e-5

        @jax.jit
        def derivatives(floats, direction, cotangent):
            ahead = outputs([value + step * by for value, by in zip(floats, direction, strict=True)])
            behind = outputs([value - step * by for value, by in zip(floats, direction, strict=True)])
            differences = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
            _, forward = jax.jvp(outputs, (floats,), (direction,))
            (backward,) = jax.vjp(outputs, floats)[1](cotangent)
            return differences, forward, backward

        differences, forward, backward = derivatives(floats, direction, cotangent)
        assert differences, "no float outputs: the row needs gradients='no float outputs'"
        for numeric, exact in zip(differences, forward, strict=True):
            # the error is f''' step^2 / 6 + eps f / step, both about 1e-10; a thousandfold of that is allowed
            np.testing.assert_allclose(numeric, exact, rtol=0, atol=1e-7 * max(1.0, float(jnp.abs(exact).max())))
        pairing = sum(float(jnp.vdot(c, f)) for c, f in zip(cotangent, forward, strict=True))
        size = sum(float(jnp.vdot(abs(c), abs(f))) for c, f in zip(cotangent, forward, strict=True))
        assert (
            abs(pairing - sum(float(jnp.vdot(d, b)) for d, b in zip(direction, backward, strict=True))) <= 1e-10 * size
        )


# -- dtypes


def half_precision():
    """The first row of each layer that runs in half precision, and the policies; not what is compared with Keras's."""
    half = [row.name for row in ROWS if row.name in PLAIN and row.half is True and "dtype" not in row.arguments]
    pairs = [(name, policy) for name in half for policy in ("mixed_bfloat16", "bfloat16", "float16")]
    return [(name, policy) for name, policy in pairs if policy == "float16" or name not in HALF_TWINS]


@pytest.mark.parametrize(("name", "policy"), half_precision())
def test_half_precision_policies(name, policy):
    reference = subject(name)
    layer = reference.row.make(policy)
    specs = jax.eval_shape(
        lambda: layer.init(jax.random.key(0), *reference.args, **reference.kwargs, **reference.row.static)
    )
    for spec in (leaf for leaf in jax.tree.leaves(specs) if is_float(leaf)):
        assert spec.dtype in (layer.variable_dtype, "float32")
    variables = jax.tree.map(lambda spec, value: value.astype(spec.dtype), specs, reference.variables)
    call = jax.jit(lambda *call: Subject.call(_Under(layer, reference.row), *call))
    outputs, _ = call(variables, reference.args, reference.kwargs)
    eps = float(jnp.finfo(layer.compute_dtype).eps) / float(jnp.finfo("float32").eps)
    for half, full in zip(jax.tree.leaves(outputs), jax.tree.leaves(reference.results[0]), strict=True):
        if not is_float(full):
            assert half.dtype == full.dtype
            continue
        assert half.dtype == layer.compute_dtype
        assert bool(jnp.isfinite(half).all())
        assert_close(half.astype("float32"), full, ulps=reference.row.half_ulps * eps)


class _Under:
    """What `Subject.call` needs, for another layer."""

    def __init__(self, layer, row):
        self.layer, self.row = layer, row


# -- the object


@rows(plain=True, unconfirmed=True)
def test_configs_round_trip(name):
    made = subject(name)
    written = made.layer.get_config()
    assert type(made.layer).from_config(copy.deepcopy(written)).get_config() == written
    envelope = registry.serialize(made.layer)
    read = json.loads(json.dumps(envelope))
    again = registry.deserialize(read)
    assert type(again) is type(made.layer)
    assert json.dumps(again.get_config()) == json.dumps(written)
    assert json.dumps(registry.serialize(again)) == json.dumps(envelope)
    fresh = jax.eval_shape(lambda: again.init(jax.random.key(0), *made.args, **made.kwargs, **made.row.static))
    assert shapes(fresh.trainable) == shapes(made.variables.trainable)


@rows(plain=True)
def test_copies_and_pickles_compute_the_same(name):
    made = subject(name)
    for clone in (copy.deepcopy(made.layer), pickle.loads(pickle.dumps(made.layer))):
        assert clone.get_config() == made.layer.get_config()
        assert [v.path for v in clone.variables] == [v.path for v in made.layer.variables]
        other = _Under(clone, made.row)
        jaxprs = [
            str(jax.make_jaxpr(lambda *call, o=o: Subject.call(o, *call))(made.variables, made.args, made.kwargs))
            for o in (other, made)
        ]
        assert jaxprs[0] == jaxprs[1]


@rows(plain=True)
def test_a_layer_holds_no_arrays_after_all_this(name):
    made = subject(name)
    layer = made.row.make()
    args, kwargs = made.row.symbols()
    layer(*args, **kwargs, **made.row.static)
    # what is held of a trace is found as well: `arrays_in` knows tracers
    jax.eval_shape(
        lambda key: Subject.call(_Under(layer, made.row), layer.init(key), made.args, made.kwargs), jax.random.key(0)
    )
    assert arrays_in(layer) == []
    assert arrays_in(made.layer) == []


@rows(plain=True)
def test_a_layer_does_not_run_outside_a_scope(name):
    made = subject(name)
    with pytest.raises(OutsideScopeError, match="stateless_call"):
        made.layer(*made.args, **made.kwargs, **made.row.static)


def test_policies_are_left_as_they_were():
    assert config.dtype_policy().name == "float32"
