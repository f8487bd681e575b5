"""The long frames of a run say what the ledger says, and no more: against a walk through them by hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import worlds
from hypothesis import given, settings

import entrepot as ep
from entrepot.engine.lines import FEE_KINDS

FLAT = ep.Costs.flat(10.0)
REASONS = {"entry", "exit", "reversal", "forced", "unwind", "conversion", "delisting", "ruin"}


def walked(result: ep.Result) -> list[dict[tuple[str, str], float]]:
    """Positions by symbol and pair after each step: the blotter added up one row after the other."""
    market, rows = result.market, result.blotter
    by_step = defaultdict(list)
    for row in rows.itertuples():
        by_step[row.step].append(row)
    gone = dict(zip(market.delistings["symbol"], market.delistings["last_session"], strict=True))
    splits = [s for s in market.splits.itertuples() if not s.ex_date > gone.get(s.symbol, pd.NaT)]
    held: dict[tuple[str, str], float] = {}
    seen, found = set(), []
    for t, step in enumerate(market.grid.itertuples()):
        for split in splits:  # of which a line may have two on one date
            line = market.instruments.loc[split.symbol]
            due = line["venue"] == step.venue and market.grid["session"][0] <= split.ex_date <= step.session
            if due and line["adjustment"] == "raw" and split.Index not in seen:
                seen.add(split.Index)
                held = {key: n * split.factor if key[0] == split.symbol else n for key, n in held.items()}
        for row in by_step[t]:
            key = (row.symbol, row.pair)
            held[key] = held.get(key, 0.0) + row.quantity
        found.append(dict(held))
    return found


def check(result: ep.Result) -> None:
    """Hold both frames against the ledger."""
    rows, book, lines = result.blotter, result.book, result.lines
    assert (rows["step"].diff().dropna() >= 0).all()
    assert set(rows["reason"]) <= REASONS
    assert ((rows["quantity"] > 0) == (rows["side"] == "buy")).all()
    # Each line's rows add up to its positions.
    pair_of = dict(enumerate(np.append([adr for _, adr in lines.pairs], "")))
    keys = [
        (s, pair_of[p if p >= 0 else len(lines.pairs)])
        for s, p in zip(lines.symbols, lines.pair, strict=True)
    ]
    most = np.maximum(1.0, np.abs(result.record.positions).max(axis=0, initial=0.0))
    for t, held in enumerate(walked(result)):
        mine = np.array([held.get(key, 0.0) for key in keys])
        np.testing.assert_allclose(mine / most, result.record.positions[t] / most, rtol=0, atol=1e-8)
    # Costs are those of the ledger, which books them by step.
    paid = -result.contributions.T.groupby(level="source").sum().T
    scale = 1e-9 * max(result.capital, float(rows["value"].abs().sum()))
    for name in (*FEE_KINDS, "impact", "slippage", "conversion_fee"):
        booked = paid.get(name, pd.Series(0.0, result.equity.index)).to_numpy()
        mine = np.bincount(rows["step"], rows[name], minlength=len(booked))
        np.testing.assert_allclose(mine, booked, rtol=0, atol=scale)
    np.testing.assert_allclose(rows[list(FEE_KINDS)].sum(axis=1), rows["fees"], rtol=1e-9, atol=1e-12 * scale)
    # Holdings, cash and receivables are equity.
    rates = result.market.fx[list(result.currencies)].to_numpy()
    money = ((result.cash + result.receivables).to_numpy() * rates / rates[:, :1]).sum(axis=1)
    worth = np.bincount(book["step"], book["value"], minlength=len(money))
    size = max(result.capital, float(result.equity.abs().max()))
    np.testing.assert_allclose((worth + money) / size, result.equity / size, rtol=0, atol=1e-9)
    assert (book["quantity"] != 0.0).all()
    assert len(book) == np.count_nonzero(result.record.positions)
    equity = result.equity.to_numpy()[book["step"]]
    assert (equity > 0).all()
    np.testing.assert_allclose(book["weight"], book["value"] / equity, rtol=1e-12)
    for frame in (rows, book):
        assert "object" not in {str(kind) for kind in frame.dtypes}
        assert pl.from_pandas(frame).shape == frame.shape
        np.testing.assert_array_equal(frame["time"], result.market.grid["time"].iloc[frame["step"]])
        np.testing.assert_array_equal(frame["session"], result.market.grid["session"].iloc[frame["step"]])
        assert frame["fx"].gt(0).all()


@settings(max_examples=10, deadline=None)
@given(worlds.worlds(steps=(30, 80)))
def test_any_world_adds_up(world: worlds.World) -> None:
    result = worlds.run(world)
    if result is not None:
        check(result)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(worlds.worlds(steps=(30, 120)))
def test_hundreds_of_worlds_add_up(world: worlds.World) -> None:
    result = worlds.run(world)
    if result is not None:
        check(result)


def test_drawn_worlds_reach_every_reason() -> None:
    reasons: set[str] = set()
    moved: set[str] = set()
    for seed in (0, 2, 9, 10, 14, 18, 19, 20, 27, 30, 36):  # which can be run
        on = replace(worlds.random_switches(seed, 0.6), delisting=True, same_step=False, stops=False)
        result = worlds.run(worlds.random_world(seed, steps=80, switches=on))
        assert result is not None
        check(result)
        reasons |= set(result.blotter["reason"])
        moved |= set(result.conversions["reason"])
    assert reasons == REASONS
    assert moved == {"chosen", "delisted", "cashed_out", "bought_in", "closed"}


def plain(weights: list[float], prices: list[float] | None = None) -> ep.Result:
    """One line of one venue, filled at the price of the decision, 10 bp a trade."""
    index = pd.bdate_range("2024-01-01", periods=len(weights))
    frame = pd.DataFrame({"A": prices or [100.0] * len(weights)}, index)
    wanted = pd.DataFrame({"A": weights}, index)
    return ep.backtest(ep.Market.from_prices(frame), wanted, capital=1e6, costs=FLAT, fill="same_step")


def test_reasons_and_amounts_by_hand() -> None:
    result = plain([0.1, 0.3, 0.2, -0.1, -0.2, 0.0])
    rows = result.blotter
    assert list(rows["reason"]) == ["entry", "entry", "exit", "reversal", "entry", "exit"]
    assert list(rows["side"]) == ["buy", "buy", "sell", "sell", "sell", "buy"]
    assert list(rows["order"]) == [0, 1, 2, 3, 4, 5]
    assert set(rows["leg"]) == {"single"}
    assert set(rows["pair"]) == {""}
    first = rows.iloc[0]
    assert (first["quantity"], first["fill_price"], first["value"]) == (1000.0, 100.0, 100_000.0)
    assert (first["flat_fee"], first["fees"]) == (pytest.approx(100.0), pytest.approx(100.0))
    book = result.book
    assert list(book["step"]) == [0, 1, 2, 3, 4]  # flat at the end: no row
    assert list(np.sign(book["weight"])) == [1, 1, 1, -1, -1]
    assert book["weight"].iloc[0] == pytest.approx(100_000 / (1e6 - 100))


def test_a_run_without_trades_has_empty_frames() -> None:
    result = plain([np.nan] * 4)
    full = plain([0.1] * 4)
    for empty, other in ((result.blotter, full.blotter), (result.book, full.book)):
        assert len(empty) == 0
        assert empty.dtypes.to_dict() == other.dtypes.to_dict()


def test_what_is_closed_at_ruin_is_told() -> None:
    result = plain([-0.9, np.nan, np.nan, np.nan], [100.0, 150.0, 400.0, 400.0])
    assert result.ruined_at is not None
    last = result.blotter.iloc[-1]
    assert (last["reason"], last["quantity"], last["fill_price"]) == ("ruin", pytest.approx(9000.0), 400.0)
    assert last["fees"] == 0.0
    assert result.book["step"].max() == 1


@pytest.fixture(scope="module")
def pairs() -> ep.Result:
    market = ep.simulate_market(start="2020-01-02", end="2021-12-31", seed=7)
    return ep.backtest(market, ep.LongHKShortADR())


def test_sources_are_what_was_booked_under_their_name(pairs: ep.Result) -> None:
    table, booked = pairs.by_source(), pairs.contributions
    assert (table.index.name, list(table)) == ("source", ["P&L", "P&L [%]"])
    assert set(table.index) == set(booked.columns.get_level_values("source"))
    for source, amount in table["P&L"].items():
        assert amount == pytest.approx(booked[source].to_numpy().sum(), rel=1e-9)
    assert table["P&L"].sum() == pytest.approx(
        pairs.equity.iloc[-1] - pairs.capital, abs=1e-9 * pairs.capital
    )
    assert table["P&L [%]"].sum() == pytest.approx(100 * (pairs.equity.iloc[-1] / pairs.capital - 1))
    paid = pairs.costs()
    np.testing.assert_allclose(table["P&L"][paid.index], -paid, rtol=1e-9)
    idle = plain([np.nan] * 4).by_source()
    assert (len(idle), list(idle)) == (0, ["P&L", "P&L [%]"])


def test_legs_of_a_pair_share_an_order(pairs: ep.Result) -> None:
    rows = pairs.blotter
    check(pairs)
    orders = rows.groupby("order")
    assert orders["pair"].nunique().max() == 1
    whole = pairs.linked_orders
    hedged = whole[whole["hedge_time"].notna()]
    assert len(hedged) > 10
    for order in hedged.itertuples():
        mine = rows[(rows["pair"] == order.pair) & rows["time"].isin([order.lead_time, order.hedge_time])]
        assert len(set(mine["order"])) == 1
        assert set(mine["leg"]) == {"hk", "adr"}
    hong_kong = rows["symbol"].str.endswith(".HK")
    assert (rows.loc[hong_kong, "leg"] == "hk").all()
    assert (rows.loc[~hong_kong, "leg"] == "adr").all()
    assert (rows.loc[hong_kong, ["venue", "currency"]] == ["XHKG", "HKD"]).all(axis=None)


def test_the_blotter_is_the_fills_in_base_currency(pairs: ep.Result) -> None:
    rows, fills = pairs.blotter, pairs.fills
    assert len(pairs.conversions) == 0
    for name in (
        "step",
        "time",
        "session",
        "venue",
        "symbol",
        "pair",
        "currency",
        "quantity",
        "fill_price",
        "fx",
    ):
        pd.testing.assert_series_equal(rows[name], fills[name])
    for name in (*FEE_KINDS, "fees", "slippage", "impact"):
        np.testing.assert_allclose(rows[name], fills[name] * fills["fx"], rtol=1e-15)
    np.testing.assert_allclose(rows["value"].abs(), fills["notional"] * fills["fx"], rtol=1e-15)
    # What changed hands, its fees and the rest of the ledger's sources are all the cash there is.
    kept = pairs.contributions.T.groupby(level="source").sum().T.sum()
    carried = kept.reindex(["dividend", "borrow", "rebate", "interest", "ads_fee", "fx_spread"]).sum()
    on_cash = pairs.contributions["fx"].filter(like="cash:").sum().sum()
    at_end = (
        pairs.equity.iloc[-1] - pairs.book.loc[pairs.book["step"] == len(pairs.equity) - 1, "value"].sum()
    )
    by_hand = pairs.capital - rows["value"].sum() - rows["fees"].sum() + carried + on_cash
    assert at_end == pytest.approx(by_hand, rel=1e-9)
