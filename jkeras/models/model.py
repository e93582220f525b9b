"""Model: a layer that stands for a whole network, with names for its parts, a summary and a config.

There are three ways to describe one: `Model(inputs, outputs)`, a `Sequential`, or a subclass with `call`. A model holds
no values and does not train: `model.init(key)` gives values, a `Trainer` trains them.
"""

import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jkeras import late, registry, saving, tree
from jkeras.core import Layer, Variables, describe, stateless
from jkeras.errors import ArgumentError, ConfigError, LeafError, UnknownNameError, did_you_mean, elsewhere
from jkeras.models import config as configs
from jkeras.models import summary as summaries
from jkeras.models.functional import GraphLayer, graph_arguments
from jkeras.saving.parsing import parse
from jkeras.typing import Config

SECTIONS = ("trainable_variables", "non_trainable_variables")  # Keras's names of the two trees
VALUE_FORMATS = ("backend_tensor", "numpy_array")
TRAINER = "trainer = jkeras.Trainer(model, optimizer='adam', loss='mse')\n            "


@elsewhere(
    *("compile", "fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"),
    expected="a Trainer of the model, and a state",
    write=f"{TRAINER}state = trainer.init(jax.random.key(0))\n            state, history = trainer.fit(state, x, y)",
)
@elsewhere(
    *("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics", "get_metrics_result"),
    *("make_train_function", "make_test_function", "make_predict_function", "metrics_names", "reset_metrics"),
    *("stateless_compute_loss", "compute_loss_and_updates", "jax_state_sync"),
    expected="a step of a Trainer, which a subclass of Trainer may override",
    write=f"{TRAINER}state, logs = jax.jit(trainer.train_step)(state, (x, y))",
)
@elsewhere(
    *("get_compile_config", "compile_from_config", "jit_compile", "run_eagerly", "optimizer", "loss", "compiled"),
    expected="an argument or a config of the model's Trainer",
    write=f"{TRAINER}config = trainer.get_compile_config()",
)
@elsewhere(
    "get_quantization_layer_structure",
    expected="layers that compute in the dtypes of their policy; they are not quantized",
    write="layer = type(layer)(..., dtype='mixed_bfloat16')",
)
@elsewhere(
    "reset_states",
    expected="the values of `init`, or a recurrent layer's `reset_state(variables)`",
    write="variables = model.init(jax.random.key(0))",
)
class Model(GraphLayer):
    """A network.

    `Model(inputs, outputs)` is the network between symbolic tensors. A subclass either passes symbolic tensors on to
    `super().__init__(inputs, outputs)`, or holds layers as attributes and calls them in `call`.

    Args:
        inputs, outputs: symbolic tensors or structures of them; both or neither.
        name: its address in the tree of the owner.
        kwargs: the arguments of `Layer`.

    Raises:
        ArgumentError: only one of `inputs` and `outputs`, or something other than a symbolic tensor.
        GraphError: the graph is disconnected or has a cycle.
        DuplicateNameError: two layers have the same explicit name.

    >>> import jax, jkeras
    >>> inputs = jkeras.Input((3,))
    >>> model = Model(inputs, jkeras.layers.Dense(2)(inputs))
    >>> variables = model.init(jax.random.key(0))
    >>> variables.trainable["dense"]["kernel"].shape
    (3, 2)
    >>> outputs, _ = model.stateless_call(*variables, jax.numpy.ones((5, 3)))
    >>> outputs.shape
    (5, 2)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        described = cls is Model and graph_arguments(args, kwargs) is not None
        return super().__new__(Functional if described else cls, *args, **kwargs)

    # -- parts

    def addresses(self) -> dict[str, Layer]:
        """The direct sublayers by their names within the model."""
        found: dict[Layer, str] = {}
        for name, part in self.components():
            if isinstance(part, Layer):
                found.setdefault(part, name)
        return {name: layer for layer, name in found.items()}

    @property
    def layers(self) -> list[Layer]:
        """The direct sublayers."""
        return list(self.addresses().values())

    @layers.setter
    def layers(self, value: Sequence[Layer]) -> None:
        raise AttributeError(
            "cannot assign `layers`: it lists the sublayers of the model. Use another name for your own list."
        )

    @property
    def operations(self) -> list[Any]:
        """The operations of the graph, functions of `jkeras.ops` included, deepest first; else the layers."""
        return self.layers if self.function is None else self.function.operations

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A direct sublayer by its name or by its place in `layers`.

        Raises:
            UnknownNameError: no sublayer has the name.
            ArgumentError: both or neither are given, or the index is out of range.
        """
        if (name is None) == (index is None):
            problem, write = "exactly one of `name` and `index` must be given.", "model.get_layer(index=0)"
            wanted, received = "a name or an index", "both" if name is not None else "neither"
            raise ArgumentError(problem, path="get_layer", expected=wanted, received=received, write=write)
        addresses = self.addresses()
        if index is not None:
            if not -len(addresses) <= index < len(addresses):
                raise ArgumentError(
                    f"`index` must be less than the number of layers, {len(addresses)}, got {index}.",
                    path=self.name,
                    expected=f"0 to {len(addresses) - 1}",
                    received=index,
                    write=f"{self.name}.get_layer(index=-1)   # the last layer",
                )
            return list(addresses.values())[index]
        assert name is not None
        if name not in addresses:
            raise UnknownNameError(f"unknown layer {name!r}.", path=self.name, expected=did_you_mean(name, addresses))
        return addresses[name]

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints a table of the layers: names, output shapes, numbers of parameters; and the totals.

        Args:
            line_length: the width in characters; by default that of the terminal.
            positions: where the columns end, a number for each: fractions of the width, or characters.
            print_fn: receives each line instead of the terminal.
            expand_nested: whether to add rows for the layers of nested models.
            show_trainable: whether to add a column that shows which layers are trainable.
            layer_range: the names, or patterns of names, of the first and the last layer to show.
        """
        summaries.show(
            self,
            self.addresses(),
            self.function,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
        )

    # -- values as one tree

    def get_state_tree(self, variables: tuple[Any, Any], value_format: str = "backend_tensor") -> dict[str, Any]:
        """The values by the names of Keras's sections. The state of optimizers and metrics is in a `TrainState`.

        Args:
            variables: the two trees.
            value_format: `"backend_tensor"` for the arrays as they are, `"numpy_array"` for NumPy arrays.

        Returns:
            `{"trainable_variables": tree, "non_trainable_variables": tree}`.

        >>> import jax, jkeras
        >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
        >>> state_tree = model.get_state_tree(model.init(jax.random.key(0)))
        >>> state_tree["trainable_variables"]["dense"]["bias"].shape, state_tree["non_trainable_variables"]
        ((2,), {})
        """
        if value_format not in VALUE_FORMATS:
            raise ArgumentError(
                f"`value_format` must be 'backend_tensor' or 'numpy_array', got {value_format!r}.",
                path=f"{self.name}.get_state_tree",
                expected=" or ".join(map(repr, VALUE_FORMATS)),
                received=repr(value_format),
                write="model.get_state_tree(variables, value_format='numpy_array')",
            )
        stateless.bind(self.structure(), *variables, self.name)
        trees = variables if value_format == "backend_tensor" else jax.tree.map(np.asarray, tuple(variables))
        return dict(zip(SECTIONS, trees, strict=True))

    def set_state_tree(self, variables: tuple[Any, Any], state_tree: Mapping[str, Any]) -> Variables:
        """The two trees with the values of a state tree in them; leaves that it lacks stay as they are.

        Args:
            variables: the two trees.
            state_tree: the result of `get_state_tree`, or a part of it.

        Raises:
            LeafError: a section or a path that the model does not have, or a value of another shape.
        """
        unknown = [section for section in state_tree if section not in SECTIONS]
        if unknown:
            raise LeafError(
                f"`state_tree` must have only the sections of a model, got {unknown}.",
                path=f"{self.name}.set_state_tree",
                expected=f"sections among {list(SECTIONS)}",
                write="state.replace(opt_state=..., metrics=...)   # of a TrainState",
            )
        leaves = {path: leaf for section in state_tree.values() for path, leaf in tree.flatten(section).items()}
        paths = {d.path: variable for variable, d in self.structure().declarations.items()}
        missing = [path for path in leaves if path not in paths]
        if missing:
            raise LeafError(
                f"`state_tree` must have only paths of variables of the model, got {missing[:4]}.",
                path=f"{self.name}.set_state_tree",
                expected=did_you_mean(missing[0], paths),
            )
        declared = [paths[path] for path in leaves]
        return stateless.replace(self.structure(), variables, declared, list(leaves.values()), self.name)

    # -- files

    def save(self, path: str | os.PathLike[str], variables: tuple[Any, Any], *, zipped: bool = True) -> None:
        """Writes the config and the values into a `.keras` file, which `load_model` reads, here and in Keras.

        The file appears complete or not at all.

        Args:
            path, variables, zipped: as in `saving.save_model`, which says what is raised.
        """
        saving.save_model(self, path, variables, zipped=zipped)

    def save_weights(
        self, path: str | os.PathLike[str], variables: tuple[Any, Any], *, max_shard_size: float | None = None
    ) -> None:
        """Writes the values into a file, whose end says its form. Keras reads `.weights.h5` and `.weights.json`.

        Args:
            path: of the file: `.weights.h5`, `.weights.json`, `.safetensors` or `.npz`.
            variables: the two trees.
            max_shard_size: of `.weights.json`: the largest size of a shard, in gigabytes; 5 by default.

        Raises:
            ArgumentError: the path ends otherwise, or an array does not fit into a shard.
            LeafError: the trees do not fit the model.
            FileWriteError: the file cannot be written.
        """
        saving.save_weights(self, path, variables, max_shard_size=max_shard_size)

    def load_weights(
        self,
        path: str | os.PathLike[str],
        variables: tuple[Any, Any],
        *,
        skip_mismatch: bool = False,
        by_name: bool = False,
    ) -> Variables:
        """The trees with the values of a file of ours or of Keras's. For other names: `jkeras.saving.assign`.

        Args:
            path: of the file: `.weights.h5`, `.weights.json`, `.safetensors`, `.safetensors.index.json`, `.npz`,
                or Keras's older form, `.h5` and `.hdf5`.
            variables: the two trees; what the file does not have stays.
            skip_mismatch: whether layers whose weights are missing, or others, keep theirs, with a warning.
            by_name: of the older form: whether layers are found by their names in place of their order.

        Raises:
            ArgumentError: the path ends otherwise.
            LeafError: weights are missing or have other shapes; names every such layer.
            DamagedFileError: the file is truncated, or its contents are not those that were written.
            UnsafeFileError: the file holds what does not belong into a file of weights.
        """
        return saving.load_weights(self, path, variables, skip_mismatch=skip_mismatch, by_name=by_name)

    def export(
        self, path: str | os.PathLike[str], variables: tuple[Any, Any], format: str = "jax", **options: Any
    ) -> None:
        """Writes the inference of the model, with its values, for a runtime that knows neither the class nor jkeras.

        Args:
            path: of the file or folder.
            variables: the two trees.
            format: `"jax"`, a file of `jkeras.export`; `"tf_saved_model"`; or `"onnx"`.
            options: those of the format: `input_signature`, a spec for each argument of `call`, and the keywords of
                `jkeras.export.write_jax`, `write_saved_model` or `write_onnx`.

        Raises:
            UnknownNameError: there is no such format.
            MissingExtraError: the package that the format needs is not installed.
        """
        late.export.write_model(self, path, variables, format, **options)

    # -- configs

    def to_json(self, **options: Any) -> str:
        """The config as JSON, which `model_from_json` reads, here and in Keras.

        Args:
            options: arguments of `json.dumps`.
        """
        return json.dumps(configs.named_config(self, self.name), **options)

    def get_config(self) -> Config:
        """The graph, layer by layer; of a subclass with arguments of its own, those arguments."""
        if self.function is not None and _is_graph_constructor(type(self)):
            return {"name": self.explicit_name, "trainable": self.trainable, **configs.graph_config(self.function)}
        if type(self).get_config is Model.get_config:
            return describe.complete_config(self, Layer)
        return describe.base_config(self)

    @classmethod
    def from_config(cls, config: Config, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The model of a config.

        Raises:
            GraphError: the graph of the config has loops, or calls that cannot be made.
            ConfigError: the constructor refuses the arguments.
        """
        with registry.custom_object_scope(custom_objects or {}):
            if not configs.is_graph_config(config):
                return super().from_config(config)
            inputs, outputs = configs.graph_tensors(config)
            others = {name: value for name, value in config.items() if name not in configs.GRAPH_KEYS}
            return cls(inputs=inputs, outputs=outputs, **others)


