"""Strategies, their parts and targets that nothing can be held by."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from robustness.cases import Case
from robustness.small import LOOSE_DATES, market, other_market, path, weights

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError, TargetError

PAIRS, SECTORS = ep.LongHKShortADR(), ep.SectorRotation()
EVENTS = ep.load_events()


def series(name: str = "9988.HK", **terms: Any) -> ep.KnownSeries:
    days = pd.bdate_range("2019-01-02", "2021-04-30")
    values = pd.DataFrame({name: 0.5 * np.sin(np.arange(len(days)))}, index=days)
    return ep.load_series(values, **({"name": "something", "lag": "2 days"} | terms))


def targets(**changes: Any) -> ep.Targets:
    return ep.Targets(**({"weights": np.zeros((3, 2))} | changes))


def by_state(states: Any) -> ep.Targets:
    """Targets of a switch by states of one's own."""
    return ep.switch(lambda market, path: states, {"a": PAIRS}).targets(market())


def masked_features() -> ep.CompiledStrategy:
    def features(market: ep.Market, path: object) -> np.ndarray:
        return np.ma.zeros((1, len(market), 1))

    return ep.CompiledStrategy(decide=lambda *a: None, symbols=["KWEB"], features=features)


def remembering(numbers: int) -> ep.CompiledStrategy:
    return ep.CompiledStrategy(decide=lambda *a: None, symbols=["KWEB"], memory=numbers)


