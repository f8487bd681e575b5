"""Moments at which a ledger could make or lose money without a trade, worked by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_naive import DAYS, NAN, line, make_market, want

from entrepot.engine import Costs, Ledger, backtest, backtest_batch
from entrepot.errors import DataError, ParameterError, TargetError
from entrepot.markets.market import Market
from entrepot.strategies.targets import Targets

FREE = Costs.none()
LEAVES = {"symbol": "B", "last_session": DAYS[2], "into": "H", "ordinary_per_ads": 10.0}
RATIO = {"adr": "B", "effective_from": pd.Timestamp("2010-01-01"), "ordinary_per_ads": 10.0}


def run(market: Market, targets: Targets, costs: Costs = FREE, **options: object) -> Ledger:
    plan = SimpleNamespace(targets=lambda market, path=None: targets)
    return backtest(market, plan, **({"costs": costs, "capital": 1e6, "check": True} | options))


def leaving(hk: list[float], **tables: list[dict[str, object]]) -> Market:
    """B, ten H, at parity (10 HKD and 12.5 USD at 8 HKD per USD), leaves after the third day."""
    lines = {
        "H": line("XHKG", hk, pair="B", shortable=True),
        "B": line("XNYS", [12.5] * 3 + [NAN] * 7, kind="ads", pair="H"),
    }
    return make_market(lines, ratios=[RATIO], delistings=[LEAVES], **tables)


@pytest.mark.parametrize("weight", [0.5, -0.5])
@pytest.mark.parametrize("delisting", ["convert", "cash", "mark"])
def test_a_pair_that_left_gains_nothing_from_a_dividend(delisting: str, weight: float) -> None:
    """One HKD paid and one HKD lost: what is kept at parity earns or owes it like the Hong Kong leg."""
    paid = {"symbol": "H", "ex_date": DAYS[5], "pay_date": DAYS[8], "amount": 1.0}
    market = leaving([10.0] * 5 + [9.0] * 5, dividends=[paid])
    ledger = run(
        market, want(market, pair=("H", "B"), pair_weights={0: weight}), FREE.with_(delisting=delisting)
    )
    np.testing.assert_allclose(ledger.equity_by_step, 1e6, rtol=1e-12)


@pytest.mark.parametrize("weight", [0.5, -0.5])
def test_a_single_line_kept_at_parity_earns_and_owes_dividends(weight: float) -> None:
    """40,000 B stand for 400,000 H: 400,000 HKD, which is 50,000 USD, against a fall of the same."""
    paid = {"symbol": "H", "ex_date": DAYS[5], "pay_date": pd.NaT, "amount": 1.0}
    market = leaving([10.0] * 5 + [9.0] * 5, dividends=[paid])
    ledger = run(market, want(market, {(1, "B"): weight}), FREE.with_(delisting="mark"))
    assert ledger.contributions["dividend", "B"].sum() == pytest.approx(np.sign(weight) * 50_000)
    np.testing.assert_allclose(ledger.equity_by_step, 1e6, rtol=1e-12)


@pytest.mark.parametrize("delisting", ["convert", "mark"])
def test_a_split_right_after_the_last_session_makes_no_money(delisting: str) -> None:
    split = {"symbol": "H", "ex_date": DAYS[3], "factor": 2.0}
    market = leaving([10.0] * 3 + [5.0] * 7, splits=[split])
    ledger = run(market, want(market, {(1, "B"): 0.5}), FREE.with_(delisting=delisting))
    np.testing.assert_allclose(ledger.equity_by_step, 1e6, rtol=1e-12)
    if delisting == "convert":
        assert ledger.positions["H"].iloc[-1] == 800_000  # 40,000 B of ten, each split in two


def test_a_split_of_a_line_that_has_left_changes_nothing() -> None:
    split = {"symbol": "B", "ex_date": DAYS[5], "factor": 2.0}
    market = leaving([10.0] * 10, splits=[split])
    ledger = run(market, want(market, {(1, "B"): 0.5}), FREE.with_(delisting="mark"))
    np.testing.assert_allclose(ledger.equity_by_step, 1e6, rtol=1e-12)


def test_a_line_is_not_kept_at_the_parity_of_prices_that_ended() -> None:
    market = leaving([10.0] * 3 + [NAN] * 7)
    with pytest.raises(DataError, match=r"H is held but has no price after 2024-03-06"):
        run(market, want(market, {(1, "B"): 0.5}), FREE.with_(delisting="mark"))


def test_equity_of_exactly_nothing_is_the_end() -> None:
    """Twice the equity in a line that halves."""
    prices = [100.0, 100.0, 50.0, 60.0, 70.0]
    market = make_market({"A": line("XNYS", prices)})
    targets = want(market, {(0, "A"): 2.0})
    ledger = run(market, targets, capital=1000.0)
    assert ledger.equity_by_step.tolist() == [1000.0, 1000.0, 0.0, 0.0, 0.0]
    assert ledger.ruined_at == market.price.index[2]
    assert ledger.positions["A"].tolist() == [0.0, 20.0, 0.0, 0.0, 0.0]
    batch = backtest_batch(market, targets.weights[None], costs=FREE, capital=1000.0)
    np.testing.assert_array_equal(batch[:, 0], ledger.equity_by_step)


def test_a_pair_leads_no_more_than_its_other_leg_can_follow() -> None:
    """1,000 ADSs stand for 10,000 shares, of which 2,500 are filled a step: four turns, nothing unwound."""
    lines = {
        "H": line("XHKG", [10.0] * 10, pair="B", lot=1.0),
        "B": line("XNYS", [12.5] * 10, kind="ads", pair="H"),
    }
    market = make_market(lines, ratios=[RATIO])
    targets = want(market, pair=("H", "B"), pair_weights={0: 0.0125})
    ledger = run(market, targets, FREE.with_(max_fill_shares={"H": 2_500.0}))
    assert set(ledger.fills["reason"]) == {"lead", "hedge"}
    assert ledger.fills["quantity"].abs().unique().tolist() == [250.0, 2_500.0]
    assert ledger.positions.iloc[-1].to_dict() == {"H": 7_500.0, "B": -750.0}  # and then it expired


def test_a_state_of_other_prices_is_refused() -> None:
    market = make_market({"A": line("XNYS", [10.0] * 6)})
    other = make_market({"A": line("XNYS", [11.0] * 6)})
    targets = want(market, {(0, "A"): 0.5})
    part = run(market.until(3), Targets(targets.weights[:4], drift_band=np.inf))
    with pytest.raises(ParameterError, match="other prices of A"):
        run(other, targets, resume=part.state)
    with pytest.raises(ParameterError, match="check is"):
        run(market, targets, check="yes")


def test_a_batch_refuses_percentages_as_weights() -> None:
    market = make_market({"A": line("XNYS", [10.0] * 4)})
    weights = np.full((2, 4, 1), NAN)
    weights[1, 0] = 5_000.0
    with pytest.raises(TargetError, match="5000 times equity"):
        backtest_batch(market, weights, fee_bps=1.0)
    with pytest.raises(ParameterError, match="fee_bps"):
        backtest_batch(market, weights, fee_bps=1.0, exact_fees=True)
