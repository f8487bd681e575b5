"""Everything public that tells things by time: how each is made and asked, and what is exempt and why."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from robustness.audit import Answer, Subject, Told, by_step, columns, nanos, of_ledger, of_targets
from robustness.futures import World, added

import entrepot as ep
from entrepot.markets.volume import daily_volatility, steps_sharing_a_session
from entrepot.regimes import observations
from entrepot.regimes.observations import on_steps

LINES = ["KWEB", "FXI"]
PAIRS = ["BABA", "9988.HK", "JD", "9618.HK", "NTES", "9999.HK"]
HONG_KONG = [
    "0700.HK",
    "1398.HK",
    "0941.HK",
    "0857.HK",
    "0883.HK",
    "1211.HK",
    "2828.HK",
    "3033.HK",
    "2318.HK",
]
FUNDS = [*LINES, "MCHI", "CQQQ", "CHIQ"]
SCHEDULE = ep.Schedule(every=60, least=120)
FITTED_TO = pd.Timestamp("2025-01-31")  # the rows that detectors asked for their filters are fitted on
LEARNT = 0.55  # part of the market that ends after that day


# -- the world -----------------------------------------------------------------------------------------------


def audited_world(folder: Path, start: str = "2024-07-01", end: str = "2025-08-29", seed: int = 7) -> World:
    """A simulated market with all that has dates: a split, a new ratio, a halt, a delisting, dividends.

    Args:
        folder: for the file of a news index.
        start: first session.
        end: last session.
        seed: of the market.
    """
    made = ep.simulate_market(start, end, seed=seed, symbols=[*PAIRS, *HONG_KONG, *FUNDS])
    assert made.truth is not None
    market, events = with_actions(made), ep.load_events()
    days = pd.bdate_range(market.grid["session"].min(), market.grid["session"].max())
    rng = np.random.default_rng(seed)
    news = folder / "news.csv"
    written = pd.DataFrame({"date": days.strftime("%Y-%m-%d"), "gpr": np.exp(rng.standard_normal(len(days)))})
    written.to_csv(news, index=False)
    words = np.array(["available", "available", "no_new", "recall"], dtype=object)
    weeks = days[::5]
    dated = {
        "borrow": pd.DataFrame(rng.uniform(0, 0.1, (len(weeks), 3)), weeks, ["BABA", "JD", "KWEB"]),
        "availability": pd.DataFrame(rng.choice(words, (len(weeks), 2)), weeks, ["JD", "KWEB"]),
        "rates": pd.DataFrame({"USD": rng.uniform(0, 0.05, len(weeks))}, weeks),
        "volume": pd.DataFrame({"BABA": rng.uniform(1e6, 2e6, len(weeks))}, weeks),
        "weights": pd.DataFrame(rng.uniform(0, 0.3, (len(weeks), 2)), weeks, LINES),
    }
    return World(
        market=market,
        events=events,
        path=ep.RegimeModel().walk_forward(market, events),
        series=made.truth.series,
        news=ep.load_news_index(news),
        dated=dated,
    )


def with_actions(market: ep.Market) -> ep.Market:
    """Put a split, a new ratio, a halt and a delisting into a market, and let all its lines be shorted."""
    days = market.grid["session"].drop_duplicates().sort_values().to_list()
    split, ratio, halt, last = (days[int(part * len(days))] for part in (0.62, 0.7, 0.78, 0.86))
    price, session = market.price.copy(), market.grid["session"]
    price.loc[(session >= split).to_numpy(), "0700.HK"] /= 2.0
    price.loc[(session >= ratio).to_numpy(), "JD"] *= 2.0
    price.loc[(session > last).to_numpy(), "NTES"] = np.nan
    per_ads = market.ratios.set_index("adr")["ordinary_per_ads"].groupby("adr").last()
    new = {"adr": "JD", "effective_from": ratio, "ordinary_per_ads": 2.0 * per_ads["JD"]}
    leaves = {"symbol": "NTES", "last_session": last, "into": "9999.HK", "ordinary_per_ads": per_ads["NTES"]}
    start = halt.tz_localize("UTC")
    kinds = market.instruments["kind"]
    return replace(
        market,
        price=price,
        splits=added(
            added(market.splits, {"symbol": "0700.HK", "ex_date": split, "factor": 2.0}),
            {"symbol": "JD", "ex_date": ratio, "factor": 0.5},
        ),
        ratios=added(market.ratios, new),
        halts=added(market.halts, {"symbol": "1211.HK", "start": start, "end": start + pd.Timedelta("6D")}),
        delistings=added(market.delistings, leaves),
        instruments=market.instruments.assign(shortable=kinds.isin(["ordinary", "ads", "etf"])),
    )


def hard_cuts(world: World) -> dict[str, int]:
    """Steps just where it is hard to say what is known, by what happens there."""
    market = world.market
    grid, time = market.grid, pd.DatetimeIndex(market.grid["time"])
    session, venue = grid["session"], grid["venue"]
    sessions = {name: set(session[venue == name]) for name in ("XHKG", "XNYS")}
    local = time.tz_convert("America/New_York")
    offset = np.array([moment.utcoffset().total_seconds() for moment in local])
    clocks = np.flatnonzero(np.diff(offset)) + 1
    known = pd.DatetimeIndex(world.events.frame["known_at"])
    inside = known[(known > time[len(time) // 3]) & (known < time[-20])]
    seen = [int(time.searchsorted(moment)) for moment in inside[:: max(len(inside) // 3, 1)]]
    leaving = market.delistings["last_session"].max()
    ex_dates = [market.splits["ex_date"].iloc[0], market.dividends["ex_date"].iloc[-2]]
    ex_dates.append(market.ratios["effective_from"].iloc[-1])
    ex_steps = [int(np.flatnonzero(session >= day)[0]) for day in ex_dates]
    hong_kong = np.flatnonzero((venue == "XHKG") & (grid["phase"] == "close"))
    places = {
        "between the venues' sessions of one date": int(hong_kong[len(hong_kong) // 2]),
        "New York trades and Hong Kong does not": int(
            np.flatnonzero((venue == "XNYS") & ~session.isin(sessions["XHKG"]))[-1]
        ),
        "Hong Kong trades and New York does not": int(
            np.flatnonzero((venue == "XHKG") & ~session.isin(sessions["XNYS"]))[-1]
        ),
        "the last step before the clocks change": int(clocks[-1]) - 1,
        "the first step after the clocks changed": int(clocks[-1]),
        "the last session of a line": int(np.flatnonzero(session == leaving)[-1]),
        "the step after the last session of a line": int(np.flatnonzero(session == leaving)[-1]) + 1,
        "a halt": int(time.searchsorted(pd.Timestamp(market.halts["start"].iloc[0]))),
        "the last step but one": len(market) - 2,
    }
    for number, step in enumerate(seen):
        places[f"the step before event {number} is known"] = step - 1
        places[f"the step at which event {number} is known"] = step
    for number, step in enumerate(ex_steps):
        places[f"the step before ex-date {number}"] = step - 1
        places[f"the first step of ex-date {number}"] = step
    fits = refits_of(world)["in_force_from"]
    closes = np.flatnonzero(market.decision_steps)
    for number, day in enumerate(fits.iloc[1:3]):
        step = int(closes[(session.iloc[closes] == day).to_numpy()][0])
        places[f"the step before refit {number}"] = step - 1
        places[f"the step of refit {number}"] = step
    return places


def refits_of(world: World) -> pd.DataFrame:
    """The fits of a detector in the world."""
    path = MODELS["jump"].walk_forward(world.market, world.events, progress=False)
    return path.refits["delisting"]


# -- strategies ----------------------------------------------------------------------------------------------

QUICK = ep.LongHKShortADR(lookback=20, entry=0.8)
SECTORS = ep.SectorRotation(lookback=20, top=1, rebalance=5)


@ep.strategy
def momentum(market, path, *, lookback=20):
    """Hold what rose, less of it under a threat."""
    close = market.price.loc[market.decision_steps, LINES]
    rose = close.ffill().pct_change(lookback, fill_method=None) > 0
    calm = path.states[market.decision_steps] == 0
    return rose * np.where(calm, 0.4, 0.2)[:, None]


def past_returns(market, path, days):
    """Returns over some steps, for the compiled strategy."""
    return market.price[LINES].ffill().pct_change(int(days) * 4).to_numpy()[None]


def with_stop(step, state, params, features, out):
    """Hold what rose, until equity has fallen by a tenth from its height."""
    state.memory[0] = max(state.memory[0], state.equity)
    for k in range(2):
        held = state.shares[k] != 0.0
        wanted = features[0, step, k] > 0.0 and state.equity > 0.9 * state.memory[0]
        if wanted != held:
            out[k] = 0.4 if wanted else 0.0


COMPILED = ep.CompiledStrategy(
    with_stop, symbols=LINES, parameters={"days": 5}, features=past_returns, shared=["days"], memory=1
)


def labels(market, path):
    """A label by session: which of two funds did better over a month."""
    close = market.price.loc[market.decision_steps, LINES].ffill()
    month = close.pct_change(20, fill_method=None)
    return (month[LINES[0]] > month[LINES[1]]).rename("better")


def own_weights(world: World) -> pd.DataFrame:
    """A frame of weights, of the sessions that the market has."""
    weights = world.dated["weights"]
    return weights[weights.index.isin(world.market.grid["session"])]


STRATEGIES: dict[str, tuple[str, Callable[[World], object]]] = {
    "convergence": ("LongHKShortADR", lambda w: QUICK),
    "convergence, sized by volatility and converted": (
        "LongHKShortADR",
        lambda w: QUICK.with_(exit_by="cheapest", entry=0.5),
    ),
    "delisting hedge": ("LongHKShortADR", lambda w: QUICK.with_(mode="delisting_hedge")),
    "relief reversal": ("LongHKShortADR", lambda w: QUICK.with_(mode="relief_reversal")),
    "sector momentum": ("SectorRotation", lambda w: SECTORS),
    "sector volatility": (
        "SectorRotation",
        lambda w: SECTORS.with_(
            universe="hk", rule="low_volatility", short=1, weighting="inverse_volatility"
        ),
    ),
    "sectors by a map": ("SectorRotation", lambda w: SECTORS.with_(universe="hk", sectors=w.sectors)),
    "index pair": ("IndexPair", lambda w: ep.IndexPair(lookback=40, rebalance=5)),
    "themes": (
        "ThemeRotation",
        lambda w: ep.ThemeRotation(lookback=40, rebalance=5, sizing="inverse_volatility"),
    ),
    "tariff rotation": ("TariffRotation", lambda w: ep.TariffRotation(lookback=40, rebalance=5)),
    "stimulus": ("StimulusBasket", lambda w: ep.StimulusBasket(w.events, severity=1, exit_severity=1)),
    "sanctions": (
        "SanctionsDiscount",
        lambda w: ep.SanctionsDiscount(
            w.series["ah_premium"], w.events, entry=0.5, lookback=40, against="2828.HK"
        ),
    ),
    "A+H, z-scores": (
        "AHDiscount",
        lambda w: ep.AHDiscount(w.series["ah_premium"], rank_by="zscore", lookback=40, rebalance=5, top=1),
    ),
    "valuation": (
        "ValuationGap",
        lambda w: ep.ValuationGap(
            w.series["forward_pe"], years=0.5, least=3, gap=0.0, trend_window=20, rebalance=5
        ),
    ),
    "southbound": (
        "SouthboundFlow",
        lambda w: ep.SouthboundFlow(w.series["southbound"], trend_window=20, rebalance=5, short=True, top=2),
    ),
    "custody": (
        "CustodyShift",
        lambda w: ep.CustodyShift(w.series["custody"], window=20, history=40, rebalance=5),
    ),
    "custody across names": (
        "CustodyShift",
        lambda w: ep.CustodyShift(w.series["custody"], window=20, scale="cross", rebalance=5),
    ),
    "listing breadth": (
        "ListingBreadth",
        lambda w: ep.ListingBreadth(w.series["ipo_proceeds"], recent=1, history=4),
    ),
    "regime switch": (
        "RegimeSwitch",
        lambda w: ep.RegimeSwitch(w.path, calm=QUICK, tariff=SECTORS, delisting=QUICK, decoupling=SECTORS),
    ),
    "regime switch by probability": (
        "RegimeSwitch",
        lambda w: ep.RegimeSwitch(
            w.path, calm=QUICK, tariff=SECTORS, decoupling=SECTORS, weighting="probability"
        ),
    ),
    "switch": ("switch", lambda w: ep.switch(labels, {True: QUICK, False: SECTORS})),
    "switch by regime": (
        "switch",
        lambda w: ep.switch("regime", dict.fromkeys(w.path.names, QUICK) | {"tariff": None}),
    ),
    "blend": ("blend", lambda w: ep.blend([(QUICK, 0.5), (own_weights(w), 0.3), (SECTORS, 0.2)])),
    "scaled to volatility": (
        "scale_to_volatility",
        lambda w: ep.scale_to_volatility(ep.blend([(QUICK, 0.5), (SECTORS, 0.5)]), lookback=30),
    ),
    "neutralised": ("neutralise", lambda w: ep.neutralise(SECTORS, against="FXI", lookback=40)),
    "scaled by regime": ("scale_by_regime", lambda w: ep.scale_by_regime(SECTORS, {"decoupling": 0.3})),
    "capped": ("cap", lambda w: ep.cap(ep.blend([(QUICK, 0.5), (SECTORS, 0.5)]), name=0.2, gross=0.6)),
    "limited to volume": ("limit_to_volume", lambda w: ep.limit_to_volume(SECTORS, 1e9, participation=0.01)),
    "function": ("strategy", lambda w: momentum),
    "frame": ("Targets", lambda w: ep.blend([(own_weights(w), 1.0)])),
}


def wanted(make: Callable[[World], object], world: World) -> Answer:
    """What a strategy wants."""
    return of_targets(world, make(world).targets(world.market, world.path))  # type: ignore[attr-defined]


def strategies() -> Iterator[Subject]:
    """Strategies, compositions and the press's trades."""
    for name, (public, make) in STRATEGIES.items():
        covers = (public, "strategy") if public == "strategy" else (public,)
        yield Subject(f"strategy: {name}", partial(wanted, make), covers)
    for trade in ep.PRESS_TRADES:

        def make(world: World, trade: ep.PressTrade = trade) -> object:
            return trade.make(world.events, world.series)

        yield Subject(
            f"press: {trade.name}",
            partial(wanted, make),
            ("PRESS_TRADES", "PressTrade", "press_trades"),
            silent=True,
        )


