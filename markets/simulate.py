"""A market drawn from a seed: real names, lots, ratios and calendars, and prices that never traded.

Company c has one efficient log price e_c, in HKD per ordinary share of today, moving at the steps t of both
venues. With q_t the share of a day's variance in the segment that ends at t, s_c the annual volatility, and
independent standard normal F (market), S (sector), I (company),

    e_c,t = e_c,t-1 + v_c,t (a_c F_t + b_c S_t + sqrt(1 - a_c^2 - b_c^2) I_c,t) - v_c,t^2 / 2
            + RISK_PRICE a_c s_c q_t / 252 + J_c,t
    v_c,t = s_c sqrt(q_t / 252) exp(z_t - var z)         z: log-volatility of all, AR(1)
    J_c,t = sum of effect * direction * severity over the events known between t-1 and t

so that exp(e) earns the risk premium and the surprises. A venue prints what is efficient at its own moment:
the same-date premium is half overnight news, as in life.

    HK line   log P = e_c,t + noise
    ADS       log P = e_c,t + noise + p_c,t + log(ordinary per ADS / usdhkd)
    premium   p_c,t = PREMIUM_MEAN + x_c,t + D_t         x: AR(1), partly common

An escalation of delisting or investment restriction with mark m adds -m (2^(-k/15) - 2^(-k/3)) to D, k New
York sessions after it was known: a discount deepest, 0.53 m, after nine sessions, that closes over weeks.
Each draw comes from its own stream, named by purpose and company, so what is simulated up to a date depends
neither on the end, nor on later events, nor on which other symbols or phases are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.fees import half_tick
from entrepot.markets.instruments import describe
from entrepot.markets.listings import load_listings
from entrepot.markets.market import INSTRUMENT_COLUMNS, Market, empty_table
from entrepot.markets.sessions import build_grid, check_date, check_phases, session_clock

Floats = NDArray[np.float64]
Dividend = tuple[pd.Timestamp, str, pd.Timestamp, float]  # ex-date, symbol, pay date, amount

# Share of a day's variance by the step that ends the segment: Hong Kong's open and close, New York's open and
# close. From eight real pairs, 2020 to 2025; names without a New York line move 60 % while Hong Kong trades.
# The segments of a holiday do not occur: a day with one venue shut is a quieter day.
DUAL_SHARES, HOME_SHARES = (0.13, 0.36, 0.15, 0.36), (0.12, 0.60, 0.12, 0.16)
STEPS_A_DAY: Final = 4

# Half-lives are in sessions.
RISK_PRICE: Final = 0.3  # annual Sharpe ratio of the market factor
VOLATILITY_SD, VOLATILITY_HALF_LIFE = 0.50, 20.0  # of log-volatility
NOISE_OPEN, NOISE_CLOSE = 0.0025, 0.0012  # sd of one print
PREMIUM_MEAN, PREMIUM_SD, PREMIUM_HALF_LIFE = -0.001, 0.0065, 1.5
PREMIUM_COMMON: Final = 0.4  # share of the variance of x that is common to all pairs
STRESS_RISE, STRESS_DECAY = 3.0, 15.0
# USDHKD = 7.80 + 0.05 tanh(y), y an AR(1) by fixing: the rate lingers near both ends of its band.
FX_MIDDLE, FX_HALF_WIDTH, FX_SD, FX_HALF_LIFE = 7.80, 0.0499, 1.2, 115.0
DIVIDEND_DAY: Final = 5  # ex on the first session of the venue from this day on: a day apart around 5 April
PAY_LAG: Final = {"XHKG": pd.Timedelta(days=21), "XNYS": pd.Timedelta(days=30)}


class Channel(NamedTuple):
    """What one point of severity does, and how often events of the channel are drawn."""

    price: float  # log return on an escalation, of a name with 50 % volatility and beta 1
    premium: float  # -m, the mark of an escalation on the log premium
    betas: tuple[float, ...]  # by sector, as FACTORS
    calm: float  # chance of an escalation on a calm day
    relief: float  # reliefs per escalation


# Sized on the bundled calendar: its events move a name of beta 1 by about -40 % in eight years and hold the
# mean premium of 2021 and 2022 near -0.4 %, as on the real pairs (-0.45 %).
FACTORS: Final = ("internet", "consumer", "auto", "technology", "state")
CHANNELS: Final = {
    "tariff": Channel(-0.0025, 0.0, (0.8, 1.0, 1.3, 1.5, 0.4), 0.008, 0.65),
    "delisting": Channel(-0.0030, -0.0017, (1.2, 1.1, 1.2, 0.7, 0.5), 0.003, 0.35),
    "investment_restriction": Channel(-0.0025, -0.0017, (1.0, 0.6, 0.8, 1.3, 1.3), 0.003, 0.15),
    "export_control": Channel(-0.0015, 0.0, (0.5, 0.3, 0.8, 2.0, 0.3), 0.003, 0.20),
    "sanction": Channel(-0.0010, 0.0, (0.3, 0.3, 0.3, 1.0, 1.5), 0.003, 0.30),
    "policy_support": Channel(-0.0040, 0.0, (1.2, 1.1, 1.0, 0.8, 0.6), 0.002, 2.50),
}
EVENT_COLUMNS: Final = ["known_at", "channel", "direction", "severity"]
# Drawn events come in episodes: mean days until one begins and until it ends, and how much busier it is.
CALM_DAYS, STRESS_DAYS, STRESS_BUSIER = 500.0, 150.0, 8.0
SEVERITY_CHANCES: Final = (0.08, 0.37, 0.30, 0.22, 0.03)  # of severities 1 to 5, as in the bundled calendar


class Issuer(NamedTuple):
    """One price process and the lines that show it; names, lots, ratios and dates are the registry's."""

    adr: str  # ADS or fund, "" for none
    hk: str  # "" for none
    factor: str
    level: float  # on the first day: HKD per ordinary share of today, USD per share of a fund
    volatility: float  # annual
    market: float  # correlation with F
    sector: float  # correlation with S
    payout: float = 0.0  # dividends of a year, fraction of the price
    months: tuple[int, ...] = ()  # of the ex-dates


