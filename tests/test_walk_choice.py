"""Choosing among configurations as time goes on: the slow twin agrees, and nothing later is looked at."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import naive_walk_choice as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import entrepot as ep
from entrepot.doubt.walk_choice import ratio, walk_forward, weights_at
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.reports.walk_choice import NOTHING, sharpes, sortinos, walk_choice
from entrepot.strategies.targets import Targets

PAIRS = ("BABA", "9988.HK", "NTES", "9999.HK", "KWEB", "FXI")
GRID = {"entry": [0.6, 1.2], "lookback": [20, 40], "exit": [0.0, 0.3]}


def drawn(seed: int, sessions: int, columns: int) -> np.ndarray:
    """Returns with columns that are flat, equal, better than the others, and for a while still."""
    rng = np.random.default_rng(seed)
    table = 0.01 * rng.standard_normal((sessions, columns))
    table[:, 0] = 0.0
    if columns > 2:
        table[:, 2] = table[:, 1]
    if columns > 3:
        table[: sessions // 2, 3] = 0.0
    return table


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sessions=st.integers(24, 120),
    columns=st.integers(1, 6),
    train=st.integers(20, 45),
    test=st.integers(1, 30),
    metric=st.sampled_from(["sharpe", "sortino", "return"]),
    anchored=st.booleans(),
    gap=st.integers(0, 3),
)
def test_the_slow_twin_agrees(
    seed: int, sessions: int, columns: int, train: int, test: int, metric: str, anchored: bool, gap: int
) -> None:
    table = drawn(seed, sessions, columns)
    if sessions < train + gap + 2:
        with pytest.raises(DataError, match=f"{sessions} sessions leave none to hold"):
            walk_choice(table, train, test, metric, anchored=anchored, gap=gap)
        return
    made = walk_choice(table, train, test, metric, anchored=anchored, gap=gap)
    windows, chain = naive.walk(table.T.tolist(), train, test, metric, anchored, gap)
    assert made.chosen.tolist() == [window["chosen"] for window in windows]
    assert made.first.tolist() == [window["first"] for window in windows]
    assert made.stop.tolist() == [window["stop"] for window in windows]
    for name in ("in_sample", "out_of_sample", "rank"):
        expected = [np.nan if window[name] is None else window[name] for window in windows]
        np.testing.assert_allclose(getattr(made, name), expected, rtol=1e-9, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(made.returns, chain)
    assert np.nan_to_num(made.sharpe) == pytest.approx(naive.sharpe(chain) or 0.0, rel=1e-9, abs=1e-9)
    held = list(itertools.dropwhile(lambda window: window["chosen"] == -1, windows))
    changes = sum(a["chosen"] != b["chosen"] for a, b in itertools.pairwise(held))
    assert made.changes == changes
    known = [window["in_sample"] for window in windows if window["in_sample"] is not None]
    if known and np.mean(known) > 0:
        assert made.efficiency == pytest.approx(made.sharpe / np.mean(known), nan_ok=True)
    else:
        assert np.isnan(made.efficiency)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(60, 199), gap=st.integers(0, 2), anchored=st.booleans())
def test_what_comes_later_changes_no_choice(seed: int, cut: int, gap: int, anchored: bool) -> None:
    table = drawn(seed, 200, 5)
    whole = walk_choice(table, 40, 17, anchored=anchored, gap=gap)
    other = table.copy()
    other[cut:] = 0.05 * np.random.default_rng(seed + 1).standard_normal(other[cut:].shape)
    changed = walk_choice(other, 40, 17, anchored=anchored, gap=gap)
    decided = whole.first - gap <= cut  # what is looked at ends before the row cut
    np.testing.assert_array_equal(changed.chosen[decided], whole.chosen[decided])
    before = cut - whole.first[0]
    np.testing.assert_array_equal(changed.returns[:before], whole.returns[:before])
    part = walk_choice(table[:cut], 40, 17, anchored=anchored, gap=gap)
    kept = whole.first < cut
    np.testing.assert_array_equal(part.chosen, whole.chosen[kept][: len(part.chosen)])
    np.testing.assert_array_equal(part.returns, whole.returns[: len(part.returns)])


def test_the_sessions_of_the_gap_are_not_looked_at_and_the_last_before_them_is() -> None:
    table = drawn(3, 100, 4)
    made = walk_choice(table, 40, 60, gap=2)
    assert made.first.tolist() == [42]
    other = table.copy()
    other[40:42, 1] = 5.0
    assert walk_choice(other, 40, 60, gap=2).chosen[0] == made.chosen[0]
    alike = np.zeros((60, 2))
    alike[:, 0] = np.tile([0.01, -0.01], 30)
    alike[:, 1] = -alike[:, 0]
    alike[39, 1] = 0.02
    assert walk_choice(alike, 40, 10, gap=1).chosen[0] == 1
    assert walk_choice(alike, 40, 10, gap=0).first[0] == 40
    alike[[0, 40], 1] = 9.0  # before the trailing window of the second choice, and held in the first
    assert walk_choice(alike, 20, 40, "return", gap=0).first.tolist() == [20]


def test_a_trailing_window_forgets_and_an_anchored_one_does_not() -> None:
    early = 0.01 * np.random.default_rng(0).standard_normal((90, 2))
    early[:20, 0] += 1.0
    early[20:, 1] += 0.01
    assert walk_choice(early, 30, 30, gap=0).chosen.tolist() == [0, 1]
    assert walk_choice(early, 30, 30, "return", gap=0, anchored=True).chosen.tolist() == [0, 0]


def test_columns_with_a_hole_are_not_chosen_and_holes_that_are_held_are_nothing() -> None:
    table = 0.001 * np.random.default_rng(1).standard_normal((80, 2))
    table[:, 0] += 1.0
    table[10, 0] = np.nan
    assert walk_choice(table, 30, 50).chosen.tolist() == [1]
    table[10, 0], table[50:, 0] = 1.0, np.nan
    made = walk_choice(table, 30, 49)
    assert made.chosen.tolist() == [0]
    assert (made.returns[19:] == 0.0).all()
    assert np.isfinite(made.returns).all()


def test_where_nothing_varies_nothing_is_held() -> None:
    made = walk_choice(np.zeros((100, 3)), 30, 20)
    assert (made.chosen == NOTHING).all()
    assert np.isnan(made.rank).all()
    assert np.isnan(made.sharpe)
    assert np.isnan(made.efficiency)
    assert made.changes == 0
    assert (made.returns == 0.0).all()


def test_the_first_purchase_is_no_change_of_choice() -> None:
    table = np.zeros((160, 2))
    table[60:, 1] = np.random.default_rng(3).normal(0.001, 0.01, 100)
    table[110:, 1] = 0.0
    made = walk_choice(table, 20, 20, gap=0)
    assert made.chosen.tolist() == [-1, -1, -1, 1, 1, 1, -1]
    assert made.changes == 1


def test_ratios_are_those_of_empyrical() -> None:
    empyrical = pytest.importorskip("empyrical")
    table = 0.01 * np.random.default_rng(5).standard_normal((300, 3)) + 0.0003
    for mine, theirs in ((sharpes, empyrical.sharpe_ratio), (sortinos, empyrical.sortino_ratio)):
        expected = [theirs(column, annualization=252) for column in table.T]
        np.testing.assert_allclose(mine(table), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"train": 19}, "train is 19"),
        ({"train": 30.5}, "train is 30.5"),
        ({"test": 0}, "test is 0"),
        ({"test": True}, "test is True"),
        ({"gap": -1}, "gap is -1"),
        ({"metric": "luck"}, "metric is 'luck'"),
        ({"metric": 3}, "metric is 3"),
        ({"anchored": "yes"}, "anchored is 'yes'"),
        ({"train": 80}, "80 sessions leave none"),
        ({"excess": np.zeros((80, 0))}, "shape"),
        ({"excess": np.zeros(80)}, "shape"),
    ],
)
def test_what_cannot_be_walked_is_refused(options: dict[str, Any], why: str) -> None:
    given: dict[str, Any] = {"excess": np.zeros((80, 2)), "train": 30, "test": 10} | options
    with pytest.raises(EntrepotError, match=why):
        walk_choice(given.pop("excess"), **given)


# -- of a sweep ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2019-01-02", end="2020-12-31", seed=3, symbols=PAIRS)


@pytest.fixture(scope="module")
def swept(market: ep.Market) -> ep.Sweep:
    return ep.sweep(market, ep.LongHKShortADR(weight=0.3), GRID, progress=False)


def test_of_a_sweep_it_is_that_of_the_recorded_runs(swept: ep.Sweep) -> None:
    made = swept.walk_forward(120, 60)
    runs = [swept.backtest(row) for row in swept.table.index]
    excess = [(run.returns - run.risk_free).tolist() for run in runs]
    windows, chain = naive.walk(excess, 120, 60)
    assert made.table["Configuration"].tolist() == [window["chosen"] for window in windows]
    np.testing.assert_allclose(made.returns.to_numpy(), chain, atol=1e-12)
    sessions = runs[0].returns.index
    assert made.table["From"].tolist() == [sessions[window["first"]] for window in windows]
    assert made.table["To"].tolist() == [sessions[window["stop"] - 1] for window in windows]
    assert made.returns.index.equals(sessions[windows[0]["first"] :])
    after = [naive.sharpe(values[windows[0]["first"] :]) for values in excess]
    assert made.hindsight_sharpe == pytest.approx(max(after), rel=1e-9)
    assert made.configurations == 8
    assert "simulated" in repr(made)
    assert f"{len(windows)} times" in str(made)


def test_a_market_that_ends_earlier_gives_the_same_windows(market: ep.Market, swept: ep.Sweep) -> None:
    whole = swept.walk_forward(100, 50)
    ends = np.flatnonzero(market.decision_steps)
    part = ep.sweep(market.until(int(ends[300])), ep.LongHKShortADR(weight=0.3), GRID, progress=False)
    cut = part.walk_forward(100, 50)
    np.testing.assert_allclose(cut.returns, whole.returns[: len(cut.returns)], atol=1e-12)
    full = cut.table.iloc[:-1]  # the last window is cut short
    pd.testing.assert_frame_equal(full, whole.table.iloc[: len(full)])
    assert cut.table["Configuration"].iloc[-1] == whole.table["Configuration"].iloc[len(full)]


@dataclass(frozen=True)
class Held:
    """A weight of each of two funds, decided once."""

    kweb: float = 0.5
    fxi: float = 0.0

    def with_(self, **changes: Any) -> Held:
        return replace(self, **changes)

    def targets(self, market: ep.Market, path: object = None) -> Targets:
        weights = np.full(market.price.shape, np.nan)
        weights[8, [market.column("KWEB"), market.column("FXI")]] = self.kweb, self.fxi
        return Targets(weights, drift_band=np.inf)


def test_changing_costs_what_was_turned_over_at_the_average_cost_of_trading(market: ep.Market) -> None:
    price = market.price.copy()
    rng = np.random.default_rng(4)
    turn = 2 * np.searchsorted(np.flatnonzero(market.decision_steps), np.arange(len(market)))
    for symbol, drift in (
        ("KWEB", np.where(turn < 500, 2e-3, -2e-3)),
        ("FXI", np.where(turn < 500, -2e-3, 2e-3)),
    ):
        level = 40 * np.exp(np.cumsum(drift + 1e-4 * rng.standard_normal(len(price))))
        price[symbol] = np.where(market.scheduled[:, market.column(symbol)], level, np.nan)
    two = [{"kweb": 0.5, "fxi": 0.0}, {"kweb": 0.1, "fxi": 0.4}]
    costs = ep.Costs.flat(10.0)
    swept = ep.sweep(replace(market, price=price), Held(), two, costs=costs, progress=False)
    made = swept.walk_forward(60, 100)
    chosen = made.table["Configuration"].tolist()
    assert chosen[0] == 0
    assert chosen[-1] == 1
    assert made.changes == 1
    runs = [swept.backtest(0), swept.backtest(1)]
    sessions = runs[0].daily.index
    row = chosen.index(1)

    def weight(run: ep.Result, symbol: str, window: int) -> float:
        bought = sessions.get_loc(made.table["From"][window]) - 1  # the sample before the first return
        step = np.flatnonzero(swept.job.market.decision_steps)[bought]
        price = swept.job.market.price[symbol].ffill().iloc[step]
        return float(run.positions[symbol].iloc[step] * price / run.equity_by_step[step])

    old, new = runs
    turned = abs(weight(new, "KWEB", row) - weight(old, "KWEB", row)) + weight(new, "FXI", row)
    assert made.table["Turnover"][row] == pytest.approx(turned, rel=1e-12)
    assert made.table["Turnover"][0] == pytest.approx(weight(old, "KWEB", 0), rel=1e-12)
    assert made.table["Turnover"].drop([0, row]).eq(0.0).all()
    assert made.table["Cost [%]"][row] == pytest.approx(100 * 10e-4 * turned, rel=1e-9)
    charged = made.returns - made.charged
    assert charged[made.table["From"][row]] == pytest.approx(10e-4 * turned, rel=1e-9)
    assert charged.sum() == pytest.approx(made.table["Cost [%]"].sum() / 100)
    assert made.charged_sharpe < made.sharpe
    excess = swept.returns(by="configuration")
    best = int(np.argmax([naive.sharpe(excess[k].tolist()[61:]) for k in (0, 1)]))
    excess.iloc[:60, 1 - best] += 0.1  # the best of all sessions is not that of those held
    again = walk_forward(swept, excess, 60, 100, "sharpe", False, 1)
    np.testing.assert_array_equal(again.hindsight, excess[best][61:])


def test_positions_in_hong_kong_are_weighed_in_the_base_currency(swept: ep.Sweep) -> None:
    run = swept.backtest(0)
    held = np.flatnonzero((run.positions != 0.0).any(axis=1).to_numpy())[[5, 50]]
    net = weights_at(run, held)
    venue = run.market.instruments["venue"].reindex(net.columns)
    for name in ("XHKG", "XNYS"):
        mine = net.loc[:, (venue == name).to_numpy()].sum(axis=1)
        np.testing.assert_allclose(mine, run.exposure["net", name].iloc[held], rtol=1e-12)
    broke = replace(run, equity_by_step=np.where(np.arange(len(run.equity_by_step)) == held[1], 0.0, 1e6))
    left = weights_at(broke, held)
    assert (left.iloc[1] == 0.0).all()
    assert left.iloc[0].abs().sum() > 0.0


def test_a_ratio_by_month_is_that_of_compounded_months() -> None:
    days = pd.bdate_range("2021-01-04", "2021-12-31")
    excess = pd.Series(0.01 * np.random.default_rng(2).standard_normal(len(days)), index=days)
    months = [np.prod([1 + value for value in part]) - 1 for _, part in excess.groupby(days.month)]
    assert ratio(excess, monthly=True) == pytest.approx(np.mean(months) / np.std(months, ddof=1) * 12**0.5)
    assert ratio(excess) == pytest.approx(excess.mean() / excess.std() * 252**0.5)


def test_a_sweep_too_short_for_it_says_so(swept: ep.Sweep) -> None:
    with pytest.raises(DataError, match="sessions leave none to hold after 504"):
        swept.walk_forward()
    with pytest.raises(ParameterError, match="train is 5"):
        swept.walk_forward(5)
