"""Configs of layers: arguments under Keras's keys, in Keras's envelope."""

import copy
import json
import pickle

import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import activations, dtypes, initializers, registry
from jkeras.core import Input, Layer
from jkeras.errors import ArgumentError, ConfigError, SerializationError, UnknownNameError
from jkeras.layers import Dense
from tests.core.samples import KEY, Chain, Scale
from tests.oracle import asking_keras, keras


class Plain(Layer):
    def __init__(self, size, ratio=0.5, names=("a", "b"), **kwargs):
        super().__init__(**kwargs)
        self.width = 2 * size

    def call(self, inputs):
        return inputs


class Special(Dense):
    """A user's class that adds to a built-in, and writes no `get_config`."""

    def __init__(self, units, extra=1.0, **kwargs):
        super().__init__(units, **kwargs)
        self._extra = extra


class Nested(Layer):
    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def get_config(self):
        return {**super().get_config(), "inner": registry.serialize(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "inner": registry.deserialize(config["inner"])})

    def call(self, inputs):
        return self.inner(inputs)


POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}


class TestLayerConfig:
    def test_the_keys_of_layer(self):
        assert Scale().get_config() == {"name": None, "trainable": True, "dtype": POLICY}

    def test_activity_regularizer_only_where_there_is_one(self):
        config = Scale(activity_regularizer="l2").get_config()
        assert config["activity_regularizer"]["class_name"] == "L2"
        assert isinstance(
            Scale.from_config(config).activity_regularizer, type(Scale(activity_regularizer="l2").activity_regularizer)
        )

    def test_autocast_where_it_is_off(self):
        assert Scale.from_config(Scale(autocast=False).get_config()).autocast is False

    @pytest.mark.parametrize(
        "arguments", [{}, {"trainable": False}, {"dtype": "mixed_float16"}, {"name": "n"}], ids=str
    )
    def test_as_in_keras(self, arguments):
        class Theirs(keras.layers.Layer):
            def get_config(self):
                return super().get_config()

        with asking_keras():
            theirs = Theirs(**{"name": "scale", **arguments}).get_config()
        assert Scale(**{"name": "scale", **arguments}).get_config() == theirs

    def test_plain_arguments_need_no_get_config(self):
        config = Plain(3, names=["c"], trainable=False).get_config()
        assert config == {"name": None, "trainable": False, "dtype": POLICY, "size": 3, "ratio": 0.5, "names": ["c"]}
        assert Plain.from_config(config).width == 6

    def test_other_arguments_do(self):
        with pytest.raises(
            SerializationError, match=r"config of the argument `size` is not known(.|\n)*super\(\).get_config\(\)"
        ):
            Plain(jnp.ones(1)).get_config()

    def test_a_class_of_yours_around_a_built_in(self):
        layer = Special(3, extra=2.0, activation="relu", name="special")
        config = layer.get_config()
        assert (config["units"], config["extra"], config["activation"]) == (3, 2.0, "relu")
        again = Special.from_config(config)
        assert (again.units, again._extra, again.activation) == (3, 2.0, activations.relu)

    def test_super_get_config(self):
        config = Nested(Dense(2)).get_config()
        assert sorted(config) == ["dtype", "inner", "name", "trainable"]
        assert Nested.from_config(config).inner.units == 2

    def test_configs_are_json(self):
        layers = (Special(3, kernel_initializer="he_normal"), Nested(Dense(2, kernel_regularizer="l2")), Plain(1))
        for layer in layers:
            config = layer.get_config()
            assert type(layer).from_config(json.loads(json.dumps(config))).get_config().keys() == config.keys()

    def test_what_changed_since_is_in_the_config(self):
        layer = Dense(2)
        layer.trainable = False
        layer.dtype_policy = "float16"
        config = layer.get_config()
        assert config["trainable"] is False and config["dtype"]["config"] == {"name": "float16"}