# Levels are round numbers of the right size for 2018 or the listing. Volatilities and correlations follow the
# real lines: 0.76 between Alibaba and JD, 0.53 between Alibaba and XPeng, 0.74 between XPeng and NIO.
ISSUERS: Final = (
    Issuer("BABA", "9988.HK", "internet", 175, 0.48, 0.73, 0.45, 0.010, (6,)),
    Issuer("JD", "9618.HK", "internet", 160, 0.53, 0.73, 0.45, 0.020, (4,)),
    Issuer("NTES", "9999.HK", "internet", 105, 0.455, 0.64, 0.27, 0.020, (3, 6, 9, 12)),
    Issuer("BIDU", "9888.HK", "internet", 230, 0.515, 0.73, 0.42),
    Issuer("TCOM", "9961.HK", "consumer", 350, 0.46, 0.68, 0.30, 0.005, (4,)),
    Issuer("BILI", "9626.HK", "internet", 90, 0.75, 0.73, 0.35),
    Issuer("XPEV", "9868.HK", "auto", 90, 0.79, 0.70, 0.48),
    Issuer("LI", "2015.HK", "auto", 70, 0.70, 0.70, 0.48),
    Issuer("NIO", "9866.HK", "auto", 50, 0.77, 0.70, 0.48),
    Issuer("ZTO", "2057.HK", "consumer", 125, 0.395, 0.66, 0.25, 0.025, (4, 9)),
    Issuer("CHL", "0941.HK", "state", 78, 0.23, 0.40, 0.45, 0.050, (5, 9)),
    Issuer("", "0700.HK", "internet", 400, 0.38, 0.75, 0.35, 0.006, (5,)),
    Issuer("", "3690.HK", "consumer", 70, 0.56, 0.70, 0.30),
    Issuer("", "1810.HK", "technology", 17, 0.46, 0.62, 0.35),
    Issuer("", "0981.HK", "technology", 14, 0.54, 0.50, 0.45),
    Issuer("", "1211.HK", "auto", 70, 0.50, 0.58, 0.35, 0.005, (6,)),
    Issuer("", "0939.HK", "state", 7, 0.22, 0.55, 0.45, 0.060, (7,)),
    Issuer("KWEB", "", "internet", 58, 0.40, 0.85, 0.45),
    Issuer("FXI", "", "state", 46, 0.28, 0.92, 0.25),
    Issuer("MCHI", "", "internet", 66, 0.28, 0.93, 0.25),
    Issuer("ASHR", "", "state", 31, 0.25, 0.60, 0.45),
    Issuer("CQQQ", "", "technology", 60, 0.34, 0.85, 0.40),
    Issuer("CHIQ", "", "consumer", 18, 0.33, 0.88, 0.35),
    Issuer("KARS", "", "auto", 25, 0.28, 0.70, 0.45),
)
ISSUER_OF: Final = {symbol: issuer for issuer in ISSUERS for symbol in (issuer.adr, issuer.hk) if symbol}


