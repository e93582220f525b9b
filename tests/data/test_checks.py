"""Warnings about values."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

from jkeras.data import adapt, checks
from jkeras.data.checks import check_class_weight, check_values

REPLACE = "; they must be finite. Write x = np.nan_to_num(x)."


def said(call, *args, **options) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args, **options)
    return [str(each.message) for each in caught]


def test_nan_and_infinite_values_are_counted_and_placed():
    x = np.ones((16, 4), "float32")
    nan, infinite = x * np.nan, x.copy()
    infinite[2, 3] = -np.inf
    assert said(check_values, {"x": nan}) == [f"64 of 64 values of x are NaN, the first at [0, 0]{REPLACE}"]
    assert said(check_values, {"x": {"a": infinite}}) == [
        "1 of 64 values of x['a'] are infinite, the first at [2, 3]; they must be finite."
        " Write x['a'] = np.nan_to_num(x['a'])."
    ]
    infinite[5, 0] = np.nan
    assert said(check_values, {"y": infinite}) == [
        "2 of 64 values of y are NaN or infinite, the first at [2, 3]; they must be finite. Write y = np.nan_to_num(y)."
    ]


@pytest.mark.parametrize(
    "make", [jnp.asarray, lambda x: np.asarray(x, jnp.bfloat16), lambda x: np.asarray(x, "complex64")]
)
def test_other_kinds_of_numbers_are_looked_at(make):
    assert said(check_values, {"x": make(np.array([1.0, np.nan], "float32"))}) == [
        f"1 of 2 values of x are NaN, the first at [1]{REPLACE}"
    ]


def test_integers_beyond_32_bits_are_told():
    x = np.array([[1, 2**40]] * 8)
    (message,) = said(check_values, {"x": x})
    assert message.startswith(
        "8 of 16 values of x do not fit int32, to which JAX converts int64, the first at [0, 1]: 1099511627776."
    )
    assert "jax_enable_x64" in message
    assert "uint32" in said(check_values, {"x": np.array([2**33], "uint64")})[0]


def test_integers_of_every_batch_and_of_every_place_are_looked_at(monkeypatch):
    monkeypatch.setattr(checks, "CHECKED_VALUES", 2)
    x = np.ones((10, 2), "int64")
    x[9, 1] = -(2**40)
    (message,) = said(check_values, {"x": x})
    assert "first at [9, 1]: -1099511627776" in message
    batches = [(np.ones((2, 2), "int64"), np.array([0, 1])), (x[8:], np.array([0, 2**40]))]
    first, second = said(lambda: list(adapt(iter(batches)).epoch(0)))
    assert "values of x do not fit int32" in first and "values of y do not fit int32" in second
    assert said(check_values, {"x": x}, kinds=["float"]) == []


def test_good_values_pass():
    values = [
        np.ones((3, 2)),
        np.array([-(2**31), 2**31 - 1]),
        np.array([True]),
        np.array([2**32 - 1], "uint64"),
        np.ones((3, 0)),
        np.ones(2, jnp.bfloat16),
    ]
    assert said(check_values, {"x": values, "y": None}) == []


def test_of_large_arrays_the_first_examples_are_looked_at(monkeypatch):
    monkeypatch.setattr(checks, "CHECKED_VALUES", 8)
    x = np.ones((100, 2))
    x[4:] = np.nan
    assert said(check_values, {"x": x}) == []
    x[3] = np.nan
    assert said(check_values, {"x": x}) == [f"2 of 8 values of x are NaN, the first at [3, 0]{REPLACE}"]


@pytest.mark.parametrize("y", [np.array([0, 1, 2, 1]), np.array([[0], [1], [2], [1]]), np.eye(3)[[0, 1, 2, 1]]])
def test_classes_without_a_weight_are_named(y):
    assert said(check_class_weight, y, {0: 2.0}) == [
        "`class_weight` lacks the classes [1, 2] of y; their weight is 1."
        " Write class_weight[1] = class_weight[2] = 1.0."
    ]
    assert said(check_class_weight, y, {0: 2.0, 1: 1.0, 2: 1.0, 9: 1.0}) == []


def test_arrays_are_checked_when_they_are_adapted():
    x = np.full((2, 1), np.nan)
    (message,) = said(adapt, x, np.zeros(2))
    assert "values of x" in message
    (message,) = said(adapt, np.ones((2, 1)), np.array([0, 1]), class_weight={0: 2.0})
    assert "classes [1]" in message