# -- whole runs ----------------------------------------------------------------------------------------------


def dear(world: World) -> ep.Costs:
    """Costs with everything that is dated, learnt from the market or triggered by it."""
    return ep.Costs(
        borrow_rate_pa=world.dated["borrow"],
        availability=world.dated["availability"],
        cash_rate_pa={"USD": world.dated["rates"]["USD"]},
        max_fill_shares=ep.share_of_volume(world.market, 0.05),
        impact=1.0,
        impact_volume=world.dated["volume"],
        impact_sessions=10,
        short_sale_rules=True,
        recall_states=frozenset({3}),
        stress_states=frozenset({2, 3}),
        margin=ep.Margin.retail(),
        fx_conversion="daily",
        debit_spread_pa=0.01,
    )


def run(make: Callable[[World], object], costs: Callable[[World], ep.Costs], world: World) -> Answer:
    """The ledger of a whole backtest."""
    result = ep.backtest(
        world.market,
        make(world),
        path=world.path,
        capital=50_000_000.0,
        costs=costs(world),  # type: ignore[arg-type]
    )
    answer = dict(of_ledger(result))
    at = (
        result.blotter["time"]
        if "time" in result.blotter
        else result.market.price.index[result.blotter["step"]]
    )
    answer |= columns(result.blotter, at, "blotter")
    decided = world.market.grid[world.market.decision_steps].set_index("session")["time"]
    answer |= columns(result.excess_returns, decided.reindex(result.excess_returns.index), "excess")
    return answer