def simulate_market(
    start: str | pd.Timestamp = "2018-01-02",
    end: str | pd.Timestamp = "2025-12-31",
    seed: int = 7,
    events: pd.DataFrame | None = None,
    phases: Sequence[str] = ("open", "close"),
    symbols: Sequence[str] | None = None,
) -> Market:
    """Return a simulated market of Hong Kong and New York; the model stands at the top of this module.

    Ten dual-listed companies, China Mobile with its ADS until its delisting, Hong Kong names and New York
    funds, which pay no dividends. Prices are raw, from each line's listing on, with ratio changes and splits
    on their dates. Events move them at the first step after they were known, never before.

    Args:
        start: first session date; prices start near the model's levels whatever the date.
        end: last session date, after ``start``.
        seed: of every draw, a non-negative integer.
        events: columns ``known_at`` (UTC), ``channel`` (of `CHANNELS`), ``direction`` (+1 worse, -1 better),
            ``severity`` (0 to 10), such as the frame of ``load_events()``; None: `draw_events`.
        phases: which of "open" and "close" are steps of the market.
        symbols: lines to keep, in the market's own order; None: all of them.

    Raises:
        ParameterError: on a bad seed, unknown phases or symbols, dates out of order or outside the calendars.
        DataError: on events that lack a column or cannot be read.
    """
    begin, finish = check_date(start), check_date(end)
    if begin > finish:
        raise ParameterError(
            f"the start {begin.date()} is after the end of the market, {finish.date()}: give an earlier "
            "start or a later end"
        )
    grid = build_grid(("XHKG", "XNYS"), begin, finish)
    first, last = grid["session"].min(), grid["session"].max()
    if not first < last:
        raise ParameterError(f"{start} to {end} is one session: give a start before the end")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ParameterError(f"the seed {seed!r} is not a non-negative integer: give one such as 7")
    # Both phases are always simulated, so that closes are the same with and without the opens.
    keep = grid["phase"].isin(check_phases(phases)).to_numpy()
    lines = listed_lines(first, symbols)
    stress = draw_events(grid, seed) if events is None else check_events(events)
    time = pd.DatetimeIndex(grid["time"], name="time")
    fixings = draw_fixings(first, time[-1], seed)
    usdhkd = fixings["per_usd"].to_numpy()[np.searchsorted(fixings["time"], time, side="right") - 1]
    value = efficient_prices(grid, [ISSUER_OF[symbol] for symbol in lines.index], stress, seed)
    on_ads = ads_premium(time, lines, stress, seed) - np.log(usdhkd)[:, None]
    value += np.where(lines["kind"] == "ads", on_ads, 0.0)
    price = np.full(value.shape, np.nan)
    dividends: list[Dividend] = []
    for venue in lines["venue"].unique():
        rows, columns = np.flatnonzero(grid["venue"] == venue), np.flatnonzero(lines["venue"] == venue)
        block = np.ix_(rows, columns)
        price[block], paid = printed(grid.iloc[rows], lines.iloc[columns], value[block], seed)
        dividends += paid

    ratios = load_listings().ratios
    gone = load_listings().delistings.rename_axis("symbol").reset_index()
    tables = {
        "ratios": ratios[ratios["adr"].isin(lines.index) & (ratios["effective_from"] <= last)],
        "dividends": pd.DataFrame(sorted(dividends), columns=["ex_date", "symbol", "pay_date", "amount"]),
        "splits": dated_splits(lines, first, last),
        "delistings": gone[gone["symbol"].isin(lines.index)],
    }
    for name, table in tables.items():
        kinds = empty_table(name).dtypes.to_dict()
        tables[name] = table[list(kinds)].astype(kinds).reset_index(drop=True)
    return Market(
        grid=grid[keep].reset_index(drop=True).rename_axis("step"),
        price=pd.DataFrame(price[keep], index=time[keep], columns=lines.index.tolist()),
        instruments=lines[list(INSTRUMENT_COLUMNS)],
        fixings=fixings,
        **tables,
        label=f"simulated market, seed {seed}",
        notes=(
            "Prices, exchange rates and dividends are simulated; names, lots, ratios and calendars are real.",
            f"{len(stress)} events move the prices, {'as given' if events is not None else 'drawn by seed'}.",
        ),
    )


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random numbers of one purpose: the same whatever else is drawn."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(crc32(purpose.encode()),)))


