"""The shared checks of arguments: what they take, what they return, and the one sentence with which they refuse."""

import math

import numpy as np
import pytest

from jkeras import arguments
from jkeras.errors import ArgumentError, UnknownNameError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("check", "value", "kept"),
    [
        (arguments.integer, np.int64(-3), -3),
        (arguments.positive_int, np.uint8(3), 3),
        (arguments.positive_int, 2**63 - 1, 2**63 - 1),
        (arguments.non_negative_int, np.int32(0), 0),
        (arguments.optional_int, None, None),
        (arguments.optional_int, np.int64(255), 255),
        (arguments.number, np.float32(0.5), 0.5),
        (arguments.number, -2, -2),
        (arguments.number, INF, INF),
        (arguments.positive_number, INF, INF),
        (arguments.non_negative_number, 0, 0),
        (arguments.fraction, np.float64(0.25), 0.25),
        (arguments.fraction, 1, 1),
        (arguments.boolean, False, False),
        (arguments.string, "", ""),
        (arguments.axis, np.int64(-1), -1),
        (arguments.axes, (np.int64(1), 2), [1, 2]),
        (arguments.axes, 0, 0),
    ],
)
def test_what_fits_is_kept_as_python_s(check, value, kept):
    found = check(value, "argument", "Owner")
    assert found == kept
    assert type(found) is type(kept)


def test_a_number_without_an_interval_may_be_nan():
    assert math.isnan(arguments.number(NAN, "fill_value", "Owner"))


@pytest.mark.parametrize(
    ("check", "values", "wanted"),
    [
        (arguments.integer, (1.0, True, "1", None, NAN), "an integer"),
        (arguments.positive_int, (0, -1, 1.0, True, None), "a positive integer"),
        (arguments.positive_int, (2**63,), "a positive integer below 2**63"),
        (arguments.non_negative_int, (-1, 0.0, False), "a non-negative integer"),
        (arguments.optional_int, ("0", True, 1.5), "an integer or None"),
        (arguments.number, ("1", True, None, 1j), "a number"),
        (arguments.positive_number, (0, -1.0, NAN, True), "a number > 0"),
        (arguments.non_negative_number, (-1, NAN, None), "a number >= 0"),
        (arguments.fraction, (-0.1, 1.1, NAN, True, "0.5"), "a number in [0, 1]"),
        (arguments.boolean, (1, 0, None, "True"), "True or False"),
        (arguments.string, (1, None, b"a"), "a string"),
        (arguments.function, (1, None, "abs"), "a function"),
        (arguments.axis, (0.5, True, None), "an integer"),
        (arguments.axes, (0.5, [0.5], [True], None), "an integer or a list of integers"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(check, values, wanted):
    for value in values:
        with pytest.raises(ArgumentError) as error:
            check(value, "argument", "Owner", "Owner(argument=...)")
        assert error.value.problem == f"`argument` must be {wanted}, got {value!r}."
        assert (error.value.path, error.value.received) == ("Owner", repr(value))
        assert error.value.write == "Owner(argument=...)"


def test_the_line_to_write_has_a_value_that_fits():
    for check, value in (
        *((arguments.positive_int, 0), (arguments.non_negative_int, -1), (arguments.fraction, 2)),
        *((arguments.number, "1"), (arguments.boolean, 1), (arguments.axis, 0.5), (arguments.optional_int, 0.5)),
    ):
        with pytest.raises(ArgumentError) as error:
            check(value, "argument", "dict")
        ((_, written),) = eval(error.value.write).items()  # dict(argument=1)
        check(written, "argument", "dict")


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [("[0, 1)", (0, 0.99), (1, -1e-9, NAN)), ("(0, 1)", (0.5,), (0, 1)), ("[-inf, inf]", (INF, -INF, 0), (NAN,))],
)
def test_intervals_say_which_ends_belong_to_them(interval, inside, outside):
    for value in inside:
        assert arguments.number(value, "rate", "Owner", interval=interval) == value
    for value in outside:
        with pytest.raises(ArgumentError, match="`rate` must be a number"):
            arguments.number(value, "rate", "Owner", interval=interval)


def test_choices_are_listed_and_the_nearest_is_proposed():
    with pytest.raises(ArgumentError) as error:
        arguments.one_of("mni", "mode", "Owner", ("min", "max", None))
    assert type(error.value) is ArgumentError
    assert error.value.problem == "`mode` must be 'min', 'max' or None, got 'mni'."
    assert error.value.expected == "'min' (did you mean it?)"
    with pytest.raises(UnknownNameError) as error:
        arguments.one_of(3, "mode", "Owner", [f"mode_{i}" for i in range(20)], error=UnknownNameError)
    assert len(str(error.value).splitlines()[0]) < 200
    assert error.value.expected.startswith("one of 'mode_0', 'mode_1'")


def test_a_long_value_is_shortened_to_one_line():
    with pytest.raises(ArgumentError) as error:
        arguments.integer(np.arange(1000.0).reshape(50, 20), "axis", "Owner")
    assert len(str(error.value).splitlines()) == 4
    assert all(len(line) < 200 for line in str(error.value).splitlines())