def plain(world: World) -> ep.Costs:
    """The default costs."""
    return ep.Costs()


def leaving(world: World) -> ep.Costs:
    """What leaves is kept at parity, and shorts in it are bought in."""
    return ep.Costs(delisting="mark", delisted_shorts="buy_in", margin=ep.Margin.retail())


def batched(world: World) -> Answer:
    """The equity of a batch of plans."""
    market = world.market
    columns_ = [market.column(symbol) for symbol in LINES]
    close = market.price[LINES].ffill().to_numpy()
    weights = np.full((2, *market.price.shape), np.nan)
    for k, days in enumerate((5, 20)):
        rose = close[days * 4 :] > close[: len(close) - days * 4]
        weights[k, days * 4 :, columns_] = np.where(
            rose & market.decision_steps[days * 4 :, None], 0.3, np.nan
        ).T
    return by_step(world, equity=ep.backtest_batch(market, weights, fee_bps=5))


RUNS: dict[str, tuple[Callable[[World], object], Callable[[World], ep.Costs], tuple[str, ...]]] = {
    "pairs at every cost": (
        lambda w: ep.blend([(QUICK, 2.5), (SECTORS.with_(short=1), 0.8)]),
        dear,
        ("Costs", "Fee", "Margin"),
    ),
    "a compiled strategy": (lambda w: COMPILED, dear, ("CompiledStrategy", "Decision")),
    "pairs that leave": (lambda w: QUICK.with_(mode="delisting_hedge"), leaving, ()),
    "a switch": (STRATEGIES["regime switch"][1], plain, ()),
}