def mean_reverting(rng: np.random.Generator, n_steps: int, half_life: float) -> Floats:
    """Return a stationary AR(1) of unit variance, shape (n_steps,); the half-life is in steps."""
    decay = 0.5 ** (1.0 / half_life)
    shocks = rng.standard_normal(n_steps)
    shocks[1:] *= np.sqrt(1.0 - decay**2) / (1.0 - decay)
    # An exponentially weighted mean is the same recursion, compiled.
    return np.array(pd.Series(shocks).ewm(alpha=1.0 - decay, adjust=False).mean(), dtype=np.float64)


def efficient_prices(
    grid: pd.DataFrame, issuers: Sequence[Issuer], events: pd.DataFrame, seed: int
) -> Floats:
    """Return the efficient log price behind each line at each step, shape (T, lines)."""
    T = len(grid)
    segment = 2 * (grid["venue"] == "XNYS").to_numpy() + (grid["phase"] == "close").to_numpy()
    z = VOLATILITY_SD * mean_reverting(stream(seed, "volatility"), T, VOLATILITY_HALF_LIFE * STEPS_A_DAY)
    market = stream(seed, "market").standard_normal(T)
    sectors = {factor: stream(seed, f"sector/{factor}").standard_normal(T) for factor in FACTORS}
    hit = np.searchsorted(grid["time"], events["known_at"], side="right")
    inside = (hit > 0) & (hit < T)
    worse = (events["direction"] * events["severity"]).to_numpy(dtype=np.float64)[inside]
    channels = [CHANNELS[name] for name in events["channel"][inside]]

    paths: dict[Issuer, Floats] = {}
    for issuer in dict.fromkeys(issuers):
        at_home = issuer.factor == "state" or not issuer.adr
        share = np.array(HOME_SHARES if at_home else DUAL_SHARES)[segment] / 252.0
        sd = issuer.volatility * np.sqrt(share) * np.exp(z - VOLATILITY_SD**2)
        own = stream(seed, f"company/{issuer.adr or issuer.hk}").standard_normal(T)
        shocks = issuer.market * market + issuer.sector * sectors[issuer.factor]
        shocks += np.sqrt(1.0 - issuer.market**2 - issuer.sector**2) * own
        moves = sd * shocks - sd**2 / 2.0 + RISK_PRICE * issuer.market * issuer.volatility * share
        beta = FACTORS.index(issuer.factor)
        effect = np.array([c.price * c.betas[beta] for c in channels], dtype=np.float64)
        np.add.at(moves, hit[inside], effect * worse * issuer.volatility / 0.5)
        paths[issuer] = np.log(issuer.level) + np.cumsum(moves)
    return np.stack([paths[issuer] for issuer in issuers], axis=1)


def ads_premium(time: pd.DatetimeIndex, lines: pd.DataFrame, events: pd.DataFrame, seed: int) -> Floats:
    """Return the log premium of each line if it is an ADS, shape (T, lines)."""
    point = np.array([CHANNELS[name].premium for name in events["channel"]], dtype=np.float64)
    mark = point * (events["direction"] * events["severity"]).to_numpy(dtype=np.float64)
    matters = (mark != 0.0) & (events["known_at"] < time[-1]).to_numpy()
    now, born = session_clock(time), session_clock(pd.DatetimeIndex(events["known_at"][matters]))
    level = np.full(len(time), PREMIUM_MEAN)
    for one, birth in zip(mark[matters], born, strict=True):
        age = np.maximum(now - birth, 0.0)  # the two terms cancel at age 0
        level += one * (0.5 ** (age / STRESS_DECAY) - 0.5 ** (age / STRESS_RISE))
    half_life = PREMIUM_HALF_LIFE * STEPS_A_DAY
    common = np.sqrt(PREMIUM_COMMON) * mean_reverting(stream(seed, "premium"), len(time), half_life)
    premium = np.zeros((len(time), len(lines)))
    for column, symbol in enumerate(lines.index):
        if lines["kind"].iloc[column] == "ads":
            own = mean_reverting(stream(seed, f"premium/{symbol}"), len(time), half_life)
            premium[:, column] = level + PREMIUM_SD * (common + np.sqrt(1.0 - PREMIUM_COMMON) * own)
    return premium


