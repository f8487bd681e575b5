"""Small kernels of the strategies, as they are written."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import as_written

from entrepot.strategies import _kernels as kernels


@pytest.mark.parametrize("on", [0.0, 1.0])
def test_a_state_is_on_from_where_it_is_entered_to_where_it_is_left(on: float) -> None:
    latch = as_written(kernels.latch)
    assert latch(on, True, False) == 1.0
    assert latch(on, False, True) == 0.0
    assert latch(on, True, True) == 0.0
    assert latch(on, False, False) == on


def test_sectors_are_chosen_until_there_are_none() -> None:
    choose = as_written(kernels.choose)
    score, open_to = np.array([0.3, 0.5, 0.5, np.nan, 0.9]), np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    best, worst = np.zeros(5), np.zeros(5)
    choose(2, 1.0, score, open_to, best)
    assert best.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]
    choose(1, -1.0, score, open_to, worst)
    assert worst.tolist() == [-1.0, 0.0, 0.0, 0.0, 0.0]
    choose(9, 1.0, score, open_to, best)  # three are open, two of them are chosen
    assert best.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]