BAD_STRATEGIES: dict[str, tuple[Callable[[], Any], type[EntrepotError], str]] = {
    "pairs: an unknown mode": (lambda: ep.LongHKShortADR(mode="carry"), ParameterError, "mode is 'carry'"),
    "pairs: an entry of nothing": (lambda: ep.LongHKShortADR(entry=0), ParameterError, "entry is 0"),
    "pairs: an entry below nothing": (lambda: ep.LongHKShortADR(entry=-1.5), ParameterError, "entry is -1.5"),
    "pairs: an exit beyond the entry": (
        lambda: ep.LongHKShortADR(entry=1.0, exit=2.0),
        ParameterError,
        "exit is 2.0 and entry 1.0",
    ),
    "pairs: an exit that is no number": (
        lambda: ep.LongHKShortADR(exit=float("nan")),
        ParameterError,
        "exit is nan and entry 1.5",
    ),
    "pairs: two observations": (lambda: ep.LongHKShortADR(lookback=2), ParameterError, "lookback is 2"),
    "pairs: a lookback in words": (
        lambda: ep.LongHKShortADR(lookback="60"),
        ParameterError,
        "lookback is '60'",
    ),
    "pairs: half an observation": (
        lambda: ep.LongHKShortADR(lookback=20.5),
        ParameterError,
        "lookback is 20.5",
    ),
    "pairs: a lookback that no integer holds": (
        lambda: ep.LongHKShortADR(lookback=1e300),
        ParameterError,
        "lookback is 1e+300",
    ),
    "pairs: a lookback that no float holds": (
        lambda: ep.LongHKShortADR(lookback=10**400),
        ParameterError,
        "lookback is",
    ),
    "pairs: a weight below nothing": (
        lambda: ep.LongHKShortADR(weight=-0.1),
        ParameterError,
        "weight is -0.1",
    ),
    "pairs: a weight without end": (
        lambda: ep.LongHKShortADR(weight=float("inf")),
        ParameterError,
        "weight is inf",
    ),
    "pairs: a truth as weight": (lambda: ep.LongHKShortADR(weight=True), ParameterError, "weight is True"),
    "pairs: a number for yes": (lambda: ep.LongHKShortADR(reverse=1), ParameterError, "reverse is 1"),
    "pairs: a set of pairs": (lambda: ep.LongHKShortADR(pairs={"BABA"}), ParameterError, "pairs is {'BABA'}"),
    "pairs: a dict of pairs": (
        lambda: ep.LongHKShortADR(pairs={"BABA": 1.0}),
        ParameterError,
        "pairs is {'BABA'",
    ),
    "pairs: numbers for pairs": (lambda: ep.LongHKShortADR(pairs=[9988]), ParameterError, "pairs is [9988]"),
    "pairs: an array without length": (
        lambda: ep.LongHKShortADR(pairs=np.array("BABA")),
        ParameterError,
        "pairs is a ndarray",
    ),
    "pairs: an unknown risk": (
        lambda: ep.LongHKShortADR(risks=["weather"]),
        ParameterError,
        "risks is 'weather'",
    ),
    "pairs: a band of nothing": (lambda: ep.LongHKShortADR(drift_band=0), ParameterError, "drift_band is 0"),
    "pairs: a parameter of another strategy": (
        lambda: PAIRS.with_(top=3),
        ParameterError,
        "LongHKShortADR has no parameter 'top'",
    ),
    "pairs: a misspelt parameter": (
        lambda: PAIRS.with_(lookbak=3),
        ParameterError,
        "LongHKShortADR has no parameter 'lookbak', did you mean",
    ),
    "pairs: a pair that is not there": (
        lambda: ep.LongHKShortADR(pairs=["NOPE"]).targets(market()),
        ParameterError,
        "pairs is ['NOPE']",
    ),
    "pairs: a hedge without a path": (
        lambda: ep.LongHKShortADR(mode="delisting_hedge").targets(market()),
        ParameterError,
        "LongHKShortADR(mode='delisting_hedge') needs a regime path",
    ),
    "pairs: a hedge on a path of another market": (
        lambda: ep.LongHKShortADR(mode="delisting_hedge").targets(other_market(), path()),
        ParameterError,
        "the regime path has 324 steps and the market 318",
    ),
    "pairs: no market": (
        lambda: PAIRS.targets(None),
        ParameterError,
        "LongHKShortADR.targets was given None",
    ),
    "sectors: no sector": (lambda: ep.SectorRotation(top=0), ParameterError, "top is 0"),
    "sectors: one observation": (lambda: ep.SectorRotation(lookback=1), ParameterError, "lookback is 1"),
    "sectors: more skipped than looked at": (
        lambda: ep.SectorRotation(lookback=20, skip=20),
        ParameterError,
        "skip is 20",
    ),
    "sectors: a tilt in words": (
        lambda: ep.SectorRotation(tilts={"calm": {"internet": "much"}}),
        ParameterError,
        "the tilt of internet in calm is 'much'",
    ),
    "sectors: tilts of a numbered sector": (
        lambda: ep.SectorRotation(tilts={"calm": {1: 1.0, "it": 2.0}}),
        ParameterError,
        "the tilts of calm name the sector 1: give its name as text, such as 'it'",
    ),
    "sectors: tilts of no sector": (
        lambda: ep.SectorRotation(tilts={"calm": {None: 1.0}}),
        ParameterError,
        "the tilts of calm name the sector None",
    ),
    "sectors: tilts in a list": (
        lambda: ep.SectorRotation(tilts=[("calm", 1.0)]),
        ParameterError,
        "tilts is [('calm', 1.0)]",
    ),
    "sectors: an unknown rule": (
        lambda: ep.SectorRotation(rule="astrology"),
        ParameterError,
        "rule is 'astrology'",
    ),
    "sectors: an unknown weighting": (
        lambda: ep.SectorRotation(weighting="random"),
        ParameterError,
        "weighting is 'random'",
    ),
    "sectors: a universe of strangers": (
        lambda: ep.SectorRotation(universe=["NOPE"]).targets(market()),
        ParameterError,
        "'NOPE' is not in this market; its symbols are BABA, 9988.HK,",
    ),
    "themes: one nobody knows": (
        lambda: ep.ThemeRotation(theme="tulips"),
        ParameterError,
        "theme is 'tulips'",
    ),
    "themes: a start of a length of time": (
        lambda: ep.ThemeRotation(since=np.timedelta64(1, "D")),
        ParameterError,
        "since is a Timedelta: give a date such as '2025-01-20'",
    ),
    **{
        f"themes: a start of {since!r}": (
            lambda since=since: ep.ThemeRotation(since=since),
            ParameterError,
            f"since is {since!r}: give a date such as '2025-01-20'",
        )
        for since in ("soon", "9999-12-31", *LOOSE_DATES)
    },
    "an index pair: one side": (lambda: ep.IndexPair(long=[], short=["KWEB"]), ParameterError, "long is []"),
    "an index pair: a line on both sides": (
        lambda: ep.IndexPair(long=["KWEB"], short=["KWEB"]).targets(market()),
        ParameterError,
        "IndexPair(when='delisting') needs a regime path",
    ),
    "an index pair: too short a lookback": (
        lambda: ep.IndexPair(lookback=5),
        ParameterError,
        "lookback is 5",
    ),
    "tariffs: an unknown sizing": (
        lambda: ep.TariffRotation(sizing="large"),
        ParameterError,
        "sizing is 'large'",
    ),
    "tariffs: without a path": (
        lambda: ep.TariffRotation().targets(market()),
        ParameterError,
        "TariffRotation needs a regime path",
    ),
    "stimulus: no calendar": (lambda: ep.StimulusBasket(events=None), ParameterError, "events is None"),
    "stimulus: a severity nobody has": (
        lambda: ep.StimulusBasket(EVENTS, severity=7),
        ParameterError,
        "severity is 7",
    ),
    "stimulus: no session": (lambda: ep.StimulusBasket(EVENTS, sessions=0), ParameterError, "sessions is 0"),
    "flow: a frame for a series": (
        lambda: ep.SouthboundFlow(pd.DataFrame({"9988.HK": [0.1]})),
        ParameterError,
        "flow is a DataFrame",
    ),
    "flow: amounts for fractions": (
        lambda: ep.SouthboundFlow(
            ep.load_series(
                pd.DataFrame({"9988.HK": [5e6, -2e6]}, pd.to_datetime(["2021-01-04", "2021-01-05"])),
                name="flow",
                lag="1 day",
            )
        ),
        DataError,
        "flow is outside -1 to 1",
    ),
    "flow: no window": (lambda: ep.SouthboundFlow(series(), window=0), ParameterError, "window is 0"),
    "premium: nothing": (lambda: ep.AHDiscount(None), ParameterError, "ah_premium is None"),
    "premium: an unknown rank": (
        lambda: ep.AHDiscount(series(), rank_by="beauty"),
        ParameterError,
        "rank_by is 'beauty'",
    ),
    "premium: lines of another market": (
        lambda: ep.AHDiscount(series("NOPE.HK")).targets(market()),
        ParameterError,
        "something and this market share no Hong Kong line among NOPE.HK",
    ),
    "valuation: no years": (lambda: ep.ValuationGap(series(), years=0), ParameterError, "years is 0"),
    "valuation: more months than there are": (
        lambda: ep.ValuationGap(series(), years=1.0, least=24),
        ParameterError,
        "least is 24 months and years is 1",
    ),
    "proceeds by line": (
        lambda: ep.ListingBreadth(series()),
        DataError,
        "something has 1 columns, or a month without a row or with two",
    ),
    "custody: a full scale of nothing": (
        lambda: ep.CustodyShift(series(), full=0),
        ParameterError,
        "full is 0",
    ),
    "a switch: no path": (lambda: ep.RegimeSwitch(None, calm=PAIRS), ParameterError, "path is None"),
    "a switch: a class as part": (
        lambda: ep.RegimeSwitch(path(), calm=ep.LongHKShortADR),
        ParameterError,
        "calm is the class LongHKShortADR",
    ),
    "a switch: an unknown weighting": (
        lambda: ep.RegimeSwitch(path(), calm=PAIRS, weighting="some"),
        ParameterError,
        "weighting is 'some'",
    ),
    "a switch: a path of another market": (
        lambda: ep.RegimeSwitch(path(), calm=PAIRS).targets(other_market()),
        ParameterError,
        "the regime path has 324 steps and the market 318",
    ),
    "states: nothing": (lambda: by_state(None), TargetError, "the states are None"),
    "states: without dates": (lambda: by_state(pd.Series(["a"])), TargetError, "the states are a Series"),
    "states: out of order": (
        lambda: by_state(pd.Series("a", market().price.index[[5, 3]])),
        TargetError,
        "the states' dates repeat or are out of order",
    ),
    "states: with a part there is not": (
        lambda: by_state(pd.Series("b", market().price.index)),
        TargetError,
        "the label 'b' at 2021-01-04 01:30 UTC has no part",
    ),
    "a blend: nothing": (lambda: ep.blend(None), ParameterError, "blend was given None"),
    "a blend: one strategy": (lambda: ep.blend(PAIRS), ParameterError, "blend was given a LongHKShortADR"),
    "a blend: no shares": (
        lambda: ep.blend([PAIRS, SECTORS]),
        ParameterError,
        "blend was given [LongHKShortADR(mode='convergence', entry=1.5,",
    ),
    "a blend: a share in words": (
        lambda: ep.blend([(PAIRS, "half")]),
        ParameterError,
        "the share of part 0 is 'half'",
    ),
    "a blend: a share that is no number": (
        lambda: ep.blend([(PAIRS, float("nan"))]),
        ParameterError,
        "the share of part 0 is nan",
    ),
    "a blend: an array without length": (
        lambda: ep.blend(np.array(1.0)),
        ParameterError,
        "blend was given a ndarray",
    ),
    "a blend: a class": (
        lambda: ep.blend([(ep.LongHKShortADR, 1.0)]),
        ParameterError,
        "part 0 is the class LongHKShortADR",
    ),
    "a cap: nothing": (lambda: ep.cap(PAIRS), ParameterError, "cap was given no limit"),
    "a cap: below nothing": (lambda: ep.cap(PAIRS, gross=-1.0), ParameterError, "gross is -1.0"),
    "a limit: no capital": (lambda: ep.limit_to_volume(PAIRS, 0), ParameterError, "capital is 0"),
    "a limit: more than all of the volume": (
        lambda: ep.limit_to_volume(PAIRS, 1e6, participation=1.5),
        ParameterError,
        "participation is 1.5",
    ),
    "a scale: an unknown regime": (
        lambda: ep.scale_by_regime(PAIRS, {"storm": 1.0}),
        ParameterError,
        "a regime in scales is 'storm'",
    ),
    "a scale: a list": (lambda: ep.scale_by_regime(PAIRS, [1.0]), ParameterError, "scales is [1.0]"),
    "a scale: below nothing": (
        lambda: ep.scale_by_regime(PAIRS, {"calm": -1.0}),
        ParameterError,
        "the scale of calm is -1.0",
    ),
    "a volatility of nothing": (
        lambda: ep.scale_to_volatility(PAIRS, target=0.0),
        ParameterError,
        "target is 0.0",
    ),
    "a volatility of too few returns": (
        lambda: ep.scale_to_volatility(PAIRS, lookback=20, horizon=15),
        ParameterError,
        "horizon is 15",
    ),
    "a hedge against a stranger": (
        lambda: ep.neutralise(PAIRS, "NOPE").targets(market()),
        ParameterError,
        "'NOPE' is not in this market; its symbols are BABA, 9988.HK,",
    ),
    "a hedge by an unknown method": (
        lambda: ep.neutralise(PAIRS, method="magic"),
        ParameterError,
        "method is 'magic'",
    ),
    "press trades of no calendar": (lambda: ep.press_trades(None), ParameterError, "events is None"),
    "a strategy made of a number": (lambda: ep.strategy(5), ParameterError, "the function is 5"),
    "a strategy that returns a word": (
        lambda: ep.strategy(lambda market: "buy").targets(market()),
        TargetError,
        "<lambda> returned 'buy'",
    ),
    "a decision that is no function": (
        lambda: ep.backtest(market(), ep.CompiledStrategy(decide=5, symbols=["KWEB"])),
        ParameterError,
        "decide is 5",
    ),
    "a decision with a parameter that has no name": (
        lambda: ep.CompiledStrategy(decide=lambda *a: None, symbols=["KWEB"], parameters={np.nan: 1.0}),
        ParameterError,
        "a parameter is named nan: give its name as text",
    ),
    "a decision on masked features": (
        lambda: ep.backtest(market(), masked_features()),
        TargetError,
        "are a MaskedArray: return floats of shape",
    ),
    "a share of more than 64 bits": (
        lambda: ep.blend({PAIRS: 2**64}),
        ParameterError,
        "the share of part 0 is 18446744073709551616",
    ),
    "a blend with one number for its shares": (
        lambda: ep.blend([(PAIRS, 0.5)]).with_(shares=5),
        ParameterError,
        "shares is 5: give a list of numbers, one for each part",
    ),
    "a blend with one strategy for its parts": (
        lambda: ep.blend([(PAIRS, 0.5)]).with_(parts=SECTORS),
        ParameterError,
        "parts is a SectorRotation: give a list of strategies, one for each part",
    ),
    "a sweep over one number for the shares of a blend": (
        lambda: ep.sweep(market(), ep.blend([(PAIRS, 0.5)]), {"shares": [5]}, progress=False),
        ParameterError,
        "shares is 5",
    ),
    "a decision about a pair named by both its lines": (
        lambda: ep.backtest(market(), ep.CompiledStrategy(decide=lambda *a: None, pairs=["BABA", "9988.HK"])),
        ParameterError,
        "pairs names 9988.HK/BABA twice: give one symbol of each pair",
    ),
    "a decision that keeps more numbers than there is memory": (
        lambda: ep.backtest(market(), remembering(10**12)),
        ParameterError,
        "1,000,000,000,000 numbers that decisions keep take 8 TB of memory",
    ),
    "a causality check of a decision that keeps as many": (
        lambda: ep.check_causal(remembering(10**12), market()),
        ParameterError,
        "1,000,000,000,000 numbers that decisions keep take 8 TB of memory",
    ),
    "a decision about strangers": (
        lambda: ep.backtest(market(), ep.CompiledStrategy(decide=lambda *a: None, symbols=["NOPE"])),
        ParameterError,
        "NOPE cannot be traded in this market",
    ),
    "a causality check of no steps": (
        lambda: ep.check_causal(PAIRS, market(), steps=[]),
        ParameterError,
        "steps is empty",
    ),
    "a causality check of nothing": (
        lambda: ep.check_causal(None, market()),
        ParameterError,
        "check_causal was given None",
    ),
    "targets: words": (lambda: targets(weights=np.full((3, 2), "half")), TargetError, "weights is a ndarray"),
    "targets: a word": (lambda: targets(weights="half"), TargetError, "weights is 'half'"),
    "targets: objects": (
        lambda: targets(weights=np.full((3, 2), "1", dtype=object)),
        TargetError,
        "weights is",
    ),
    "targets: truths": (
        lambda: targets(weights=np.ones((3, 2), dtype=bool)),
        TargetError,
        "weights is a ndarray",
    ),
    "a switch by a function of the market alone": (
        lambda: ep.switch(lambda market: pd.Series("a", market.grid["session"]), {"a": PAIRS}),
        ParameterError,
        "states is a function of other arguments: give one of (market, path)",
    ),
    "targets: masked": (
        lambda: targets(weights=np.ma.zeros((3, 2))),
        TargetError,
        "weights is a MaskedArray: give an array of numbers, NaN to leave alone",
    ),
    "targets: masked weights of pairs": (
        lambda: targets(pairs=(("9988.HK", "BABA"),), pair_weights=np.ma.zeros((3, 1))),
        TargetError,
        "pair_weights is a MaskedArray",
    ),
    "targets: symbols in one text": (
        lambda: targets(symbols="KWEB"),
        TargetError,
        "symbols is 'KWEB': give market.symbols, or leave it out",
    ),
    "targets: times in text": (
        lambda: targets(times=np.array(["2021-01-04"])),
        TargetError,
        "give market.times, or leave it out",
    ),
    "targets: masked exits": (
        lambda: targets(
            pairs=(("9988.HK", "BABA"),), pair_weights=np.zeros((3, 1)), exits=np.ma.ones((3, 1), dtype=int)
        ),
        TargetError,
        "exits is a masked array: fill it",
    ),
    "targets: complex": (
        lambda: targets(weights=np.ones((3, 2), dtype=complex)),
        TargetError,
        "weights is a ndarray",
    ),
    "targets: one dimension": (
        lambda: targets(weights=np.zeros(3)),
        TargetError,
        "weights has shape (3,) and pair_weights (3, 0) for 0 pairs",
    ),
    "targets: infinite": (
        lambda: targets(weights=np.full((3, 2), np.inf)),
        TargetError,
        "a weight is infinite",
    ),
    "targets: pairs without weights": (
        lambda: targets(pairs=(("9988.HK", "BABA"),)),
        TargetError,
        "weights has shape (3, 2) and pair_weights (0, 0) for 1 pairs",
    ),
    "targets: a pair twice": (
        lambda: targets(pairs=(("9988.HK", "BABA"),) * 2, pair_weights=np.zeros((3, 2))),
        TargetError,
        "a pair occurs twice among the linked pairs",
    ),
    "targets: nothing for pairs": (lambda: targets(pairs=None), TargetError, "pairs is None"),
    "targets: a pair of three": (
        lambda: targets(pairs=(("9988.HK", "BABA", "JD"),), pair_weights=np.zeros((3, 1))),
        TargetError,
        "pairs is (('9988.HK', 'BABA', 'JD'),)",
    ),
    "targets: a pair of a pair of numbers": (
        lambda: targets(pairs=((1, 2),), pair_weights=np.zeros((3, 1))),
        TargetError,
        "pairs is ((1, 2),)",
    ),
    "targets: an unknown exit": (
        lambda: targets(
            pairs=(("9988.HK", "BABA"),), pair_weights=np.zeros((3, 1)), exits=np.full((3, 1), 7)
        ),
        TargetError,
        "exits holds 7",
    ),
    "targets: a band below nothing": (lambda: targets(drift_band=-0.1), TargetError, "drift_band is -0.1"),
    "targets: a band that no float holds": (
        lambda: targets(drift_band=10**400),
        TargetError,
        "drift_band is",
    ),
    "targets: a note in a number": (lambda: targets(notes=5), TargetError, "notes is 5"),
    "targets: a list of signals": (lambda: targets(signals=[1]), TargetError, "signals is [1]"),
    "a frame on no market": (
        lambda: ep.Targets.from_frame(None, weights()),
        ParameterError,
        "Targets.from_frame was given None",
    ),
    "a frame that is none": (
        lambda: ep.Targets.from_frame(market(), [0.5]),
        TargetError,
        "weights are a list",
    ),
    "pairs on no market": (
        lambda: ep.Targets.from_pairs("market", weights()),
        ParameterError,
        "Targets.from_pairs was given 'market'",
    ),
    "pairs of single lines": (
        lambda: ep.Targets.from_pairs(market(), weights("KWEB")),
        TargetError,
        "weights for the pairs KWEB, which this market does not have; it",
    ),
    "a pair named by both its lines": (
        lambda: ep.Targets.from_pairs(market(), pd.concat([weights("BABA"), weights("9988.HK")], axis=1)),
        TargetError,
        "the weights name a symbol or a date twice",
    ),
    "targets of something alike": (
        lambda: ep.backtest(
            market(), SimpleNamespace(targets=lambda m, path=None: SimpleNamespace(weights=None))
        ),
        TargetError,
        "the plan's targets() returned namespace(weights=None)",
    ),
}

CASES = [
    Case("strategies", name, lambda f, call=call: call(), error, re.escape(words))
    for name, (call, error, words) in BAD_STRATEGIES.items()
]
