"""Handwritten digits: a real data set that is small enough to come with the package.

It is the test set of "Optical Recognition of Handwritten Digits" (UCI Machine Learning Repository, CC BY 4.0): 1,797
images by 13 writers. `digits.txt` beside this file gives the licence, the citation and the arrays of the archive.
"""

import importlib.resources
from typing import TypeAlias

import numpy as np

TEST_SIZE = 360
"""How many images, 36 of each digit, form the test part."""

Part: TypeAlias = tuple[np.ndarray, np.ndarray]


def load_data() -> tuple[Part, Part]:
    """The digits as `(x_train, y_train), (x_test, y_test)`, in the form of Keras's data sets.

    The split and the order are fixed: 1,437 images to train on, 360 to test with, 36 of each digit. Writers are not
    kept apart, for the source does not name them: the test part holds new images by known hands.

    Returns:
        Images `x` of shape `(n, 8, 8)`, dtype `uint8`, values 0 (paper) to 16 (ink); labels `y` of shape `(n,)`, dtype
        `uint8`, values 0 to 9. The arrays are the caller's own.

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, y_train.shape, x_test.shape, x_train.dtype.name, int(x_train.max())
    ((1437, 8, 8), (1437,), (360, 8, 8), 'uint8', 16)
    >>> x = x_train[..., np.newaxis] / np.float32(16)  # what a convolution wants: (n, 8, 8, 1), values 0 to 1
    >>> x.shape, x.dtype.name
    ((1437, 8, 8, 1), 'float32')

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998, doi:10.24432/C50P49.
    """
    archive = importlib.resources.files("jkeras.datasets").joinpath("digits.npz")
    with archive.open("rb") as file, np.load(file) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    train, test = slice(None, -TEST_SIZE), slice(-TEST_SIZE, None)
    return (images[train], labels[train]), (images[test], labels[test])