def printed(
    steps: pd.DataFrame, lines: pd.DataFrame, value: Floats, seed: int
) -> tuple[Floats, list[Dividend]]:
    """Return one venue's raw prices, shape (steps, lines), NaN where unlisted, and rows of dividends.

    ``steps`` and ``lines`` are that venue's; ``value`` is the log value of an ordinary share of today.
    """
    registry, venue = load_listings(), str(steps["venue"].iloc[0])
    sessions = pd.DatetimeIndex(steps["session"])
    spread = np.where(steps["phase"] == "open", NOISE_OPEN, NOISE_CLOSE)
    units = np.ones_like(value)
    paid = []
    for column, (symbol, kind) in enumerate(lines["kind"].items()):
        issuer = ISSUER_OF[str(symbol)]
        value[:, column] += spread * stream(seed, f"noise/{symbol}").standard_normal(len(steps))
        splits = registry.splits[(registry.splits["adr"] == issuer.adr) & (registry.splits["line"] != "ads")]
        for date, factor in zip(splits["date"], splits["factor"], strict=True):
            units[:, column] *= np.where(sessions < date, factor, 1.0)  # a share of then in shares of today
        if kind == "ads":
            history = registry.ratios[registry.ratios["adr"] == symbol]
            row = history["effective_from"].searchsorted(sessions, side="right") - 1
            units[:, column] *= np.append(history["ordinary_per_ads"], np.nan)[row]
        years = range(sessions[0].year, sessions[-1].year + 1)
        for date in [pd.Timestamp(year, month, DIVIDEND_DAY) for year in years for month in issuer.months]:
            ex = int(sessions.searchsorted(date))
            if 0 < ex < len(steps):
                fraction = issuer.payout / len(issuer.months)
                value[ex:, column] += np.log1p(-fraction)
                paid.append((str(symbol), column, ex, fraction))

    price = np.exp(value) * units
    tick = 2.0 * half_tick(venue, price, sessions)
    price = np.round(np.maximum(np.round(price / tick), 1.0) * tick, 4)
    days = sessions.to_numpy()[:, None]
    price[(days < lines["first"].to_numpy()) | (days > lines["last"].to_numpy())] = np.nan
    return price, [
        (sessions[ex], symbol, sessions[ex] + PAY_LAG[venue], round(fraction * price[ex - 1, column], 4))
        for symbol, column, ex, fraction in paid
        if np.isfinite(price[ex - 1 : ex + 1, column]).all()
    ]


def listed_lines(start: pd.Timestamp, symbols: Sequence[str] | None) -> pd.DataFrame:
    """Return the instruments asked for that had not left by the start, with ``first`` and ``last`` dates."""
    given = [symbols] if isinstance(symbols, str) else symbols
    asked = list(ISSUER_OF) if given is None else list(given) if isinstance(given, Iterable) else []
    if not asked or not all(isinstance(symbol, str) and symbol in ISSUER_OF for symbol in asked):
        raise ParameterError(
            f"symbols={shown(symbols)} are not all simulated: choose among {', '.join(ISSUER_OF)}"
        )
    names = [symbol for symbol in ISSUER_OF if symbol in asked]
    lines = pd.DataFrame([describe(name)[0] for name in names], index=pd.Index(names, name="symbol"))
    listings = load_listings().frame
    listed = pd.concat([listings["us_listed"], listings.set_index("hk")["hk_listed"].drop("")])
    lines["first"] = listed.reindex(lines.index).fillna(pd.Timestamp(0))
    lines["last"] = listings["us_last_latest"].reindex(lines.index).fillna(pd.Timestamp("2200-01-01"))
    lines = lines[lines["last"] >= start]
    pair = lines["pair"].where(lines["pair"].isin(lines.index), "")
    return lines.assign(pair=pair, adjustment="raw", shortable=lines["venue"] == "XNYS")


