"""The checks of the layer contract, on layers that break it: each must notice."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jkeras import registry
from jkeras.core import KerasTensor, Layer
from tests.contract import test_layers as contract
from tests.contract.subject import Subject
from tests.descriptors.row import LayerRow

UNEXPECTED: list[Any] = []  # what a broken layer hides outside of itself


def _laid(vector, inputs):
    return jnp.expand_dims(vector, tuple(range(inputs.ndim - 1)))


@registry.register_keras_serializable("contract")
class Scale(Layer):
    """Keeps the contract; the broken ones differ from it in one thing each."""

    def __init__(self, data_format="channels_last", **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format

    @property
    def axis(self):
        return 1 if self.data_format == "channels_first" else -1

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[self.axis],), initializer="glorot_uniform", name="scale")
        self.count = self.add_weight(initializer="zeros", trainable=False, name="count")

    def call(self, inputs):
        self.count.assign(self.count.value + 1)
        return jnp.moveaxis(jnp.moveaxis(inputs, self.axis, -1) * _laid(self.scale.value, inputs), -1, self.axis)

    def get_config(self):
        return Layer.get_config(self)


class KeepsAnArray(Scale):
    def call(self, inputs):
        self.last = {"inputs": inputs}
        return super().call(inputs)


class LeaksATracer(Scale):
    def call(self, inputs):
        UNEXPECTED[:] = [inputs * 2]
        return super().call(inputs)


class DependsOnTime(Scale):
    def call(self, inputs):
        UNEXPECTED.append(None)
        return super().call(inputs) * len(UNEXPECTED)


class MixesExamples(Scale):
    def call(self, inputs):
        return super().call(inputs) - jnp.mean(inputs, 0, keepdims=True)


class IgnoresItsDataFormat(Scale):
    axis = -1


class WrongDerivative(Scale):
    def call(self, inputs):
        return super().call(inputs) + jax.lax.stop_gradient(inputs)


class StaysInFloat32(Scale):
    def call(self, inputs):
        return super().call(inputs).astype("float32")


class LosesPrecision(Scale):
    def call(self, inputs):
        outputs = super().call(inputs)
        return outputs if inputs.dtype == "float32" else jax.lax.reduce_precision(outputs, 5, 3)


@registry.register_keras_serializable("contract")
class ForgetsInItsConfig(Scale):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def get_config(self):
        return {**super().get_config(), "factor": 1.0 if self.built else 2.0}


class KeepsAPythonNumber(Scale):
    """Its state comes back as another type than it had, so the next call is traced anew."""

    def stateless_call(self, *args, **kwargs):
        outputs, non_trainable = super().stateless_call(*args, **kwargs)
        return outputs, {**non_trainable, "count": 1.0}


class ForetellsWrongly(Scale):
    def compute_output_spec(self, inputs):
        super().compute_output_spec(inputs)
        return KerasTensor((*inputs.shape[:-1], 1), inputs.dtype)


class CopiesItselfWrongly(Scale):
    def __deepcopy__(self, memo):
        clone = Scale()
        clone.build((None, 3))
        clone.call = lambda inputs: inputs
        return clone


@dataclasses.dataclass(frozen=True)
class Row(LayerRow):
    cls: type[Layer] = Scale

    @property
    def layer(self) -> type[Layer]:
        return self.cls


def row(cls: type[Layer], **changes: Any) -> Row:
    tree = {"trainable": {"scale": (3,)}, "non_trainable": {"count": ()}}
    return Row(**{"name": cls.__name__, "config": {}, "inputs": ((2, 3),), "tree": tree, "cls": cls, **changes})


CHECKS = [value for name, value in vars(contract).items() if name.startswith("test_") and hasattr(value, "pytestmark")]


def run(check: Any, monkeypatch: pytest.MonkeyPatch, described: Row) -> None:
    made = Subject(described)
    monkeypatch.setattr(contract, "subject", lambda name: made)
    policy = ("float16",) if check is contract.test_half_precision_policies else ()
    check(described.name, *policy)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_sound_layer_passes(check, monkeypatch):
    run(check, monkeypatch, row(Scale))


BROKEN = [
    (contract.test_init_makes_exactly_the_described_tree, row(Scale, tree={"trainable": {"scale": (3,)}})),
    (contract.test_init_makes_exactly_the_described_tree, row(Scale, inputs=((2, 4),))),
    (contract.test_eager_equals_compiled, row(DependsOnTime)),
    (contract.test_a_second_call_compiles_nothing, row(KeepsAPythonNumber)),
    (contract.test_a_call_is_pure, row(KeepsAPythonNumber)),
    (contract.test_no_tracer_leaks, row(LeaksATracer)),
    (contract.test_the_symbolic_outputs_foretell_the_real_ones, row(ForetellsWrongly)),
    (contract.test_the_other_data_format_is_a_transposition, row(IgnoresItsDataFormat, inputs=((2, 5, 3),))),
    (contract.test_vmap_over_the_batch_changes_nothing, row(MixesExamples)),
    (contract.test_derivatives_agree_with_finite_differences_in_float64, row(WrongDerivative)),
    (contract.test_half_precision_policies, row(StaysInFloat32)),
    (contract.test_half_precision_policies, row(LosesPrecision)),
    (contract.test_configs_round_trip, row(ForgetsInItsConfig)),
    (contract.test_copies_and_pickles_compute_the_same, row(CopiesItselfWrongly)),
    (contract.test_a_layer_holds_no_arrays_after_all_this, row(KeepsAnArray)),
]


@pytest.mark.parametrize(
    ("check", "described"), BROKEN, ids=lambda value: getattr(value, "__name__", getattr(value, "name", ""))
)
def test_a_broken_layer_is_noticed(check, described, monkeypatch):
    with pytest.raises(Exception) as caught:  # an AssertionError, or what JAX raises for a leak
        run(check, monkeypatch, described)
    assert not isinstance(caught.value, TypeError | AttributeError | NameError), caught.value
