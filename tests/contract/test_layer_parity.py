"""Every row whose layer Keras has, against Keras."""

import pytest

from tests.descriptors.layers import ROWS
from tests.parity import check_parity


@pytest.mark.parametrize("row", [row for row in ROWS if row.keras is True], ids=lambda row: row.name)
def test_agrees_with_keras(row):
    check_parity(row)
