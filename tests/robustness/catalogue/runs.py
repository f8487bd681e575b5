"""Backtests, batches and saved states that no ledger can be kept of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from robustness.cases import Case
from robustness.small import market, other_market, path, weights

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError, TargetError

M, W = market(), weights("KWEB", 0.5, 0.4)


class NoTargets:
    """A plan that forgot to return anything."""

    def targets(self, market: ep.Market, path: object = None) -> None:
        return None


def shape(market: ep.Market, *, short: str = "", index: str = "") -> np.ndarray:
    array = np.full((2, len(market), len(market.symbols)), np.nan)
    if short:
        array[0, 5, market.column(short)] = -1.0
    return array


def dated(symbol: str, value: object) -> pd.DataFrame:
    return pd.DataFrame({symbol: [value]}, index=[pd.Timestamp("2021-01-04")])


def a_year_later() -> ep.Market:
    """As many steps of the same symbols."""
    later = pd.Timedelta("364D")
    grid = M.grid.assign(time=M.grid["time"] + later, session=M.grid["session"] + later)
    price = M.price.set_axis(pd.DatetimeIndex(grid["time"]), axis=0)
    return replace(M, grid=grid, price=price, volume=None, ahead=M.ahead.iloc[:0])


def another_fund() -> ep.Market:
    """The same steps, with as many symbols."""
    name = {"KWEB": "KURE"}
    return replace(M, price=M.price.rename(columns=name), instruments=M.instruments.rename(name), volume=None)


def unnamed(symbol: str) -> ep.Market:
    """One line on the sessions of the market."""
    dates = pd.bdate_range("2021-02-01", periods=5)
    return ep.Market.from_prices(pd.DataFrame({symbol: np.arange(10.0, 15.0)}, index=dates))


def alike(**changes: Any) -> SimpleNamespace:
    """Targets of another class than `Targets`, something in them changed."""
    pairs = (("9988.HK", "BABA"),)
    weights, pair_weights = (np.full((len(M), n), np.nan) for n in (len(M.symbols), len(pairs)))
    return SimpleNamespace(
        **{
            "weights": weights,
            "pairs": pairs,
            "pair_weights": pair_weights,
            "drift_band": np.inf,
            "notes": (),
        }
        | changes
    )


def early() -> ep.Result:
    """The run of the first 40 steps."""
    return ep.backtest(M.until(39), W.iloc[:0])


def leave_alone(step, state, params, features, out):  # type: ignore[no-untyped-def]
    """A decision that leaves everything alone."""


HUGE_BORROW = pd.DataFrame({0: [0.1]}, index=["huge"])
# What is run, what refuses it, and what is told.
BAD_RUNS: dict[str, tuple[Callable[[], Any], type[EntrepotError], str]] = {
    "no market": (lambda: ep.backtest(None, W), ParameterError, "the market is a NoneType"),
    "prices instead of a market": (
        lambda: ep.backtest(M.price, W),
        ParameterError,
        "the market is a DataFrame",
    ),
    "a class instead of a strategy": (
        lambda: ep.backtest(M, ep.LongHKShortADR),
        TargetError,
        "the plan is the class LongHKShortADR",
    ),
    "a number instead of a plan": (lambda: ep.backtest(M, 5), TargetError, "the plan is 5"),
    "a plan without targets": (
        lambda: ep.backtest(M, NoTargets()),
        TargetError,
        "the plan's targets() returned None",
    ),
    "capital in words": (lambda: ep.backtest(M, W, capital="ten"), ParameterError, "capital is 'ten'"),
    "no capital": (lambda: ep.backtest(M, W, capital=0.0), ParameterError, "capital is 0.0"),
    "capital without end": (lambda: ep.backtest(M, W, capital=np.inf), ParameterError, "capital is inf"),
    "a truth as capital": (lambda: ep.backtest(M, W, capital=True), ParameterError, "capital is True"),
    "an unknown currency": (
        lambda: ep.backtest(M, W, base_currency="XAU"),
        ParameterError,
        "base_currency is 'XAU'",
    ),
    "a list of currencies": (
        lambda: ep.backtest(M, W, base_currency=["USD"]),
        ParameterError,
        "base_currency is ['USD']",
    ),
    "an unknown fill": (lambda: ep.backtest(M, W, fill="yesterday"), ParameterError, "fill is 'yesterday'"),
    "the class of costs": (
        lambda: ep.backtest(M, W, costs=ep.Costs),
        ParameterError,
        "costs is <class 'entrepot.engine.costs.Costs'>",
    ),
    "a number as costs": (lambda: ep.backtest(M, W, costs=5), ParameterError, "costs is 5"),
    "a size that nobody knows": (
        lambda: ep.backtest(replace(M, instruments=M.instruments.assign(size="MEGA")), weights("KWEB", -0.5)),
        DataError,
        "no borrow fee is known of KWEB, whose size is 'MEGA': give a size of mega, mid, small",
    ),
    "a word as path": (lambda: ep.backtest(M, W, path="calm"), ParameterError, "the path is a str"),
    "a short path": (
        lambda: ep.backtest(M, W, path=SimpleNamespace(states=np.zeros(3, dtype=int))),
        ParameterError,
        "the regime path has 3 steps and the market 324",
    ),
    **{
        f"a path with {what}": (
            lambda states=states: ep.backtest(M, W, path=SimpleNamespace(states=states)),
            ParameterError,
            words,
        )
        for what, states, words in (
            ("states in words", ["calm"] * len(M), "the states of the regime path are ['calm', "),
            ("states in a list", [0] * len(M), "the states of the regime path are [0, 0, "),
            ("states of 0.9", np.full(len(M), 0.9), "the states of the regime path are array([0.9, "),
            ("states that are missing", np.full(len(M), np.nan), "path are array([nan, "),
            (
                "states in a column",
                np.zeros((len(M), 1), int),
                "the states of the regime path are array([[0]",
            ),
            ("states of nothing", None, "the states of the regime path are None"),
            ("masked states", np.ma.zeros(len(M), dtype=int), "path are masked_array("),
            ("states below 0", np.full(len(M), -1), "path run from -1 to -1: give whole numbers"),
        )
    },
    "a path with more states than names": (
        lambda: ep.backtest(M, W, path=SimpleNamespace(states=np.full(len(M), 4), names=ep.RegimePath.names)),
        ParameterError,
        "the states of the regime path run from 4 to 4: give positions in its 4 names",
    ),
    "infinite weights": (lambda: ep.backtest(M, W * np.inf), TargetError, "a weight is infinite"),
    "percentages": (
        lambda: ep.backtest(M, W * 1e4),
        TargetError,
        "the weights of one row add up to 5000 times equity",
    ),
    "complex weights": (
        lambda: ep.backtest(M, W.astype(complex)),
        TargetError,
        "the weights of KWEB are not numbers",
    ),
    "unknown symbols": (
        lambda: ep.backtest(M, W.rename(columns={"KWEB": "NOPE"})),
        TargetError,
        "weights for NOPE, which this market does not have; it has BABA,",
    ),
    "a short nobody lends": (
        lambda: ep.backtest(M, -W.rename(columns={"KWEB": "0941.HK"})),
        TargetError,
        "targets sell 0941.HK short, which this market does not allow",
    ),
    "spreads of a stranger": (
        lambda: ep.backtest(M, W, costs=ep.Costs(half_spread_bps={"NOPE": 1.0})),
        ParameterError,
        "half_spread_bps names 'NOPE', which this market does not have",
    ),
    "borrow of a stranger": (
        lambda: ep.backtest(M, W, costs=ep.Costs(borrow_rate_pa=dated("NOPE", 0.1))),
        ParameterError,
        "borrow_rate_pa names 'NOPE', which this market does not have",
    ),
    "borrow of an unknown size": (
        lambda: ep.backtest(M, W, costs=ep.Costs(borrow_rate_pa=HUGE_BORROW)),
        ParameterError,
        "borrow_rate_pa names the states [0] and this run has no regime",
    ),
    "caps of a stranger": (
        lambda: ep.backtest(M, W, costs=ep.Costs(max_fill_shares=dated("NOPE", 1))),
        ParameterError,
        "max_fill_shares names 'NOPE', which this market does not have",
    ),
    "loans of a stranger": (
        lambda: ep.backtest(M, W, costs=ep.Costs(availability=dated("NOPE", "recall"))),
        ParameterError,
        "availability names 'NOPE', which this market does not have",
    ),
    "rates of a stranger": (
        lambda: ep.backtest(M, W, costs=ep.Costs(cash_rate_pa={"EUR": 0.1})),
        ParameterError,
        "cash_rate_pa names 'EUR'",
    ),
    "rates in small letters": (
        lambda: ep.backtest(M, W, costs=ep.Costs(cash_rate_pa={"usd": 0.1})),
        ParameterError,
        "cash_rate_pa names 'usd'",
    ),
    "linked pairs at one step": (
        lambda: ep.backtest(M, ep.LongHKShortADR(lookback=5), fill="same_step"),
        TargetError,
        "linked pairs cannot be filled at the step of their decision,",
    ),
    "batch: no market": (
        lambda: ep.backtest_batch(None, shape(M)),
        ParameterError,
        "the market is a NoneType",
    ),
    "batch: two dimensions": (
        lambda: ep.backtest_batch(M, shape(M)[0]),
        TargetError,
        "weights have the shape (324, 47)",
    ),
    "batch: ragged": (
        lambda: ep.backtest_batch(M, [[1.0], [1.0, 2.0]]),
        TargetError,
        "the weight arrays differ in shape",
    ),
    "batch: text": (lambda: ep.backtest_batch(M, shape(M).astype(str)), TargetError, "weights hold <U32"),
    "batch: infinite": (
        lambda: ep.backtest_batch(M, np.nan_to_num(shape(M), nan=np.inf)),
        TargetError,
        "a decision failed or wanted an infinite weight at 2021-01-04",
    ),
    "batch: no threads": (lambda: ep.backtest_batch(M, shape(M), threads=0), ParameterError, "threads is 0"),
    "batch: a short nobody lends": (
        lambda: ep.backtest_batch(M, shape(M, short="0941.HK")),
        TargetError,
        "targets sell 0941.HK short, which this market does not allow",
    ),
    "batch: two kinds of costs": (
        lambda: ep.backtest_batch(M, shape(M), costs=ep.Costs(), fee_bps=1.0),
        ParameterError,
        "both fee_bps and costs were given",
    ),
    "capital below nothing": (
        lambda: ep.backtest(M, W, capital=-1e6),
        ParameterError,
        "capital is -1000000.0",
    ),
    "capital that no float holds": (lambda: ep.backtest(M, W, capital=10**400), ParameterError, "capital is"),
    "more capital than there is": (
        lambda: ep.backtest(M, W, capital=1e300),
        ParameterError,
        "capital is 1e+300",
    ),
    "capital in an array": (
        lambda: ep.backtest(M, W, capital=np.array([1e6])),
        ParameterError,
        "capital is array([1000000.])",
    ),
    "capital that is missing": (lambda: ep.backtest(M, W, capital=pd.NA), ParameterError, "capital is <NA>"),
    "capital by currency": (
        lambda: ep.backtest(M, W, capital={"USD": 1e6}),
        ParameterError,
        "capital is {'USD'",
    ),
    "a currency without rates": (
        lambda: ep.backtest(M, W, base_currency="EUR"),
        ParameterError,
        "base_currency is 'EUR'",
    ),
    "a currency in small letters": (
        lambda: ep.backtest(M, W, base_currency="usd"),
        ParameterError,
        "base_currency is 'usd'",
    ),
    "no currency": (lambda: ep.backtest(M, W, base_currency=None), ParameterError, "base_currency is None"),
    "fills in an array": (
        lambda: ep.backtest(M, W, fill=np.array(["next_step", "same_step"])),
        ParameterError,
        "fill is array(['next_step', 'same_step'], dtype='<U9')",
    ),
    "a path of another market": (
        lambda: ep.backtest(other_market(), W.iloc[:0], path=path()),
        ParameterError,
        "the regime path has 324 steps and the market 318",
    ),
    "a path of as many other steps": (
        lambda: ep.backtest(a_year_later(), W.iloc[:0], path=path()),
        ParameterError,
        "the regime path has other steps than the market",
    ),
    "profit by the regimes of as many other steps": (
        lambda: ep.backtest(a_year_later(), W.iloc[:0]).by_regime(path()),
        ParameterError,
        "the regime path has other steps than the market",
    ),
    "a path cut short": (
        lambda: ep.backtest(M, W, path=path().until(20)),
        ParameterError,
        "the regime path has 21 steps and the market 324",
    ),
    "states of nobody": (
        lambda: ep.backtest(M, W, costs=ep.Costs(recall_states={1})),
        ParameterError,
        "recall_states names the states [1] and this run has no regime",
    ),
    "a state there is not": (
        lambda: ep.backtest(M, W, path=path(), costs=ep.Costs(recall_states={9})),
        ParameterError,
        "recall_states names the state 9",
    ),
    "a weight of 50 for 50 %": (
        lambda: ep.backtest(M, W * 100),
        TargetError,
        "the weights of one row add up to 50 times equity",
    ),
    "twenty lines at 5 for 5 %": (
        lambda: ep.backtest(M, pd.DataFrame(5.0, W.index, list(M.symbols[:20]))),
        TargetError,
        "the weights of one row add up to 100 times equity",
    ),
    "weights without dates": (
        lambda: ep.backtest(M, W.reset_index(drop=True)),
        TargetError,
        "the weights are not indexed by dates",
    ),
    "weights by text of dates": (
        lambda: ep.backtest(M, W.set_axis(["2021-02-01", "2021-02-02"])),
        TargetError,
        "the weights are not indexed by dates",
    ),
    "weights on a Sunday": (
        lambda: ep.backtest(M, W.set_axis(pd.DatetimeIndex(["2021-02-05", "2021-02-07"]))),
        TargetError,
        "weights are dated 2021-02-07, which is no session of this market",
    ),
    "weights by times without a zone": (
        lambda: ep.backtest(M, W.set_axis(W.index + pd.Timedelta(hours=21))),
        TargetError,
        "no session of this market: give times with their zone, such as weights.tz_localize('UTC')",
    ),
    "weights at no step": (
        lambda: ep.backtest(M, W.iloc[:1].set_axis(pd.DatetimeIndex(["2021-02-01T03:33Z"]))),
        TargetError,
        "weights are dated 2021-02-01 03:33:00+00:00, which is no step",
    ),
    "weights of another calendar": (
        lambda: ep.backtest(other_market(), W),
        TargetError,
        "weights are dated 2021-02-01 and on 1 more days or times, which",
    ),
    "weights at a missing date": (
        lambda: ep.backtest(M, W.iloc[:1].set_axis(pd.DatetimeIndex([pd.NaT]))),
        TargetError,
        "weights are dated NaT, which is no session of this market",
    ),
    "weights twice on a day": (
        lambda: ep.backtest(M, pd.concat([W, W])),
        TargetError,
        "the weights name a symbol or a date twice",
    ),
    "weights of a line twice": (
        lambda: ep.backtest(M, pd.concat([W, W], axis=1)),
        TargetError,
        "the weights name a symbol or a date twice",
    ),
    "weights in words": (
        lambda: ep.backtest(M, W.astype(str)),
        TargetError,
        "the weights of KWEB are not numbers",
    ),
    "weights of objects": (
        lambda: ep.backtest(M, W.astype(object)),
        TargetError,
        "the weights of KWEB are not numbers",
    ),
    "weights of truths": (lambda: ep.backtest(M, W > 0), TargetError, "the weights of KWEB are not numbers"),
    "weights in a series": (lambda: ep.backtest(M, W["KWEB"]), TargetError, "the plan is a Series"),
    "weights in an array": (lambda: ep.backtest(M, W.to_numpy()), TargetError, "the plan is a ndarray"),
    "weights of a stranger": (
        lambda: ep.backtest(M, weights("0700", 0.5)),
        TargetError,
        "weights for 0700, which this market does not have, did you mean",
    ),
    "targets of another market": (
        lambda: ep.backtest(M, ep.Targets(np.zeros((3, 2)))),
        TargetError,
        "targets have the shapes (3, 2) and (3, 0)",
    ),
    "targets of as many other steps": (
        lambda: ep.backtest(a_year_later(), ep.Targets.from_frame(M, W)),
        TargetError,
        "the targets are for other symbols or steps than this market has",
    ),
    "targets of as many other symbols": (
        lambda: ep.backtest(another_fund(), ep.Targets.from_frame(M, W)),
        TargetError,
        "the targets are for other symbols or steps than this market has",
    ),
    "targets of pairs of as many other symbols": (
        lambda: ep.backtest(another_fund(), ep.Targets.from_pairs(M, dated("BABA", 0.1))),
        TargetError,
        "the targets are for other symbols or steps than this market has",
    ),
    "targets of another market from a strategy": (
        lambda: ep.backtest(another_fund(), ep.strategy(lambda market: ep.Targets.from_frame(M, W))),
        TargetError,
        "the targets are for other symbols or steps than this market has",
    ),
    **{
        f"something like targets: {what}": (
            lambda changes=changes: ep.backtest(M, alike(**changes)),
            TargetError,
            words,
        )
        for what, changes, words in (
            ("a list", {"weights": alike().weights.tolist()}, "weights of the targets is [[nan, "),
            ("a frame", {"weights": M.price}, "weights of the targets is "),
            ("complex", {"weights": alike().weights.astype(complex)}, "targets is array([[nan+0.j"),
            ("objects", {"pair_weights": alike().pair_weights.astype(object)}, "pair_weights of the targets"),
            ("masked", {"weights": np.ma.masked_invalid(alike().weights)}, "targets is masked_array("),
            ("exits in a list", {"exits": [0]}, "exits of the targets is [0]"),
            ("no band", {"drift_band": None}, "drift_band of the targets is None: give a positive fraction"),
            (
                "a band in an array",
                {"drift_band": np.array([0.1])},
                "drift_band of the targets is array([0.1])",
            ),
            ("no notes", {"notes": None}, "notes of the targets is None: give a tuple of sentences"),
            ("a note", {"notes": "a note"}, "notes of the targets is 'a note'"),
            (
                "no pairs",
                {"pairs": None},
                "pairs of the targets is None: give (Hong Kong symbol, ADR symbol)",
            ),
            ("a pair of one", {"pairs": ["x"]}, "pairs of the targets is ['x']"),
            ("a pair twice", {"pairs": alike().pairs * 2}, "pairs of the targets is (('9988.HK', 'BABA'), ("),
        )
    },
    "targets of a pair that is none": (
        lambda: ep.backtest(
            M, ep.Targets(np.full(M.price.shape, np.nan), (("0700.HK", "BABA"),), np.zeros((len(M), 1)))
        ),
        TargetError,
        "0700.HK and BABA are not the two legs of one company in this",
    ),
    "a check in words": (lambda: ep.backtest(M, W, check="yes"), ParameterError, "check is 'yes'"),
    "no trials": (lambda: ep.backtest(M, W, trials=0), ParameterError, "trials is 0"),
    "half a trial": (lambda: ep.backtest(M, W, trials=1.5), ParameterError, "trials is 1.5"),
    "resume: a result": (
        lambda: ep.backtest(M, W, resume=early()),
        ParameterError,
        "resume is Result('simulated market, seed 3'",
    ),
    "resume: a path": (
        lambda: ep.backtest(M, W, resume="state.pkl"),
        ParameterError,
        "resume is 'state.pkl'",
    ),
    "resume: nothing left to run": (
        lambda: ep.backtest(M.until(39), W.iloc[:0], resume=early().state),
        ParameterError,
        "the state stands after 40 steps and the market has 40",
    ),
    "resume: a shorter market": (
        lambda: ep.backtest(M.until(20), W.iloc[:0], resume=early().state),
        ParameterError,
        "the state stands after 40 steps and the market has 21",
    ),
    "resume: a market of other steps": (
        lambda: ep.backtest(other_market(), W.iloc[:0], resume=early().state),
        ParameterError,
        "the state was recorded on other steps than this market's",
    ),
    "resume: a market of other prices": (
        lambda: ep.backtest(
            ep.simulate_market("2021-01-04", "2021-04-30", seed=4),
            W.iloc[:0],
            resume=ep.backtest(M.until(120), W).state,
        ),
        ParameterError,
        "the state was recorded on other prices of KWEB",
    ),
    "resume: a decision inside the loop": (
        lambda: ep.backtest(
            M, ep.CompiledStrategy(decide=leave_alone, symbols=["KWEB"]), resume=early().state
        ),
        TargetError,
        "a plan that decides inside the loop fills at the next step and",
    ),
    "batch: one more line": (
        lambda: ep.backtest_batch(M, np.zeros((1, len(M), len(M.symbols) + 1))),
        TargetError,
        "weights have the shape (1, 324, 48)",
    ),
    "batch: a frame": (lambda: ep.backtest_batch(M, W), TargetError, "weights have the shape (2, 1)"),
    "batch: nothing": (lambda: ep.backtest_batch(M, None), TargetError, "weights hold object"),
    "batch: objects": (
        lambda: ep.backtest_batch(M, np.full((1, *M.price.shape), None)),
        TargetError,
        "weights hold object",
    ),
    "batch: masked": (
        lambda: ep.backtest_batch(M, np.ma.masked_invalid(shape(M))),
        TargetError,
        "the weights are masked: fill them",
    ),
    "batch: a list of masked arrays": (
        lambda: ep.backtest_batch(M, list(np.ma.masked_invalid(shape(M)))),
        TargetError,
        "the weights are masked: fill them",
    ),
    "a line with the name of cash": (
        lambda: ep.backtest(unnamed("cash:USD"), weights("cash:USD")),
        DataError,
        "cash:USD is traded and would be taken for cash of a currency in what a run books",
    ),
    "batch: complex": (
        lambda: ep.backtest_batch(M, shape(M).astype(complex)),
        TargetError,
        "weights hold complex128",
    ),
    "batch: half a thread": (
        lambda: ep.backtest_batch(M, shape(M), threads=0.5),
        ParameterError,
        "threads is 0.5",
    ),
    "batch: a truth of threads": (
        lambda: ep.backtest_batch(M, shape(M), threads=True),
        ParameterError,
        "threads is True",
    ),
    "batch: a fee as a fraction": (
        lambda: ep.backtest_batch(M, shape(M), fee_bps=0.0005),
        ParameterError,
        "fee_bps is 0.0005, less than any price has",
    ),
    "batch: a weight of 50": (
        lambda: ep.backtest_batch(M, np.nan_to_num(shape(M), nan=50.0)),
        TargetError,
        "a weight is 50 times equity at 2021-01-04 01:30 UTC",
    ),
    "batch: exact fees of a flat one": (
        lambda: ep.backtest_batch(M, shape(M), fee_bps=1.0, exact_fees=True),
        ParameterError,
        "exact_fees was given with fee_bps, which has no minimum to apply",
    ),
    "batch: a currency of numbers": (
        lambda: ep.backtest_batch(M, shape(M), base_currency=10**400),
        ParameterError,
        "base_currency is",
    ),
}


CASES = [
    Case("runs", name, lambda folder, call=call: call(), error, re.escape(words))
    for name, (call, error, words) in BAD_RUNS.items()
]
