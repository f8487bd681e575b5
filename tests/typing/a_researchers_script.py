"""A script as a researcher writes it, read by type checkers and never run: what they infer is asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import entrepot as ep
from entrepot.markets import fee_table
from entrepot.markets.sessions import build_grid
from entrepot.reports import by_source
from entrepot.strategies.targets import Targets as TargetsOfModule

# -- data ----------------------------------------------------------------------------------------------------

market = ep.simulate_market("2021-01-04", "2023-12-29", seed=7)
assert_type(market, ep.Market)
assert_type(market.price, pd.DataFrame)
assert_type(market.instruments, pd.DataFrame)
assert_type(market.label, str)
assert_type(market.decision_steps, NDArray[np.bool_])
ep.load_market({"BABA": pd.DataFrame(), "9988.HK": pd.DataFrame()})
own = ep.load_market(
    Path("prices"), start="2019-06-03", ends="cut", departures="parity", hk_shorts=["9988.HK"]
)
assert_type(own, ep.Market)
assert_type(ep.Market.from_prices(pd.DataFrame({"SPY": [1.0, 2.0]})), ep.Market)

discount = ep.premium(market, "BABA", align="next_hk")
assert_type(discount, "pd.Series[float]")
assert_type(ep.premium(market, "BABA", detail=True), pd.DataFrame)
assert_type(ep.average_volume(market), pd.DataFrame)
flow: ep.KnownSeries = ep.load_series("southbound.csv", lag="1D")
assert_type(flow.values, pd.DataFrame)

# -- regimes -------------------------------------------------------------------------------------------------

events = ep.load_events()
assert_type(events, ep.Events)
assert_type(events.known_by("2022-03-10T18:00Z"), ep.Events)
assert_type(events.frame, pd.DataFrame)

model = ep.RegimeModel(tariff=ep.ThresholdDetector(threshold=2.0), delisting=ep.MarkovDetector(states=2))
path = model.walk_forward(market, events)
assert_type(path, ep.RegimePath)
assert_type(path.probabilities, pd.DataFrame)
assert_type(path.names, tuple[str, str, str, str])

detector = ep.MarkovDetector(family="student").fit(discount.to_numpy())
assert_type(detector, ep.MarkovDetector)
assert_type(detector.filter(discount.to_numpy()), NDArray[np.float64])
assert_type(detector.loglikelihood_, float)
assert_type(ep.JumpDetector().fit(discount).centroids_, NDArray[np.float64])
either: ep.Detector = ep.ChangePointDetector()

# -- strategies ----------------------------------------------------------------------------------------------

pairs = ep.LongHKShortADR(mode="convergence", entry=1.5, exit=0.3, lookback=60)
hedge = pairs.with_(mode="delisting_hedge")
assert_type(hedge, ep.LongHKShortADR)
sectors = ep.SectorRotation(lookback=120, top=3, rule="low_volatility")
plan = ep.RegimeSwitch(path, calm=pairs, tariff=sectors, delisting=hedge, decoupling=hedge)
assert_type(plan.targets(market), ep.Targets)
assert_type(plan.targets(market), TargetsOfModule)


@ep.strategy
def momentum(market: ep.Market, *, lookback: int = 60) -> pd.DataFrame:
    close = market.price.loc[market.decision_steps, ["KWEB", "FXI"]]
    return (close.pct_change(lookback) > 0) * 0.4


@ep.strategy(lookback=20)
def hurried(market: ep.Market, path: ep.RegimePath | None, *, lookback: int) -> pd.DataFrame:
    return market.price.iloc[lookback:] * 0.0


class Constant:
    """A strategy without a base class: `targets` is all it takes."""

    def targets(self, market: ep.Market, path: ep.RegimePath | None = None) -> ep.Targets:
        return ep.Targets.from_frame(market, pd.DataFrame({"KWEB": [0.5]}, index=market.grid["session"][:1]))


a_strategy: ep.Strategy = Constant()
a_strategy = momentum.with_(lookback=20)
a_strategy = ep.cap(ep.scale_to_volatility(ep.blend([(pairs, 0.5), (sectors, 0.5)]), 0.1), gross=1.5)
assert_type(ep.check_causal(momentum, market), ep.CausalityReport)

# -- money ---------------------------------------------------------------------------------------------------

costs = ep.Costs(
    half_spread_bps={"BABA": 1.0}, borrow_multiplier=3.0, fees={("XHKG", "brokerage"): ep.Fee(0.0005)}
)
result = ep.backtest(market, plan, capital=10_000_000, costs=costs, path=path, check=True)
assert_type(result, ep.Result)
assert_type(ep.backtest(market, pd.DataFrame({"KWEB": [1.0]})), ep.Result)
assert_type(ep.backtest(market, Constant()), ep.Result)
assert_type(ep.backtest(market, hurried), ep.Result)
assert_type(result.equity, "pd.Series[float]")
assert_type(result.returns, "pd.Series[float]")
assert_type(result.fills, pd.DataFrame)
assert_type(result.positions, pd.DataFrame)
assert_type(result.contributions, pd.DataFrame)
assert_type(result.summary(), "pd.Series[Any]")
assert_type(result.by_regime(), pd.DataFrame)
assert_type(result.by_event(events), pd.DataFrame)
assert_type(result.by_period("quarter"), pd.DataFrame)
assert_type(result.provenance, dict[str, str])
assert_type(by_source(result), "pd.Series[float]")
assert_type(result.by_source(), pd.DataFrame)
assert_type(ep.fill_timing(market, ep.LongHKShortADR().targets(market)), pd.DataFrame)
assert_type(result.report("report.html", events=events), Path)
result.plot("waterfall", by="regime", size="slide")
result.tear_sheet("sheet.png").set_dpi(300)
for name in ep.read_export(result.export("tables")):
    a_table = ep.read_export("tables")[name]
    assert_type(a_table, pd.DataFrame)

weights = np.zeros((10, len(market.grid), len(market.price.columns)))
assert_type(ep.backtest_batch(market, weights, fee_bps=10, fill="same_step"), NDArray[np.float64])

# -- doubt ---------------------------------------------------------------------------------------------------

sweep = ep.sweep(
    market, pairs, {"entry": [1, 1.5, 2], "lookback": range(20, 121, 20)}, path=path, progress=False
)
assert_type(sweep, ep.Sweep)
assert_type(sweep.table, pd.DataFrame)
assert_type(sweep.best("sharpe"), "pd.Series[Any]")
assert_type(sweep.best("sharpe", n=5), "pd.Series[Any] | pd.DataFrame")
assert_type(sweep.backtest(0), ep.Result)
assert_type(sweep.significance(progress=False), ep.Significance)
assert_type(sweep.significance().verdict, str)
assert_type(ep.sharpe_odds(result.returns), "pd.Series[Any]")
assert_type(ep.overfitting(sweep.returns().to_numpy()).probability, float)
assert_type(ep.event_study(market, events, by="channel").table, pd.DataFrame)
assert_type(ep.compare_trades(market, {"pairs": pairs, "mine": Constant()}, path).table, pd.DataFrame)
assert_type(ep.compare_results({"one": result, "other": sweep.backtest(1)}), ep.SideBySide)
assert_type(ep.discount_monitor(market).median, "pd.Series[float]")
assert_type(ep.switching_value(market, events, plan, placebos=20).table, pd.DataFrame)
assert_type(ep.capacity(market, plan), pd.DataFrame)

try:
    ep.backtest(market, plan, capital=-1)
except ep.ParameterError as error:
    raise SystemExit(str(error)) from error

everything: list[Any] = [own, flow, either, a_strategy, momentum, fee_table, build_grid, ep.__version__]
