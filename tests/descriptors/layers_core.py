"""Rows of `jkeras.layers.core`."""

import jax
import jax.numpy as jnp

from jkeras import activations, registry
from tests.descriptors.row import LayerRow


@registry.register_keras_serializable("rows")
def scaled_sum(inputs, factor=1.0, training=None):
    """A function for `Lambda` that takes an argument and `training`."""
    return factor * inputs.sum(axis=-1, keepdims=True)


@registry.register_keras_serializable("rows")
def scaled_sum_shape(input_shape):
    return (*input_shape[:-1], 1)


@registry.register_keras_serializable("rows")
def first_mask(inputs, mask):
    return mask


@registry.register_keras_serializable("rows")
def center_init(rng, inputs):
    """Parameters and a state, nested and of several dtypes, for `JaxLayer`."""
    features = inputs.shape[-1]
    params = {"scale": jax.random.normal(rng, (features,)), "shifts": [jnp.ones((features,))]}
    return params, {"mean": jnp.zeros((features,)), "steps": jnp.zeros((), "int32")}


@registry.register_keras_serializable("rows")
def center(params, state, rng, inputs, training):
    """A scale, noise in training, and a running mean that counts its steps."""
    scale, shift = (jnp.expand_dims(v, 0) for v in (params["scale"], params["shifts"][0]))
    outputs = (inputs - jnp.expand_dims(state["mean"], 0).astype(inputs.dtype)) * scale + shift
    if training:
        outputs = outputs + jax.random.bernoulli(rng, 0.5, (1, 1)).astype(outputs.dtype)
        state = {"mean": 0.5 * state["mean"] + 0.5 * inputs.mean(0), "steps": state["steps"] + 1}
    return outputs, state


@registry.register_keras_serializable("rows")
def double(inputs):
    return {"twice": 2 * inputs}


INTEGERS = "indices have no gradients, and the table is read only at them"

