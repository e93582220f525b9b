"""Structure: what a layer consists of, and the address of each part."""

import collections

import jax.numpy as jnp
import pytest

from jkeras import metrics, tree
from jkeras.core import Layer, SeedGenerator, Variable
from jkeras.core import scope as scopes
from jkeras.core.structure import walk
from jkeras.errors import ArgumentError, DuplicateNameError
from tests.core.samples import KEY, Chain, Noise, Run, RunningMean, Scale


class Holder(Layer):
    """Holds what it is given."""

    def __init__(self, **attributes):
        super().__init__()
        vars(self).update(attributes)


def weight(name=None):
    return Variable("zeros", shape=(), name=name)


def paths(layer):
    return [declaration.path for declaration in walk(layer).declarations.values()]


Pair = collections.namedtuple("Pair", ["left", "right"])


class TestAddresses:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (weight(), ["attribute"]),
            (weight("named"), ["named"]),
            ([weight(), weight("named")], ["attribute/0", "attribute/named"]),
            ((weight(), [weight()]), ["attribute/0", "attribute/1/0"]),
            ({"a": weight(), "b": {"c": weight()}}, ["attribute/a", "attribute/b/c"]),
            (Pair(weight(), weight()), ["attribute/0", "attribute/1"]),
            ({weight("b"), weight("a")}, ["attribute/a", "attribute/b"]),
            (SeedGenerator(), ["attribute/seed_generator_state"]),
            (Holder(inner=weight()), ["attribute/inner"]),
            ([Holder(inner=weight())], ["attribute/0/inner"]),
            (collections.OrderedDict(z=weight(), a=weight()), ["attribute/z", "attribute/a"]),
        ],
        ids=[
            *("variable", "name", "list", "tuple", "dict", "namedtuple", "set", "seed generator", "layer"),
            *("list of layers", "ordered dict"),
        ],
    )
    def test_attributes_and_containers(self, value, expected):
        assert paths(Holder(attribute=value)) == expected

    def test_containers_may_change_later(self):
        layer = Holder(items=[], table={})
        layer.items.append(weight())
        layer.items += [weight()]
        layer.table["key"] = weight()
        assert paths(layer) == ["items/0", "items/1", "table/key"]

    def test_what_is_removed_is_gone(self):
        layer = Holder(items=[weight(), weight()], single=weight())
        del layer.single
        layer.items.pop()
        assert paths(layer) == ["items/0"]

    def test_deleting_the_attribute_of_a_weight(self):
        layer = Holder()
        layer.first, layer.second = layer.add_weight(name="first"), layer.add_weight(name="second")
        del layer.first
        assert paths(layer) == ["second"]

    def test_reassigning_replaces(self):
        layer = Holder(part=Holder(inner=weight()))
        layer.part = Holder(other=weight())
        assert paths(layer) == ["part/other"]

    def test_every_component_once(self):
        shared = Holder(inner=weight())
        layer = Holder(first=shared, second=[shared], third=Holder(again=shared))
        assert list(walk(layer).components.values()) == ["", "first", "third"]

    def test_a_shared_variable_counts_once_at_its_first_address(self):
        shared = weight()
        layer = Holder(first=Holder(w=shared), second=Holder(w=shared))
        assert paths(layer) == ["first/w"] and len(layer.weights) == 1

    def test_metrics_and_other_objects_are_no_parts(self):
        layer = Holder(metric=metrics.Mean(), text="x", number=3, function=len, array=None)
        assert len(walk(layer).components) == 1 and layer.variables == []

    def test_a_layer_may_know_its_owner(self):
        owner = Holder(child=Holder(inner=weight()))
        owner.child.owner = owner
        assert paths(owner) == ["child/inner"]

    def test_weights_that_no_attribute_holds(self):
        class Loose(Layer):
            def build(self, input_shape):
                self.add_weight(name="named")
                self.add_weight()
                self.add_weight()

        layer = Loose()
        layer.build((1,))
        assert paths(layer) == ["named", "variable", "variable_1"]

    def test_two_parts_with_one_address(self):
        with pytest.raises(DuplicateNameError) as error:
            walk(Holder(one=weight("w"), two=weight("w")))
        assert str(error.value).splitlines() == [
            "w: two parts share this address: Variable and Variable.",
            "  expected: distinct names within one layer",
            "  write:    Variable(..., name='w_1')",
        ]

    def test_a_set_needs_names(self):
        with pytest.raises(
            ArgumentError, match=r"parts: parts in a set must have names(.|\n)*Scale\(\.\.\., name='first'\)"
        ):
            walk(Holder(parts={Scale()}))

    def test_two_models_built_the_same_way_have_the_same_tree(self):
        trees = [
            tree.flatten(Chain(Scale(), Noise(), Chain(RunningMean())).init(KEY, (1, 2)).trainable) for _ in range(2)
        ]
        assert list(trees[0]) == list(trees[1]) == ["parts/0/factor", "parts/2/parts/0/gain"]


class TestPaths:
    def test_none_before_building_the_address_after(self):
        layer = Chain(Scale())
        assert layer.path is None and layer.parts[0].path is None
        layer.init(KEY, (1, 2))
        assert (layer.path, layer.parts[0].path) == ("", "parts/0")

    def test_the_path_of_a_variable(self):
        layer = Chain(Chain(Scale(name="scale")))
        layer.init(KEY, (1, 2))
        assert [v.path for v in layer.variables] == ["parts/0/parts/scale/factor"]
        assert [v.path for v in layer.variables] == paths(layer)

    def test_parts_that_build_makes(self):
        class Late(Layer):
            def build(self, input_shape):
                self.part = Scale()

            def call(self, inputs):
                return self.part(inputs)

        layer = Chain(Late())
        layer.init(KEY, (1, 2))
        assert [v.path for v in layer.variables] == ["parts/0/part/factor"]

    def test_parts_and_weights_that_the_first_call_makes(self):
        class Lazy(Layer):
            part = None

            def call(self, inputs):
                if self.part is None:
                    self.part, self.bias = Scale(), self.add_weight(shape=(), initializer="ones", name="bias")
                return self.part(inputs) + self.bias.value

        layer = Lazy()
        variables = layer.init(KEY, (1, 2))
        assert list(tree.flatten(variables.trainable)) == ["bias", "part/factor"]
        assert layer.stateless_call(*variables, jnp.ones((1, 2)))[0].tolist() == [[2.0, 2.0]]

    def test_a_stateless_layer_made_inside_call_has_its_caller_s_path(self):
        class Named(Layer):
            def call(self, inputs):
                seen.append(scopes.current().frames[-1].path)
                return inputs

        seen = []
        layer = Chain(Run(lambda layer, x: Named()(x)))
        variables = layer.init(KEY, (1, 2))
        layer.stateless_call(*variables, jnp.ones((1, 2)))
        assert seen == ["parts/0/named"] * 2
