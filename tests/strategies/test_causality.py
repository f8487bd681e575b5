"""The check for look ahead: it finds every way of seeing later prices, and lets honest strategies pass."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numba import njit

import entrepot as ep
from entrepot.errors import ParameterError, TargetError
from entrepot.markets.known_series import KnownSeries
from entrepot.regimes import RegimeModel, load_events
from entrepot.strategies import LongHKShortADR, RegimeSwitch, SectorRotation, Targets
from entrepot.strategies.as_known import as_known
from entrepot.strategies.causality import CausalityReport, LookAheadError, check_causal
from entrepot.strategies.composition import blend, switch
from entrepot.strategies.function import strategy
from entrepot.strategies.limits import cap, limit_to_volume
from entrepot.strategies.sizing import neutralise, scale_by_regime, scale_to_volatility
from entrepot.strategies.targets import decisions

LINES = ["KWEB", "FXI"]
SYMBOLS = ["KWEB", "FXI", "BABA", "9988.HK", "JD", "9618.HK", "0700.HK", "ASHR", "CQQQ"]
MARKET = ep.simulate_market("2024-12-02", "2025-12-31", seed=7, symbols=SYMBOLS)
PATH = RegimeModel().walk_forward(MARKET, load_events())
EVENTS = load_events()
CLOSES = MARKET.price.loc[MARKET.decision_steps, LINES]
SCORES = pd.DataFrame({"KWEB": CLOSES["KWEB"] / CLOSES["KWEB"].mean()})
QUICK = LongHKShortADR(lookback=20, entry=1.0)
SECTORS = SectorRotation(lookback=20, top=1)


ARRAY, UNDATED = CLOSES.to_numpy(), CLOSES.reset_index()
LIBRARY = ModuleType("a_module_of_ones_own")  # data and a function in another module
LIBRARY.closes = CLOSES
exec("def ahead():\n    return closes.shift(-1) > closes", vars(LIBRARY))
sys.modules[LIBRARY.__name__] = LIBRARY


def closes(market):
    return market.price.loc[market.decision_steps, LINES]


# -- strategies that see what is to come ---------------------------------------------------------------------


def full_sample(market):
    close = closes(market)
    return ((close - close.mean()) / close.std() > 0) * 0.4


def shifted(market):
    return (closes(market).pct_change(fill_method=None).shift(-1) > 0) * 0.4


def filled_back(market):
    price = market.price[["0700.HK"]].bfill()[market.decision_steps]
    return price.pct_change(fill_method=None).round(3)


def centred(market):
    close = closes(market)
    return (close > close.rolling(11, center=True, min_periods=1).mean()) * 0.4


def from_its_module(market):
    close = closes(MARKET)
    return ((close > close.mean()) * 0.4).reindex(market.price.index)


def by_a_function_of_its_module(market):
    return from_its_module(market)


def by_a_default_of_its_module(market):
    return by_default(market)


def from_a_frame_of_its_module(market):
    return ((CLOSES.shift(-1) > CLOSES) * 0.4).reindex(closes(market).index)


def by_default(market, prices=CLOSES):
    return ((prices.shift(-1) > prices) * 0.4).reindex(closes(market).index)


def enclosed():
    kept = MARKET

    def peeks(market):
        close = closes(kept)
        return ((close > close.mean()) * 0.4).reindex(market.price.index)

    return peeks


def only_whole(market):
    """Peek only where the market is whole: no cut shows it."""
    close = closes(market)
    honest = close.pct_change(fill_method=None)
    return ((honest.shift(-1) if len(market) == len(MARKET) else honest) > 0) * 0.4


def later_regime(market, path):
    return pd.DataFrame({"KWEB": (np.roll(path.states, -4) == 0) * 0.4}, index=path.time)[
        market.decision_steps
    ]


@dataclass(frozen=True, eq=False)
class Keeper:
    """A class that keeps the whole market."""

    market: ep.Market

    def targets(self, market, path=None):
        close = closes(self.market)
        return Targets.from_frame(market, ((close > close.mean()) * 0.4).reindex(market.price.index))


@dataclass(frozen=True, eq=False)
class Flow:
    """A series read by the date it is about, or by the moment it became known."""

    series: KnownSeries
    honest: bool

    def targets(self, market, path=None):
        steps = decisions(market)
        if self.honest:
            row = self.series.row_at(market, steps)
        else:
            dates = pd.DatetimeIndex(market.grid["session"].to_numpy()[steps])
            row = vars(self.series)["values"].index.searchsorted(dates, side="right") - 1
        values = np.append(vars(self.series)["values"]["market"].to_numpy(), 0.0)[row]
        frame = pd.DataFrame({"KWEB": (values > 0) * 0.4}, index=market.price.index[steps])
        return Targets.from_frame(market, frame)


@dataclass(frozen=True, eq=False)
class Headlines:
    """Count events: those known at each step, or all of a calendar."""

    events: ep.Events
    honest: bool

    def targets(self, market, path=None):
        known = self.events.frame["known_at"].sort_values()
        steps = decisions(market)
        seen = known.searchsorted(market.grid["time"].iloc[steps], side="right") / 100
        seen = seen if self.honest else seen / len(known)
        return Targets.from_frame(market, pd.DataFrame({"KWEB": seen}, index=market.price.index[steps]))


def flows():
    days = pd.date_range("2024-12-02", "2025-12-31", freq="W-FRI")
    values = pd.DataFrame({"market": np.random.default_rng(1).normal(size=len(days))}, index=days)
    return KnownSeries("flows", values, (days + pd.Timedelta("12D")).tz_localize("UTC"))


def by_place_in_an_array(market):
    index = closes(market).index
    ahead = np.minimum(np.arange(len(index)) + 1, len(ARRAY) - 1)
    return pd.DataFrame((ARRAY[ahead] > ARRAY[: len(index)]) * 0.4, index, LINES)


def by_place_in_a_frame(market):
    index, numbers = closes(market).index, UNDATED[LINES]
    return ((numbers.shift(-1) > numbers) * 0.4).iloc[: len(index)].set_axis(index, axis=0)


def through_another_module(market):
    return (LIBRARY.closes.shift(-1) > LIBRARY.closes).reindex(closes(market).index) * 0.4


def by_a_function_of_another_module(market):
    return LIBRARY.ahead().reindex(closes(market).index) * 0.4


def through_a_module_imported_inside(market):
    from a_module_of_ones_own import closes as kept

    return (kept.shift(-1) > kept).reindex(closes(market).index) * 0.4


@cache
def means():
    return closes(MARKET).mean()


def by_what_is_cached(market):
    return (closes(market) > means()) * 0.4


MEMORY, MEAN = {}, None


def by_what_a_dict_kept(market):
    """The first market it is asked about stays in mind."""
    kept = MEMORY.setdefault("mean", closes(market).mean())
    return (closes(market) > kept) * 0.4


def by_what_a_module_kept(market):
    global MEAN
    MEAN = closes(market).mean() if MEAN is None else MEAN
    return (closes(market) > MEAN) * 0.4


def remembering():
    mean = None

    def peeks(market):
        nonlocal mean
        mean = closes(market).mean() if mean is None else mean
        return (closes(market) > mean) * 0.4

    return peeks


class Learner:
    """It learns a mean once, as of the first market."""

    mean = None

    def targets(self, market, path=None):
        if self.mean is None:
            self.mean = closes(market).mean()
        return Targets.from_frame(market, (closes(market) > self.mean) * 0.4)


class Reader:
    """Its method reads a market of its module, its class keeps one."""

    kept = MARKET

    def __init__(self, of_class):
        self.of_class = of_class

    def signal(self):
        close = closes(self.kept if self.of_class else MARKET)
        return (close > close.mean()) * 0.4

    def targets(self, market, path=None):
        return Targets.from_frame(market, self.signal().reindex(closes(market).index))


class Worked(Keeper):
    """What it has worked out from its market it keeps."""

    @cached_property
    def mean(self):
        return closes(self.market).mean()

    def targets(self, market, path=None):
        return Targets.from_frame(market, (closes(market) > self.mean) * 0.4)


def worked_out():
    plan = Worked(MARKET)
    assert plan.mean.gt(0).all()  # before it is asked
    return plan


class Slots:
    """No dict of attributes."""

    __slots__ = ("market",)

    def __init__(self):
        self.market = MARKET

    def targets(self, market, path=None):
        return Keeper(self.market).targets(market)


PEEKING = {
    "full sample": strategy(full_sample),
    "shift": strategy(shifted),
    "bfill": strategy(filled_back),
    "centred": strategy(centred),
    "a market of its module": strategy(from_its_module),
    "a function of its module": strategy(by_a_function_of_its_module),
    "a frame of its module": strategy(from_a_frame_of_its_module),
    "a default": strategy(by_default),
    "a default of a function of its module": strategy(by_a_default_of_its_module),
    "an enclosed market": strategy(enclosed()),
    "a partial": strategy(partial(by_default, prices=CLOSES)),
    "the whole market only": strategy(only_whole),
    "later regimes": strategy(later_regime),
    "an array": strategy(by_place_in_an_array),
    "a frame without dates": strategy(by_place_in_a_frame),
    "another module": strategy(through_another_module),
    "a function of another module": strategy(by_a_function_of_another_module),
    "a module imported inside": strategy(through_a_module_imported_inside),
    "a cache": strategy(by_what_is_cached),
    "a dict that remembers": strategy(by_what_a_dict_kept),
    "a module that remembers": strategy(by_what_a_module_kept),
    "a closure that remembers": strategy(remembering()),
    "an object that remembers": Learner(),
    "a method": Reader(of_class=False),
    "a class attribute": Reader(of_class=True),
    "slots": Slots(),
    "a cached property": worked_out(),
    "a class": Keeper(MARKET),
    "a bound method": SimpleNamespace(targets=Keeper(MARKET).targets),
    "dates of a series": Flow(flows(), False),
    "events to come": Headlines(EVENTS, False),
    "a part": blend([(QUICK, 0.5), (cap(strategy(shifted), gross=0.5), 0.5)]),
    "a part of a switch": RegimeSwitch(PATH, calm=strategy(full_sample), decoupling=QUICK),
    "states": switch(
        lambda market, path: closes(market)["FXI"].shift(-1) > 30, {True: QUICK, False: SECTORS}
    ),
}


@pytest.mark.parametrize("name", PEEKING)
def test_what_sees_later_prices_is_caught(name):
    report = check_causal(PEEKING[name], MARKET, PATH, strict=False)
    assert not report.ok
    assert report.first.step <= report.first.cut == report.checked[-1]
    assert "looks ahead: at 202" in repr(report)
    assert "\n" not in repr(report)


def test_it_is_refused_unless_told_otherwise():
    report = check_causal(PEEKING["shift"], MARKET, strict=False)
    with pytest.raises(
        LookAheadError, match=r"shifted looks ahead: at 202.* UTC .* it says .* after step"
    ) as no:
        check_causal(PEEKING["shift"], MARKET)
    assert str(no.value) == repr(report)


# -- strategies that do not ----------------------------------------------------------------------------------


def momentum(market, *, lookback=20):
    return (closes(market).pct_change(lookback, fill_method=None) > 0) * 0.4


def from_closes_so_far(market):
    """Keep all closes, use those up to each step."""
    close = CLOSES.expanding().mean()
    return (close.lt(CLOSES) * 0.4).reindex(closes(market).index)


def known_series(market):
    session = market.grid["session"][market.decision_steps]
    close = market.price.loc[market.decision_steps, ["KWEB"]].set_axis(pd.DatetimeIndex(session), axis=0)
    return (close > close.rolling(20).mean()) * 0.4


HONEST = {
    "hedge": QUICK.with_(mode="delisting_hedge"),
    "sectors": SECTORS,
    "switch": RegimeSwitch(PATH, calm=QUICK, tariff=SECTORS, weighting="probability"),
    "momentum": strategy(momentum),
    "by date": strategy(known_series),
    "kept closes": strategy(from_closes_so_far),
    "series": Flow(flows(), True),
    "events": Headlines(EVENTS, True),
    "a frame as a part": blend([(SCORES["KWEB"].to_frame() / 10, 1.0)]),
    "composed": cap(
        neutralise(
            scale_to_volatility(
                scale_by_regime(
                    switch("regime", dict.fromkeys(PATH.names, QUICK) | {"tariff": SECTORS, "calm": None}),
                    {"tariff": 0.5},
                ),
                lookback=30,
            ),
            lookback=40,
        ),
        gross=1.0,
    ),
    "volume": limit_to_volume(blend([(QUICK, 1.0)]), 1e9),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_what_is_honest_passes(name):
    report = check_causal(HONEST[name], MARKET, PATH)
    assert report.ok
    assert len(report.checked) >= 12
    assert not report.unusable
    assert repr(report).endswith(f"it says the same at {len(report.checked)} steps")


# -- decisions inside the loop -------------------------------------------------------------------------------


def returns(market, path):
    return market.price[LINES].ffill().pct_change(8).to_numpy()[None]


def returns_filled_back(market, path):
    return market.price[LINES].bfill().pct_change(8).to_numpy()[None]


def z_scores(market, path):
    price = market.price[LINES].ffill()
    return ((price - price.mean()) / price.std()).to_numpy()[None]


def with_stop(step, state, params, features, out):
    """Look at equity and shares: of an empty book nothing would ever be said."""
    state.memory[0] = max(state.memory[0], state.equity)
    for k in range(2):
        held = state.shares[k] * state.worth[k] / state.equity
        wanted = 0.4 if features[0, step, k] > 0.0 and state.equity > 0.9 * state.memory[0] else 0.0
        if abs(wanted - held) > 0.1:
            out[k] = wanted


def next_row(step, state, params, features, out):
    for k in range(2):
        out[k] = 0.4 if features[0, min(step + 1, features.shape[1] - 1), k] > 0.0 else 0.0


def beyond_the_end(step, state, params, features, out):
    for k in range(2):
        out[k] = 0.4 if features[0, step + 1, k] > 0.0 else 0.0


def by_its_book(step, state, params, features, out):
    """Peek only once shares are held, which an empty book never does."""
    ahead = min(step + 1, features.shape[1] - 1)
    if state.shares[0] == 0.0:
        out[0] = 0.4
    else:
        out[0] = 0.3 if features[0, ahead, 0] > 0.0 else 0.5


def by_an_array_of_its_module(step, state, params, features, out):
    """The closes so far and the one after them, by decision: compiled, the array is a constant."""
    at = int(features[0, step, 0])
    for k in range(2):
        out[k] = 0.4 if ARRAY[min(at + 1, len(ARRAY) - 1), k] > ARRAY[at, k] else 0.0


def numbered(market, path):
    return np.repeat(np.maximum(np.cumsum(market.decision_steps) - 1, 0)[None, :, None], 2, axis=2) * 1.0


def paired(step, state, params, features, out):
    if state.shares[0] == 0.0 and features[0, step, 0] > 0.0:
        out[0] = 0.3
    elif state.shares[0] > 0.0 and features[0, step, 0] < 0.0:
        out[0], out[1] = 0.0, 1.0


def plan(decide, features=returns, **options):
    return ep.CompiledStrategy(decide, symbols=LINES, features=features, memory=1, **options)


@pytest.mark.parametrize(
    "decided",
    [
        plan(with_stop),
        plan(with_stop, every_step=True),
        ep.CompiledStrategy(paired, pairs=["BABA"], features=returns),
    ],
    ids=["stop", "every step", "pairs"],
)
def test_honest_decisions_pass(decided):
    assert check_causal(decided, MARKET, PATH, steps=range(50, 1000, 150)).ok


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        (plan(next_row), "features are missing after"),
        (plan(by_its_book), "features are missing after"),
        (plan(beyond_the_end), "an error where the market ends after"),
        (plan(with_stop, returns_filled_back), "of feature 0, column"),
        (plan(with_stop, z_scores), "of feature 0, column 0"),
        (plan(by_an_array_of_its_module, numbered), "of KWEB"),
        (plan(njit(by_an_array_of_its_module), numbered), "of KWEB"),
    ],
    ids=[
        *("next row", "next row once held", "beyond the end", "features filled back", "full sample"),
        *("an array", "an array, compiled"),
    ],
)
def test_decisions_that_see_later_rows_are_caught(decided, words):
    with pytest.raises(LookAheadError, match=f"CompiledStrategy looks ahead: .*{words}"):
        check_causal(decided, MARKET)


def failing(step, state, params, features, out):
    out[7] = 1.0


def test_a_decision_that_fails_is_no_pass():
    with pytest.raises(TargetError, match="CompiledStrategy fails in this market, wanting KWEB"):
        check_causal(plan(failing), MARKET)


# -- the check itself ----------------------------------------------------------------------------------------


def late(market):
    if len(market) < 700:
        raise ValueError("too short")
    return momentum(market)


def all_dates(market):
    frame = (CLOSES > 0) * 0.4
    return frame.set_axis(pd.DatetimeIndex(frame.index.to_numpy(), tz="UTC"))


@dataclass(frozen=True, eq=False)
class Slotted:
    """It keeps numbers in a plain array, which nothing can cut."""

    numbers: np.ndarray = field(default_factory=lambda: np.full(MARKET.price.shape, 0.1))

    def targets(self, market, path=None):
        return Targets(self.numbers)


def test_steps_at_which_it_fails_are_told_and_do_not_count():
    report = check_causal(strategy(late), MARKET, steps=[100, 300, 900, 1000])
    assert report.ok
    assert report.checked == (900, 1000)
    assert [step for step, _ in report.unusable] == [100, 300]
    assert "2 of 4 steps could not be checked, the first with ValueError: too short" in repr(report)
    with pytest.raises(LookAheadError, match=r"late was not checked: .* each of 2 of 2 steps it fails"):
        check_causal(strategy(late), MARKET, steps=[100, 300])


def test_what_keeps_an_answer_of_the_whole_length_is_not_passed():
    with pytest.raises(LookAheadError, match=r"Slotted was not checked: .* TargetError: weights has shape"):
        check_causal(Slotted(), MARKET)


def test_what_says_nothing_is_not_passed():
    with pytest.raises(LookAheadError, match="was not checked: it wants nothing in this market"):
        check_causal(LongHKShortADR(lookback=10_000), MARKET)
    report = check_causal(LongHKShortADR(lookback=10_000), MARKET, strict=False)
    assert report.silent
    assert not report.ok


def test_zeros_throughout_are_nothing_to_find_unless_their_times_look_ahead():
    def never(market):
        return closes(market) * 0.0

    report = check_causal(strategy(never), MARKET, strict=False)
    assert report.silent
    assert not report.ok
    assert report.first is None
    with pytest.raises(LookAheadError, match="was not checked: it wants nothing in this market"):
        check_causal(strategy(never), MARKET)

    def at_tops(market):
        return never(market).where(closes(market) == closes(market).max())

    assert check_causal(strategy(at_tops), MARKET, strict=False).first is not None


def test_what_answers_differently_when_asked_twice_is_refused():
    def noisy(market):
        return closes(market) * 0 + np.random.default_rng().random()

    with pytest.raises(TargetError, match="noisy says something else of KWEB when it is asked twice"):
        check_causal(strategy(noisy), MARKET)


def test_rounding_is_no_look_ahead():
    def matrix(market):
        close = closes(market)
        sums = np.array([close.to_numpy()[: i + 1].sum() for i in range(len(close))])
        noise = 1 + 1e-15 * len(market)
        return pd.DataFrame({"KWEB": sums / sums.max() * sums.max() / 1e6 * noise}, index=close.index)

    assert check_causal(strategy(matrix), MARKET).ok


def test_the_check_is_deterministic_and_looks_where_what_is_wanted_changes():
    plan = strategy(momentum)
    one, two = (check_causal(plan, MARKET, seed=3) for _ in range(2))
    assert one == two
    assert check_causal(plan, MARKET, seed=4).checked != one.checked
    wanted = plan.targets(MARKET).standing()[0]
    changed = 1 + np.flatnonzero((wanted[1:] != wanted[:-1]).any(axis=1))
    assert 16 < len(changed) < 100
    assert len(set(changed) & set(one.checked)) >= 8
    assert max(one.checked) - min(one.checked) > len(MARKET) / 2


def test_the_first_difference_is_told():
    """KWEB is wanted at the next close's sign: the row of the cut itself is the first that cannot know."""
    change = CLOSES["KWEB"].pct_change(fill_method=None).shift(-1).to_numpy()
    number = 50 + int(np.argmax(change[50:] > 0))
    step = int(decisions(MARKET)[number])
    report = check_causal(strategy(shifted), MARKET, steps=[step], strict=False)
    first = report.first
    assert (first.step, first.cut, first.time) == (step, step, MARKET.grid["time"][step])
    assert (first.line, first.made, first.honest) == ("KWEB", 0.4, 0.0)
    assert isinstance(report, CausalityReport)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: check_causal(3, MARKET), "check_causal was given 3: give a strategy"),
        (lambda: check_causal(LongHKShortADR, MARKET), "the class LongHKShortADR: give an instance"),
        (lambda: check_causal(lambda market: SCORES, MARKET), "a function: make a strategy of it"),
        (lambda: check_causal(SCORES, MARKET), "a frame of weights, of which nothing can be told"),
        (lambda: check_causal(QUICK, None), "was given None: give a market"),
        (lambda: check_causal(QUICK, MARKET, PATH.until(5)), "6 steps"),
        (lambda: check_causal(QUICK, MARKET, steps=[len(MARKET) - 1]), "steps holds 1.*: give whole"),
        (lambda: check_causal(QUICK, MARKET, steps=[0.5]), "steps holds 0.5"),
        (lambda: check_causal(QUICK, MARKET, steps=[]), "steps is empty"),
        (lambda: check_causal(QUICK, MARKET, steps=12), "steps is 12: give whole numbers from 0 to"),
        (lambda: check_causal(QUICK, MARKET, steps=np.array(12)), "steps is .*: give whole numbers"),
        (lambda: check_causal(QUICK, MARKET.until(0)), "the market has one step"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(call, words):
    with pytest.raises(ParameterError, match=words) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_what_writes_into_the_market_writes_into_a_copy():
    def fills(market):
        before = market.price.copy()
        market.price.bfill(inplace=True)  # noqa: PD002
        price = market.price
        price.iloc[:] = 1.0
        assert market.price.equals(before)
        return closes(market) * 0 + 0.4

    check_causal(strategy(fills), MARKET)


def test_what_looks_at_the_truth_is_refused():
    def told(market):
        return closes(market) * 0 + 0.1 + 0 * market.truth.threat.to_numpy().sum()

    def asks(market):
        return closes(market) * 0 + (0.1 if market.truth is None else 0.2)

    assert MARKET.truth is not None
    for function in (told, asks):  # one fails without it, the other says something else
        with pytest.raises(TargetError, match=r"reads market\.truth, which no real market has"):
            check_causal(strategy(function), MARKET)


def test_who_knows_which_lines_will_leave_is_caught():
    def avoids(market):
        return closes(market) * 0 + (0.1 if "BABA" in set(market.delistings["symbol"]) else 0.4)

    leaving = pd.DataFrame(
        [("BABA", pd.Timestamp("2025-10-01"), "9988.HK", 8.0)], columns=MARKET.delistings.columns
    ).astype(MARKET.delistings.dtypes)
    market = replace(MARKET, delistings=leaving)
    with pytest.raises(LookAheadError, match="where the future is another after step"):
        check_causal(strategy(avoids), market, steps=[300])
    assert check_causal(strategy(avoids), market, steps=[1000]).ok  # it has left by then


# -- what is cut ---------------------------------------------------------------------------------------------


def test_everything_dated_is_cut_and_the_rest_is_the_same_object():
    step = 500
    now, known_closes = pd.Timestamp(MARKET.times[step], tz="UTC"), int(MARKET.decision_steps[:501].sum())
    series, by_date = flows(), pd.Series(1.0, pd.date_range("2024-12-02", "2025-12-31"))
    numbered, features = pd.Series([1.0, 2.0]), np.ones((1, len(MARKET), 2))
    kept = {"market": MARKET, "parts": [PATH, (SCORES, series)], "events": EVENTS, "by date": by_date}
    kept |= {"numbered": numbered, "features": features, "n": 3, "whole": np.arange(len(CLOSES)), "q": QUICK}
    before, parts = dict(kept), list(kept["parts"])
    with as_known(kept, MARKET, step) as known:
        assert known is kept
        assert len(known["market"]) == len(known["parts"][0].time) == step + 1
        frame, flow = known["parts"][1]
        assert frame.index.max() <= now < SCORES.index.max()
        assert flow.known_at.max() <= now
        assert known["events"].frame["known_at"].max() <= now
        assert known["by date"].index.max() == MARKET.grid["session"][step]
        assert all(known[name] is before[name] for name in ("numbered", "n", "q"))
        assert np.isfinite(known["features"][0, :, 0]).sum() == step + 1
        assert (known["whole"] == np.arange(len(CLOSES))).sum() in (known_closes, known_closes + 1)
        known["new"] = 1
    assert kept == before
    assert kept["parts"] == parts
    assert np.isfinite(features).all()


def test_what_holds_itself_is_walked_once():
    ring = {"market": MARKET}
    ring["ring"] = ring
    with as_known(ring, MARKET, 10) as known:
        assert len(known["ring"]["market"]) == 11
    assert ring["market"] is MARKET


def test_a_carried_path_and_what_functions_read_are_cut_and_put_back():
    held = RegimeSwitch(PATH, calm=strategy(from_its_module), tariff=blend([(RegimeSwitch(PATH), 1.0)]))
    world = from_its_module.__globals__
    known = as_known(held, MARKET, 100)
    inside = known.__enter__()
    assert len(inside.path.time) == len(inside.tariff.path.time) == 101
    assert len(world["MARKET"]) == 101
    assert known.__exit__(ValueError, ValueError("it fails"), None) is False  # put back, and raised
    assert held.path is held.tariff.path is PATH
    assert world["MARKET"] is MARKET


def test_a_deque_is_walked_and_put_back():
    kept = deque([MARKET, 5], maxlen=2)
    with as_known(kept, MARKET, 200) as known:
        assert known is kept
        assert len(known[0]) == 201
        assert known[1] == 5
        kept.append(6)
    assert list(kept) == [MARKET, 5]
    assert kept[0] is MARKET
    assert kept.maxlen == 2


def test_caches_and_classes_are_as_they_were_afterwards():
    whole, plans = means(), [strategy(by_what_is_cached), Reader(of_class=True)]
    with as_known(plans, MARKET, 200):
        assert not means().equals(whole)
        assert len(Reader.kept) == 201
    assert means().equals(whole)
    assert Reader.kept is MARKET


def test_nothing_is_kept_from_one_question_to_the_next():
    learner = Learner()
    for plan in (strategy(by_what_a_dict_kept), strategy(by_what_a_module_kept), learner):
        with as_known(plan, MARKET, 200) as known:
            known.targets(MARKET.until(200))
    assert (MEMORY, MEAN, vars(learner)) == ({}, None, {})