def runs() -> Iterator[Subject]:
    """Whole backtests: the engine itself must not see what comes."""
    for name, (make, costs, covers) in RUNS.items():
        yield Subject(f"run: {name}", partial(run, make, costs), ("backtest", "Result", *covers))
    yield Subject("run: a batch", batched, ("backtest_batch",))
    yield Subject("run: choices walked forward", walked_choice, ("sweep", "Sweep", "WalkForwardChoice"))


def every_run() -> Iterator[Subject]:
    """The runs, and a run of every strategy at the default costs."""
    yield from runs()
    for name, (_, make) in STRATEGIES.items():
        yield Subject(f"run of {name}", partial(run, make, plain))


def walked_choice(world: World) -> Answer:
    """What was chosen of a sweep, and when."""
    plan = ep.blend([(QUICK, 0.5), (momentum, 0.5)])
    swept = ep.sweep(world.market, plan, {"1.lookback": [5, 20, 40]}, path=world.path, progress=False)
    choice = swept.walk_forward(train=60, test=15)
    decided = world.market.grid[world.market.decision_steps].set_index("session")["time"]
    # The first return of a window is known at the end of its first session; the choice, before it began.
    table = choice.table[["From", "Configuration", "In Sample"]]
    answer = dict(columns(table, decided.reindex(table["From"]), "chosen"))
    answer |= columns(choice.returns, decided.reindex(choice.returns.index), "held")
    curves = swept.equity()
    ends = curves.index if curves.index.tz is not None else decided.reindex(curves.index)
    return answer | columns(curves, ends, "equity of")