class TestEnvelope:
    def test_built_ins_are_keras_s(self):
        layer = Dense(3, activation="relu", name="head")
        layer.build((None, 4))
        ours = registry.serialize(layer)
        with asking_keras():
            theirs_layer = keras.layers.Dense(3, activation="relu", name="head")
            theirs_layer.build((None, 4))
            theirs = keras.saving.serialize_keras_object(theirs_layer)
        assert json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)

    def test_both_read_each_other(self):
        with asking_keras():
            theirs = keras.layers.deserialize(registry.serialize(Dense(3, kernel_initializer=initializers.HeNormal(1))))
            ours = registry.deserialize(keras.layers.serialize(theirs))
        assert theirs.get_config() == {**ours.get_config(), "name": theirs.name}
        assert (ours.units, ours.kernel_initializer) == (3, initializers.HeNormal(1))

    def test_the_build_config_rebuilds(self):
        layer = Dense(3)
        layer.build((None, 4))
        config = json.loads(json.dumps(registry.serialize(layer)))
        assert config["build_config"] == {"input_shape": [None, 4]}
        again = registry.deserialize(config)
        assert again.built and again.kernel.shape == (4, 3) and again.get_build_config() == {"input_shape": (None, 4)}

    def test_a_custom_layer(self):
        config = registry.serialize(Plain(3))
        assert (config["class_name"], config["registered_name"]) == ("Plain", "Plain")
        assert config["module"] == Plain.__module__
        assert registry.deserialize(config, custom_objects={"Plain": Plain}).width == 6

    def test_custom_objects_by_scope(self):
        config = registry.serialize(Plain(3))
        with registry.custom_object_scope({"Plain": Plain}):
            assert registry.deserialize(config).width == 6

    def test_an_unknown_class(self):
        with pytest.raises(
            UnknownNameError, match=r"unknown class or function 'Plain'(.|\n)*custom_objects={'Plain': Plain}"
        ):
            registry.deserialize(registry.serialize(Plain(3)))

    def test_a_registered_layer(self):
        @registry.register_keras_serializable("tests.core")
        class Registered(Plain):
            pass

        config = registry.serialize(Registered(4))
        assert config["registered_name"] == "tests.core>Registered"
        assert type(registry.deserialize(config)) is Registered

    def test_custom_functions_inside(self):
        def double(x):
            return 2 * x

        config = registry.serialize(Dense(2, activation=double))
        again = registry.deserialize(config, custom_objects={"double": double})
        assert again.activation is double

    def test_a_misspelt_class(self):
        config = {**registry.serialize(Dense(2)), "class_name": "Dens"}
        with pytest.raises(UnknownNameError, match=r"'Dense' \(did you mean it\?\)"):
            registry.deserialize(config)

    @pytest.mark.parametrize("extra", [{"unit": 3}, {"units": "3"}, {"units": 0}], ids=str)
    def test_arguments_that_the_class_refuses(self, extra):
        config = registry.serialize(Dense(2))
        with pytest.raises((ConfigError, ArgumentError), match="Dense"):
            registry.deserialize({**config, "config": {**config["config"], **extra}})


class TestPolicies:
    def test_policy_maps_are_configs_too(self):
        policies = dtypes.DTypePolicyMap("mixed_bfloat16", {"a/b": dtypes.DTypePolicy("float32")})
        config = json.loads(json.dumps(registry.serialize(Dense(2, dtype=policies))))
        again = registry.deserialize(config).declared_dtype_policy
        assert again.default_policy.name == "mixed_bfloat16" and again["a/b"].name == "float32"
        with asking_keras():
            theirs = keras.layers.deserialize(config)._dtype_policy
        assert theirs["a/b"].name == "float32" and theirs.default_policy.name == "mixed_bfloat16"

    @pytest.mark.parametrize(
        ("path", "expected"),
        [("encoder", "float32"), ("encoder/dense", "float16"), ("my/encoder/dense", "float32"), ("head", "bfloat16")],
    )
    def test_patterns_match_all_of_a_path_as_in_keras(self, path, expected):
        policies = {"encoder/.*": "float16", "head": "bfloat16"}
        ours = dtypes.DTypePolicyMap("float32", {k: dtypes.DTypePolicy(v) for k, v in policies.items()})
        with asking_keras():
            theirs = keras.dtype_policies.DTypePolicyMap(
                "float32", {k: keras.dtype_policies.DTypePolicy(v) for k, v in policies.items()}
            )
            assert theirs[path].name == expected
        assert ours[path].name == expected


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
}


class TestCopies:
    @pytest.mark.parametrize("how", COPIES)
    def test_layers_compute_the_same(self, how):
        layer = Chain(Dense(3, kernel_regularizer="l2"), Chain(Scale()))
        variables = layer.init(KEY, (1, 2))
        again = COPIES[how](layer)
        x = jnp.ones((1, 2))
        expected, _, losses = layer.stateless_call(*variables, x, return_losses=True)
        outputs, _, again_losses = again.stateless_call(*variables, x, return_losses=True)
        np.testing.assert_array_equal(outputs, expected)
        assert list(losses) == list(again_losses)

    @pytest.mark.parametrize("how", ["deepcopy", "pickle"])
    def test_a_copy_shares_nothing(self, how):
        layer = Chain(Dense(3))
        layer.init(KEY, (1, 2))
        again = COPIES[how](layer)
        again.parts[0].trainable = False
        assert layer.parts[0].trainable and layer.trainable_weights != []
        assert not set(layer.variables) & set(again.variables)

    @pytest.mark.parametrize("how", ["deepcopy", "pickle"])
    def test_layers_of_a_graph(self, how):
        layer = Dense(3)
        layer(Scale()(Input((2,))))
        again = COPIES[how](layer)
        assert again.output.shape == (None, 3) and again.input.history.operation.name == "scale"
