"""Suite-wide strictness: Keras runs on JAX, nothing is promoted in rank silently, every warning is an error."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