# -- detectors and paths -------------------------------------------------------------------------------------


class Smoothed(ep.ProbabilityDetector):
    """A detector of one's own: how large the moves of late are beside those it was fitted on."""

    def fit(self, y, intensity=None, previous=None):
        """Learn the usual size of a move."""
        self.usual_ = float(np.nanstd(np.asarray(y, dtype=float)))
        return self

    def filter(self, y, intensity=None):
        """Chances of calm and of stress."""
        moves = (
            pd.Series(np.abs(np.asarray(y, dtype=float)) / self.usual_).ewm(span=5).mean().ffill().fillna(0.0)
        )
        stress = moves.clip(0, 2).to_numpy() / 2
        return np.column_stack([1 - stress, stress])

    def update(self, y, intensity=None):
        """Chances after one more row."""
        return self.filter([y])[-1]


DETECTORS: dict[str, Callable[[], ep.Detector]] = {
    "MarkovDetector": lambda: ep.MarkovDetector(),
    "JumpDetector": lambda: ep.JumpDetector(penalty=5.0),
    "ChangePointDetector": lambda: ep.ChangePointDetector(),
    "ProbabilityDetector": lambda: Smoothed(),
}

MODELS = {
    "threshold": ep.RegimeModel(),
    "markov": ep.RegimeModel(tariff=ep.MarkovDetector(), schedule=SCHEDULE),
    "markov, rolling, without events": ep.RegimeModel(
        delisting=ep.MarkovDetector(), schedule=replace(SCHEDULE, window=130), event_driven=False
    ),
    "jump": ep.RegimeModel(delisting=ep.JumpDetector(penalty=5.0), schedule=SCHEDULE),
    "change point": ep.RegimeModel(tariff=ep.ChangePointDetector(), schedule=SCHEDULE),
    "one's own": ep.RegimeModel(delisting=Smoothed(), schedule=SCHEDULE, event_driven=False),
}


def filtered(make: Callable[[], ep.Detector], world: World) -> Answer:
    """What a detector says that was fitted before the cut, and whether it is on."""
    model = ep.RegimeModel(tariff=ep.MarkovDetector(), schedule=SCHEDULE)
    frame, y, x = model.rows_of("tariff", world.market, world.events)
    assert x is not None
    stop = frame.index.searchsorted(FITTED_TO)
    detector = make().fit(y[:stop], x[:stop])
    said = detector.filter(y, x)
    at = nanos(frame["known_at"])
    on = detector.switch(said[:, -1], x, np.arange(len(y), dtype=float))
    answer = {"probability": Told(at, said), "on": Told(at, on)}
    for name in ("predict", "log_scores", "run_length"):
        if hasattr(detector, name):
            told = getattr(detector, name)(y, x)
            parts = told if isinstance(told, tuple) else (told,)
            answer |= {f"{name} {k}": Told(at, np.asarray(part)) for k, part in enumerate(parts)}
    return answer


def thresholds(world: World) -> Answer:
    """The threshold detector, fed by the intensities of its own channels."""
    detector = ep.ThresholdDetector()
    sides = world.events.intensity(world.market.grid, channels="tariff").to_numpy()
    score = detector.filter(None, sides)
    on = detector.switch(score[:, -1], sides, world.market.session_count)
    return by_step(world, score=score, on=on)


def walked(model: ep.RegimeModel, world: World) -> Answer:
    """The path of a model, its rows and its fits."""
    path = model.walk_forward(world.market, world.events, progress=False)
    answer = dict(
        by_step(
            world,
            states=path.states,
            probabilities=path.probabilities.to_numpy(),
            intensity=path.intensity.to_numpy(),
            count=path.session_count,
            regime=path.regime.to_numpy(),
        )
    )
    begun = path.episodes()[["start", "regime"]]
    answer |= columns(begun, begun["start"], "episode")
    for risk in path.rows:
        answer |= columns(path.rows[risk], path.rows[risk]["known_at"], f"rows of {risk}")
        answer |= columns(path.refits[risk], path.refits[risk]["known_at"], f"fits of {risk}")
    return answer