ROWS = [
    LayerRow("Dense", {"units": 4}, ((2, 3),), {"trainable": {"kernel": (3, 4), "bias": (4,)}}),
    LayerRow(
        "Dense/kernel options",
        {
            "units": 2,
            "activation": "tanh",
            "use_bias": False,
            "kernel_initializer": "he_normal",
            "kernel_regularizer": "l2",
            "kernel_constraint": "max_norm",
        },
        ((2, 5, 3),),
        {"trainable": {"kernel": (3, 2)}},
    ),
    LayerRow(
        "Dense/bias options",
        {
            "units": 4,
            "bias_initializer": "ones",
            "bias_regularizer": "l1",
            "activity_regularizer": "l2",
            "bias_constraint": "non_neg",
        },
        ((2, 3),),
        {"trainable": {"kernel": (3, 4), "bias": (4,)}},
    ),
    LayerRow(
        "Dense/low-rank adaptation",
        {"units": 4, "lora_rank": 2},
        ((2, 3),),
        {
            "trainable": {"bias": (4,), "lora_kernel_a": (3, 2), "lora_kernel_b": (2, 4)},
            "non_trainable": {"kernel": (3, 4)},
        },
    ),
    LayerRow(
        "Dense/scaled low-rank adaptation",
        {"units": 4, "lora_rank": 2, "lora_alpha": 3.0},
        ((2, 3),),
        {
            "trainable": {"bias": (4,), "lora_kernel_a": (3, 2), "lora_kernel_b": (2, 4)},
            "non_trainable": {"kernel": (3, 4)},
        },
        keras="Dense of Keras 3.15 forgets lora_alpha when it is built",
    ),
    LayerRow(
        "EinsumDense",
        {
            "equation": "abc,cde->abde",
            "output_shape": (None, 3, 4),
            "activation": "tanh",
            "bias_axes": "e",
            "bias_initializer": "normal",
            "bias_regularizer": "l1",
            "bias_constraint": "non_neg",
        },
        ((2, 3, 5),),
        {"trainable": {"kernel": (5, 3, 4), "bias": (4,)}},
    ),
    LayerRow(
        "EinsumDense/kernel options, axes behind",
        {
            "equation": "ab...,bc->ac...",
            "output_shape": 4,
            "bias_axes": "c",
            "kernel_initializer": "he_normal",
            "kernel_regularizer": "l2",
            "kernel_constraint": "max_norm",
        },
        ((2, 3, 2),),
        {"trainable": {"kernel": (3, 4), "bias": (4, 1)}},
    ),
    LayerRow(
        "EinsumDense/low-rank adaptation",
        {
            "equation": "...x,xyz->...yz",
            "output_shape": (2, 4),
            "bias_axes": "yz",
            "lora_rank": 2,
            "lora_alpha": 3.0,
        },
        ((2, 5, 3),),
        {
            "trainable": {"bias": (2, 4), "lora_kernel_a": (3, 2, 2), "lora_kernel_b": (2, 4)},
            "non_trainable": {"kernel": (3, 2, 4)},
        },
    ),
    LayerRow(
        "Embedding",
        {"input_dim": 7, "output_dim": 3},
        (((2, 4), "int32"),),
        {"trainable": {"embeddings": (7, 3)}},
        high=7,
    ),
    LayerRow(
        "Embedding/table options",
        {
            "input_dim": 7,
            "output_dim": 3,
            "embeddings_initializer": "normal",
            "embeddings_regularizer": "l2",
            "embeddings_constraint": "unit_norm",
            "mask_zero": True,
        },
        (((3,), "int32"),),
        {"trainable": {"embeddings": (7, 3)}},
        high=7,
    ),
    LayerRow(
        "Embedding/floats as indices",
        {"input_dim": 5, "output_dim": 2},
        ((2, 3),),
        {"trainable": {"embeddings": (5, 2)}},
        high=4.9,
        gradients="indices are cut to integers",
        half="half precision rounds an index up to the next one",
    ),
    LayerRow(
        "Embedding/low-rank adaptation",
        {"input_dim": 7, "output_dim": 3, "lora_rank": 2},
        (((2, 4), "int32"),),
        {
            "trainable": {"lora_embeddings_a": (7, 2), "lora_embeddings_b": (2, 3)},
            "non_trainable": {"embeddings": (7, 3)},
        },
        high=7,
    ),
    LayerRow(
        "Embedding/scaled low-rank adaptation",
        {"input_dim": 7, "output_dim": 3, "lora_rank": 2, "lora_alpha": 5.0},
        (((2, 4), "int32"),),
        {
            "trainable": {"lora_embeddings_a": (7, 2), "lora_embeddings_b": (2, 3)},
            "non_trainable": {"embeddings": (7, 3)},
        },
        high=7,
        keras="Embedding of Keras 3.15 forgets lora_alpha when it is built",
    ),
    LayerRow("Identity", {}, ((2, 3),)),
    LayerRow("Identity/a structure", {}, ({"x": (2, 3), "y": ((2,), "int32")},), high=9),
    LayerRow(
        "JaxLayer",
        {"call_fn": center, "init_fn": center_init, "seed": 3},
        ((2, 3),),
        {
            "trainable": {"params/scale": (3,), "params/shifts/0": (3,)},
            "non_trainable": {
                "state/mean": (3,),
                "state/steps": (),
                "seed_generator/seed_generator_state": (2,),
            },
        },
        training=True,
        per_example="the noise is that of the batch",
        keras="its functions are registered here, not there; tests/test_catalogue_core.py compares the numbers",
    ),
    LayerRow("JaxLayer/without values", {"call_fn": double}, ((2, 3),), keras="as above"),
    LayerRow("Lambda", {"function": activations.softplus}, ((2, 3),)),
    LayerRow(
        "Lambda/everything",
        {
            "function": scaled_sum,
            "output_shape": scaled_sum_shape,
            "mask": first_mask,
            "arguments": {"factor": 0.5},
        },
        ((2, 4, 3),),
        keras="its functions are registered here, not there",
    ),
    LayerRow("Lambda/a fixed shape", {"function": scaled_sum, "output_shape": (4, 1)}, ((2, 4, 3),), keras="as above"),
    LayerRow("Masking", {"mask_value": 2.0}, (((2, 4, 3), "int32"),), low=2, high=4, gradients="integers"),
    LayerRow("Masking/zero", {}, ((2, 4, 3),)),
    LayerRow(
        "ReversibleEmbedding",
        {
            "input_dim": 7,
            "output_dim": 3,
            "tie_weights": False,
            "embeddings_initializer": "normal",
            "embeddings_regularizer": "l2",
            "embeddings_constraint": "unit_norm",
            "mask_zero": True,
        },
        (((2, 4), "int32"),),
        {"trainable": {"embeddings": (7, 3), "reverse_embeddings": (3, 7)}},
        high=7,
    ),
    LayerRow(
        "ReversibleEmbedding/back, adapted",
        {"input_dim": 7, "output_dim": 3, "lora_rank": 2, "lora_alpha": 3.0},
        ((2, 4, 3),),
        {
            "trainable": {"lora_embeddings_a": (7, 2), "lora_embeddings_b": (2, 3)},
            "non_trainable": {"embeddings": (7, 3)},
        },
        static={"reverse": True},
        keras="its Embedding forgets lora_alpha when it is built",
    ),
    LayerRow(
        "ReversibleEmbedding/back",
        {"input_dim": 7, "output_dim": 3, "reverse_dtype": "float32", "logit_soft_cap": 2.0},
        ((2, 3),),
        {"trainable": {"embeddings": (7, 3)}},
        static={"reverse": True},
        gradients="computed in float32 whatever the policy",
        half="as above",
    ),
]
