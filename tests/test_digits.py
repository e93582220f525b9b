"""The digits are the ones of the source, split as documented."""

import hashlib
import importlib.resources

import numpy as np
import pytest

from jkeras.datasets import digits

# The class distribution that the source's own description (optdigits.names) gives for its test set.
PER_DIGIT = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.fixture(scope="module")
def archive():
    with importlib.resources.files("jkeras.datasets").joinpath("digits.npz").open("rb") as file:
        return dict(np.load(file).items())


def test_shapes_dtypes_and_ranges():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape, y_test.shape) == ((1437, 8, 8), (1437,), (360, 8, 8), (360,))
    for x, y in ((x_train, y_train), (x_test, y_test)):
        assert x.dtype == y.dtype == np.uint8
        assert (x.min(), x.max()) == (0, 16)
        assert set(y.tolist()) == set(range(10))


def test_every_digit_is_there_as_often_as_in_the_source():
    (_, y_train), (_, y_test) = digits.load_data()
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == PER_DIGIT
    assert np.bincount(y_test).tolist() == [36] * 10


def test_the_archive_in_source_order_is_the_source(archive):
    order = np.argsort(archive["rows"])
    assert archive["rows"][order].tolist() == list(range(1797))
    images, labels = archive["images"][order], archive["labels"][order]
    # The source cycles through the digits; its first ten rows are 0 to 9.
    assert labels[:10].tolist() == list(range(10))
    assert images[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    digest = hashlib.sha256(images.tobytes()).hexdigest()
    assert digest == "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"


def test_no_image_is_in_both_parts():
    (x_train, _), (x_test, _) = digits.load_data()
    assert not {image.tobytes() for image in x_train} & {image.tobytes() for image in x_test}


def test_the_arrays_are_the_callers_own():
    (first, _), _ = digits.load_data()
    first[:] = 0
    (again, _), _ = digits.load_data()
    assert again.max() == 16


def test_licence_and_citation_lie_beside_the_data():
    text = importlib.resources.files("jkeras.datasets").joinpath("digits.txt").read_text()
    assert "CC BY 4.0" in text
    assert "10.24432/C50P49" in text
    assert "Alpaydin" in text