def detectors() -> Iterator[Subject]:
    """Detectors, fitted before and refitted on a schedule, and paths."""
    yield Subject("detector: ThresholdDetector", thresholds, ("ThresholdDetector", "Detector"))
    for name, make in DETECTORS.items():
        yield Subject(f"detector: {name}", partial(filtered, make), (name,), learns_until=LEARNT)
    for name, model in MODELS.items():
        covers = ("RegimeModel", "RegimePath", "Schedule")
        yield Subject(f"path: {name}", partial(walked, model), covers)


# -- signals and observations --------------------------------------------------------------------------------


def of_events(world: World) -> Answer:
    """Intensities and agendas of events."""
    events, grid = world.events, world.market.grid
    told = {
        "intensity": events.intensity(grid),
        "severity": events.intensity(grid, half_life=5, marks="severity", channels="tariff"),
        "hawkes": events.intensity(grid, hawkes=ep.Hawkes(0.02, 0.5)),
        "scheduled": events.scheduled(grid),
        "next": events.next_scheduled(grid),
    }
    return {name: Told(world.market.times, frame.to_numpy()) for name, frame in told.items()}


def levels_at(world: World) -> Answer:
    """Tariff levels in force."""
    names = [*ep.load_tariff_levels().series, "us", "us_headline"]
    names = [name for name in names if name in (*world.levels.series, "us", "us_headline")]
    told = world.levels.level(world.market.grid, names)
    return columns(told, told.index, "level", 0.0)


def news_at(world: World) -> Answer:
    """The newest value of an index of news."""
    assert world.news is not None
    return by_step(world, news=world.news.at(world.market.grid).to_numpy())


def series_at(world: World) -> Answer:
    """The latest values of all series, their ages and rows."""
    steps = np.arange(len(world.market))
    answer: dict[str, Told] = {}
    for name, series in world.series.items():
        value, age = series.latest(world.market, steps)
        answer |= by_step(world, **{f"{name} value": value, f"{name} age": age})
        answer |= by_step(world, **{f"{name} row": series.row_at(world.market, steps)})
    return answer


def premia(world: World) -> Answer:
    """Premia of all pairs in all alignments, with what they are made of."""
    answer: dict[str, Told] = {}
    for align in ("same_date", "next_hk", "hk_open", "us_open"):
        for adr in world.market.pairs.index:
            detail = ep.premium(world.market, adr, align=align, detail=True)  # type: ignore[call-overload]
            order = np.argsort(nanos(detail["known_at"]), kind="stable")
            answer |= columns(detail.iloc[order], detail["known_at"].iloc[order], f"{align} {adr}")
    return answer


def volumes(world: World) -> Answer:
    """Usual volumes, volatilities, and what may be traded on each date."""
    market = world.market
    answer = by_step(
        world,
        volume=ep.average_volume(market, 10).to_numpy(),
        volatility=daily_volatility(market, 10).to_numpy(),
    )
    share = ep.share_of_volume(market, 0.1, 10)
    return {**answer, "share": Told(nanos(share.index), share.to_numpy())}


def monitored(world: World) -> Answer:
    """The discount monitor's frames, its signal and its alerts as they were given."""
    monitor = ep.discount_monitor(
        world.market, smooth=3, lookback=20, window=60, percentile=0.1, alert_median=-0.001
    )
    known, answer = monitor.known_at, {}
    for name in ("premium", "watched", "zscore", "percentile", "level", "median", "names"):
        answer |= columns(getattr(monitor, name), known, name)
    signal = monitor.signal()
    answer |= columns(signal, signal.index, "signal")
    answer |= columns(monitor.known, monitor.known.index, "known")
    given = monitor.alerts[["known_at", "session", "kind", "name", "premium", "level"]]
    return answer | columns(given, given["known_at"], "alert")


def watched_on_the_day(world: World) -> Answer:
    """The monitor's table and measures of the sessions up to each of a few, asked on the day."""
    monitor = ep.discount_monitor(world.market, lookback=20, window=60)
    known = monitor.known_at.dropna()
    days = [day for day in known.index[60::45] if day in known.index]
    tables = [monitor.table(day).astype(str).to_numpy().ravel().tolist() for day in days]
    adr = str(monitor.premium.columns[0])
    weeks = [str(monitor.week(adr, day).to_list()) for day in days]
    at = nanos(known[days])
    told = {"table": tables, "week": weeks}
    return {name: Told(at, np.array([str(row) for row in rows], dtype=object)) for name, rows in told.items()}