@registry.export("keras.src.models.functional", "keras", "keras.models")
class Functional(Model):
    """The class of `Model(inputs, outputs)`: a model described by its graph alone.

    >>> import jkeras
    >>> inputs = jkeras.Input((3,))
    >>> jkeras.Model(inputs, inputs * 2.0)
    <Functional name=functional, built=True>
    """


def _is_graph_constructor(cls: type) -> bool:
    """Whether a class is constructed from inputs and outputs, so that a graph is all that its config needs."""
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    names = [p.name for p in parameters][1:]
    kinds = {p.kind for p in parameters}
    return (
        names[:2] == ["inputs", "outputs"]
        or {p.VAR_POSITIONAL for p in parameters} | {p.VAR_KEYWORD for p in parameters} <= kinds
    )


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model that `to_json` wrote, here or in Keras. Its values are drawn again, with `init`.

    Args:
        json_string: the result of `to_json`.
        custom_objects: classes and functions by name.

    Raises:
        ConfigError: the string is not the config of a model.
        UnknownNameError: a class is not known.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> model_from_json(model.to_json()).output_shape
    (None, 2)
    """
    model = registry.deserialize(parse(json_string), custom_objects)
    if not isinstance(model, Model):
        problem = f"`json_string` must be the config of a model, got that of a {type(model).__name__}."
        wanted, received = "the config of a model", type(model).__name__
        write = "jkeras.saving.deserialize_keras_object(json.loads(json_string))   # for other objects"
        raise ConfigError(problem, path="model_from_json", expected=wanted, received=received, write=write)
    return model