def dated_splits(lines: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Return the splits that a holder of each line goes through."""
    own = lines.assign(adr=[ISSUER_OF[symbol].adr for symbol in lines.index]).reset_index()
    table = own.merge(load_listings().splits.rename(columns={"date": "ex_date"}), on="adr")
    concerned = (table["line"] == "both") | ((table["line"] == "ads") == (table["kind"] == "ads"))
    held = (table["ex_date"] > table["first"]) & (table["ex_date"] > start) & (table["ex_date"] <= end)
    found: pd.DataFrame = table[concerned & held]
    return found


def draw_fixings(start: pd.Timestamp, until: pd.Timestamp, seed: int) -> pd.DataFrame:
    """Return the USDHKD fixings of 14:15 Berlin time on weekdays, from ten days before the start."""
    days = pd.bdate_range(start - pd.Timedelta(days=10), until.tz_localize(None).normalize())
    time = (days + pd.Timedelta(hours=14, minutes=15)).tz_localize("Europe/Berlin").tz_convert("UTC")
    y = FX_SD * mean_reverting(stream(seed, "usdhkd"), len(days), FX_HALF_LIFE)
    rate = np.round(FX_MIDDLE + FX_HALF_WIDTH * np.tanh(y), 5)
    table = pd.DataFrame({"time": time.as_unit("ns"), "currency": "HKD", "per_usd": rate})
    return table[table["time"] <= until].reset_index(drop=True)


def draw_events(grid: pd.DataFrame, seed: int = 7) -> pd.DataFrame:
    """Return the events over the days of a grid that `simulate_market` uses where it is given none.

    Each channel alternates between calm and stress, where both directions are more frequent.
    """
    days = pd.date_range(grid["session"].min(), grid["session"].max(), tz="UTC").as_unit("ns")
    tables = []
    for name, channel in CHANNELS.items():
        lasting = stream(seed, f"episodes/{name}").exponential(np.tile([CALM_DAYS, STRESS_DAYS], 200))
        stress = np.searchsorted(np.cumsum(lasting), np.arange(len(days)), side="right") % 2 == 1
        chance = channel.calm * np.where(stress, STRESS_BUSIER, 1.0)
        what, how_bad, hour = stream(seed, f"events/{name}").random((len(days), 3)).T
        worse, better = what < chance, what > 1.0 - channel.relief * chance
        severity = 1 + np.searchsorted(np.cumsum(SEVERITY_CHANCES)[:-1], how_bad, side="right")
        known = days + pd.to_timedelta((hour * 86_400).astype(np.int64), unit="s")
        columns = (known, name, np.where(worse, 1, -1), severity)
        tables.append(pd.DataFrame(dict(zip(EVENT_COLUMNS, columns, strict=True)))[worse | better])
    drawn: pd.DataFrame = pd.concat(tables).sort_values("known_at", kind="stable", ignore_index=True)
    return drawn


def check_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return the four columns that matter, sorted by ``known_at``, or say why they cannot be used."""
    missing = [column for column in EVENT_COLUMNS if column not in getattr(events, "columns", ())]
    if missing:
        raise DataError(f"events lacks the columns {missing}: give a table such as load_events().frame")
    table = events[EVENT_COLUMNS].reset_index(drop=True)
    times = [time for time in table["known_at"].dropna() if isinstance(time, datetime)]
    if any(time.tzinfo is None for time in times):
        raise DataError("events has times without a time zone in known_at: set it with tz_localize('UTC')")
    table["known_at"] = pd.to_datetime(table["known_at"], utc=True, errors="coerce").dt.as_unit("ns")
    for column in ("direction", "severity"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    good = table["known_at"].notna() & table["channel"].isin(list(CHANNELS))
    good &= table["direction"].isin([-1, 1]) & table["severity"].between(0, 10)
    if not good.all():
        row = events[EVENT_COLUMNS].iloc[int(good.to_numpy().argmin())].tolist()
        allowed = f"channel one of {', '.join(CHANNELS)}, direction +1 or -1, severity 0 to 10"
        raise DataError(f"events has the row {row}: it needs a time, {allowed}")
    return table.sort_values("known_at", kind="stable", ignore_index=True)