def market_itself(world: World) -> Answer:
    """What the market itself tells by step."""
    market = world.market
    names = (
        "prices",
        "printed",
        "tradable",
        "halted",
        "estimated",
        "scheduled",
        "session_count",
        "decision_steps",
    )
    answer = by_step(world, **{name: getattr(market, name) for name in names})
    more = {"fx": market.fx, "fx_age_days": market.fx_age_days, "ordinary_per_ads": market.ordinary_per_ads}
    answer |= by_step(world, **{name: frame.to_numpy() for name, frame in more.items()})
    assert market.volume is not None
    shared = steps_sharing_a_session(market)
    return {
        **answer,
        "volume": Told(market.times, market.volume.to_numpy()),
        "shared": Told(nanos(shared.index), shared.to_numpy()),
    }


def sectors_at(world: World) -> Answer:
    """The sectors of the map on every session, and the exposures of a few lines."""
    market = world.market
    codes, names = world.sectors.of(market, overrule=True)
    words = np.append(np.array(names, dtype=object), "")[codes]
    days = market.grid["session"].drop_duplicates().sort_values()[::20]
    answer = {"sector": Told(market.times, words)}
    at = nanos(days)
    listed = [str(world.sectors.at(day).sort_index().to_dict()) for day in days]
    exposed = [str(world.sectors.exposure(HONG_KONG, day).to_list()) for day in days]
    answer["listed"] = Told(at, np.array(listed, dtype=object))
    return answer | {"exposure": Told(at, np.array(exposed, dtype=object))}


def listed_at(world: World) -> Answer:
    """Ratios and listing statuses by the date they are asked for."""
    days = world.market.grid["session"].drop_duplicates().sort_values()[::30]
    answer = {}
    for adr in world.market.pairs.index:
        ratio = [world.listings.ratio(adr, day) for day in days]
        status = [world.listings.hk_status(adr, day) for day in days]
        answer[f"ratio of {adr}"] = Told(nanos(days), np.array(ratio))
        answer[f"status of {adr}"] = Told(nanos(days), np.array(status, dtype=object))
    return answer


def stressed(world: World) -> Answer:
    """Prices and rates of a market whose peg breaks on a date."""
    sessions = world.market.grid["session"]
    day = sessions.iloc[300]
    broken = ep.peg_stress(world.market, day, 9.0, pass_through=0.5)
    return by_step(world, prices=broken.prices, fx=broken.fx.to_numpy())


OBSERVATIONS: dict[str, Callable[[ep.Market], pd.DataFrame]] = {
    "parity_gap": observations.parity_gap,
    "parity_gap, dispersion": partial(observations.parity_gap, statistic="dispersion", span=1, log=True),
    "parity_gap, widening": partial(observations.parity_gap, statistic="widening", align="same_date"),
    "hk_minus_adr": observations.hk_minus_adr,
    "hk_minus_adr, mean": partial(observations.hk_minus_adr, average="mean", min_pairs=1),
    "sector_dispersion": observations.sector_dispersion,
    "sector_dispersion, hk": partial(observations.sector_dispersion, universe="hk", log=True),
    "basket_return": observations.basket_return,
    "basket_return, hk": partial(observations.basket_return, symbols=["0700.HK", "1211.HK"]),
    "realised_volatility": partial(observations.realised_volatility, window=10),
}


def observed(make: Callable[[ep.Market], pd.DataFrame], world: World) -> Answer:
    """The rows of an observation, and what is carried to the steps."""
    rows = make(world.market)
    carried = on_steps(rows, rows["value"], world.market.grid)
    return {**columns(rows, rows["known_at"]), **by_step(world, carried=carried)}


def signals() -> Iterator[Subject]:
    """Signals, observations, and tables that are asked by date."""
    yield Subject("signal: intensities", of_events, ("Events", "Hawkes", "load_events"))
    yield Subject("signal: tariff levels", levels_at, ("TariffLevels", "load_tariff_levels"))
    yield Subject("signal: news index", news_at, ("NewsIndex", "load_news_index"))
    yield Subject("signal: series", series_at, ("KnownSeries", "load_series"))
    yield Subject("signal: premium", premia, ("premium",))
    yield Subject("signal: volumes", volumes, ("average_volume", "share_of_volume"))
    yield Subject("signal: discount monitor", monitored, ("discount_monitor", "DiscountMonitor"))
    yield Subject("signal: discount monitor's table", watched_on_the_day, ("discount_monitor",))
    yield Subject("signal: market", market_itself, ("Market",))
    yield Subject("signal: sectors", sectors_at, ("SectorMap", "load_sectors"))
    yield Subject("signal: listings", listed_at, ("Listings", "load_listings"))
    yield Subject("signal: peg stress", stressed, ("peg_stress",), learns_until=0.3)
    for name, make in OBSERVATIONS.items():
        covers = (f"observations.{name.split(',')[0]}", "observations.on_steps")
        yield Subject(f"observation: {name}", partial(observed, make), covers)


def all_subjects() -> list[Subject]:
    """Everything that is audited."""
    return [*strategies(), *runs(), *detectors(), *signals()]


# -- what is not audited, and why ----------------------------------------------------------------------------

_BY_REASON = {
    "an error": "DataError EntrepotError ParameterError TargetError LookAheadError",
    "describes a whole run or sample on purpose, after the fact": (
        "capacity Comparison compare_trades Significance EventStudy event_study SwitchingValue "
        "switching_value SideBySide compare_results comparison_report fill_timing Overfitting overfitting "
        "Superiority superior_ability DataCheck check_data"
    ),
    "a statistic of numbers that it is handed, without dates": (
        "Moments deflated_sharpe independent_trials luckiest_sharpe minimum_track_record most_trials "
        "probabilistic_sharpe sharpe_odds"
    ),
    "shows on purpose what hindsight would have earned": "LookAheadGap look_ahead_gap",
    "a picture of what was told": "draw_regimes",
    "writes or reads results that exist": "Export read_export",
    "reads files as they are; what is read is cut by Market.until": "load_market download",
    "draws a world; its truth is for judging, and check_causal refuses a strategy that reads it": (
        "simulate_market Effects Truth"
    ),
    "the check itself": "check_causal CausalityReport",
    "the form of a strategy; every strategy is audited": "Strategy",
    "lists with the day from which each may be used; audited through ThemeRotation": "load_themes",
    "a table without dates, read by SectorRotation": "strategies.load_tilts",
}
EXEMPT = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}


def public_names() -> list[str]:
    """All that a user can reach: the package's names, those of the strategies, and the observations."""
    import entrepot.strategies as room

    found = list(ep.__all__)
    found += [f"strategies.{name}" for name in room.__all__ if name not in ep.__all__]
    own = inspect.getmembers(observations, inspect.isfunction)
    found += [
        f"observations.{name}"
        for name, function in own
        if not name.startswith("_") and function.__module__ == observations.__name__
    ]
    return found


# What the classes that tell things by time offer: what of it the subjects ask, and why not of the rest.
MEMBERS: dict[type, tuple[str, dict[str, str]]] = {
    ep.Market: (
        "decision_steps estimated fx fx_age_days halted ordinary_per_ads printed prices scheduled "
        "session_count tradable volume",
        {
            "of the grid or the lines, without a time of their own": (
                "column currencies label notes pairs schedule symbols times venue_of_step"
            ),
            "compared by itself, after every cut": "until",
            "cut as until is": "between",
            "makes a market": "from_prices",
            "of a simulated market, to judge by": "truth",
        },
    ),
    ep.Events: (
        "intensity known_by next_scheduled scheduled frame",
        {"keeps or leaves out rows that are given": "merge save where without"},
    ),
    ep.KnownSeries: (
        "array dates latest only row_at symbols",
        {
            "cut by known_at, as row_at reads it": "until",
            "columns, or a function of one's own": "derived for_symbols",
        },
    ),
    ep.TariffLevels: ("level series frame", {}),
    ep.NewsIndex: ("at", {}),
    ep.RegimePath: (
        "episodes regime",
        {
            "makes a path": "from_detectors",
            "cut at a step": "until",
            "words about the whole path": "caveat",
            "names": "names stressed",
        },
    ),
    ep.RegimeModel: (
        "rows_of walk_forward",
        {
            "parameters": (
                "marks event_driven tariff_observation delisting_observation tariff_covariates "
                "delisting_covariates"
            ),
            "also for smoothers, which look ahead on purpose": "assemble",
        },
    ),
    ep.SectorMap: ("at exposure of", {"rows by line, not by time": "history"}),
    ep.Listings: (
        "ratio hk_status",
        {
            "today's registry, row by row": (
                "adr_of_line by_adr by_company by_hk delistings rows_by_adr rows_by_symbol symbols"
            ),
            "keeps, compares or writes rows": "equals merge save without",
        },
    ),
    ep.DiscountMonitor: (
        "known signal table week",
        {"a picture": "plot", "a row of the table": "widest_since"},
    ),
    ep.WalkForwardChoice: (
        "",
        {
            "describes all windows, after the fact": (
                "changes charged_sharpe efficiency hindsight_sharpe interval sharpe"
            )
        },
    ),
}


def members(kind: type) -> set[str]:
    """The public names of a class."""
    return {name for name in dir(kind) if not name.startswith("_")}
