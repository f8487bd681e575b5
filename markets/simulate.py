"""A market drawn from a seed: real names, lots, ratios and calendars, and prices that never traded.

Company c has one efficient log price e_c, in HKD per ordinary share of today, moving at the steps t of both
venues. With q_t the share of a day's variance in the segment that ends at t, s_c the annual volatility, and
independent standard normal F (market), S (sector), G (industry) and I (company, with news),

    e_c,t = e_c,t-1 + v_c,t (a_c F_t + b_c S_t + g_c G_t + sqrt(1 - a_c^2 - b_c^2 - g_c^2) I_c,t)
            - half the variance of that + m_c,t q_t / 252 + J_c,t
    v_c,t = s_c sqrt(q_t / 252) exp(z_t - var z)         z: log-volatility of all, a slow and a fast AR(1)
    m_c,t = RISK_PRICE a_c s_c and what `Effects` adds   known at t-1
    J_c,t = effect * direction * severity of the events known between t-1 and t

so that exp(e) earns what is due and the surprises. A venue prints what is efficient at its own moment: the
same-date premium is half overnight news, as in life.

    HK line   log P = e_c,t + noise
    ADS       log P = e_c,t + noise + p_c,t + log(ordinary per ADS / usdhkd)
    premium   p_c,t = PREMIUM_MEAN + x_c,t + D_t         x: AR(1), partly common
    discount  D_t follows -0.5 % * (1 - exp(-threat_t / 4)), three sessions behind

Each draw comes from its own stream, named by purpose and company, so what is simulated up to a date depends
neither on the end, nor on later events, nor on which other symbols or phases are asked for. The page
docs/simulation.md has the model in full, and what it is calibrated to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from entrepot.errors import ParameterError, is_listed, shown
from entrepot.markets.fees import half_tick
from entrepot.markets.instruments import describe, say_what_is_own
from entrepot.markets.listings import Listings, ListingsSource, listings_of
from entrepot.markets.market import Market, empty_table
from entrepot.markets.market_tables import INSTRUMENT_COLUMNS
from entrepot.markets.sessions import build_grid, check_date, check_phases
from entrepot.markets.simulated_effects import Effects
from entrepot.markets.simulated_events import CHANNELS, check_events, draw_events, impact, threats
from entrepot.markets.simulated_issuers import FACTORS, ISSUER_OF
from entrepot.markets.simulated_prices import ads_premia, efficient_prices, reward, sector_drifts
from entrepot.markets.simulated_random import Floats, mean_reverting, stream
from entrepot.markets.simulated_series import draw_signals, visible_series
from entrepot.markets.simulated_trading import borrow_fees, traded_shares
from entrepot.markets.symbols import symbols_named
from entrepot.markets.truth import Truth

Dividend = tuple[pd.Timestamp, str, pd.Timestamp, float]  # ex-date, symbol, pay date, amount

NOISE_OPEN, NOISE_CLOSE = 0.0025, 0.0012  # sd of one print
# USDHKD = 7.80 + 0.05 tanh(y), y an AR(1) by fixing: the rate lingers near both ends of its band.
FX_MIDDLE, FX_HALF_WIDTH, FX_SD = 7.80, 0.0499, 1.2
DIVIDEND_DAY: Final = 5  # ex on the first session of the venue from this day on: a day apart around 5 April
PAY_LAG: Final = {"XHKG": pd.Timedelta(days=21), "XNYS": pd.Timedelta(days=30)}


def simulate_market(
    start: str | pd.Timestamp = "2018-01-02",
    end: str | pd.Timestamp = "2025-12-31",
    seed: int = 7,
    events: pd.DataFrame | None = None,
    phases: Sequence[str] = ("open", "close"),
    symbols: Sequence[str] | None = None,
    effects: Effects | None = None,
    hk_shorts: Collection[str] = (),
    listings: ListingsSource | None = None,
) -> Market:
    """Return a simulated market of Hong Kong and New York; docs/simulation.md has the model.

    Ten dual-listed companies, China Mobile with its ADS until its delisting, Hong Kong names, and funds of
    both venues, which pay no dividends. Prices are raw, from each listing that the registry dates on, with
    ratio changes and splits on their dates. Events move them at the first step after they were known, never
    before. What they were made of is the market's ``truth``.

        >>> import entrepot as ep
        >>> market = ep.simulate_market("2024-01-02", "2024-01-05", symbols=["BABA", "9988.HK"])
        >>> market.label
        'simulated market, seed 7'
        >>> market.price.shape  # opens and closes of two venues on four days
        (16, 2)
        >>> market.pairs.loc["BABA"].tolist()
        ['9988.HK', 'Alibaba Group']

    Args:
        start: first session date; prices start near the model's levels whatever the date.
        end: last session date, after ``start``.
        seed: of every draw, a non-negative integer.
        events: columns ``known_at`` (UTC), ``channel`` (of `CHANNELS`), ``direction`` (+1 worse, -1 better),
            ``severity`` (0 to 10), such as the frame of ``load_events()``; None: `draw_events`.
        phases: which of "open" and "close" are steps of the market.
        symbols: lines to keep, in the market's own order; None: all of them.
        effects: what can be foreseen; None: ``Effects()``, what real pairs show.
        hk_shorts: Hong Kong lines that may be sold short.
        listings: lots, sectors, dated ratios, splits and departures of the companies, as in `load_market`;
            which companies are simulated, and which lines show each, is the model's. None: the bundled ones.

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
    seed = int(seed)
    if effects is not None and not isinstance(effects, Effects):
        raise ParameterError(f"effects is {shown(effects)}: give Effects(), Effects.none() or None")
    effects = Effects() if effects is None else effects
    # Both phases are always simulated, so that closes are the same with and without the opens.
    keep = grid["phase"].isin(check_phases(phases)).to_numpy()
    listed = listings_of(listings)
    lines = listed_lines(first, symbols, listed)
    lines["shortable"] |= lines.index.isin(check_shorts(hk_shorts, lines))
    stress = draw_events(grid, seed) if events is None else check_events(events)
    time = pd.DatetimeIndex(grid["time"], name="time")
    fixings = draw_fixings(first, time[-1], seed, effects.fx_half_life)
    usdhkd = fixings["per_usd"].to_numpy()[np.searchsorted(fixings["time"], time, side="right") - 1]

    issuers = list(dict.fromkeys(ISSUER_OF[symbol] for symbol in lines.index))
    issuer_of_line = [issuers.index(ISSUER_OF[symbol]) for symbol in lines.index]
    signals = draw_signals(grid, issuers, seed)
    of_issuers, foreseen = efficient_prices(grid, issuers, stress, seed, effects, signals)
    efficient = of_issuers[:, issuer_of_line]
    threat = threats(time, stress)
    ads = np.flatnonzero(lines["kind"] == "ads")
    with_ads = [issuers[issuer_of_line[column]] for column in ads]
    premia = ads_premia(time, with_ads, threat["delisting"].to_numpy(), seed, effects, signals)

    value = efficient.copy()
    value[:, ads] += premia - np.log(usdhkd)[:, None]
    price = np.full(value.shape, np.nan)
    dividends: list[Dividend] = []
    for venue in sorted(set(lines["venue"]) & set(grid["venue"])):  # holidays may leave but one
        rows, columns = np.flatnonzero(grid["venue"] == venue), np.flatnonzero(lines["venue"] == venue)
        block = np.ix_(rows, columns)
        price[block], paid = printed(grid.iloc[rows], lines.iloc[columns], value[block], seed, listed)
        dividends += paid

    ratios = listed.ratios
    gone = listed.delistings.rename_axis("symbol").reset_index()
    tables = {
        "ratios": ratios[ratios["adr"].isin(lines.index) & (ratios["effective_from"] <= last)],
        "dividends": pd.DataFrame(sorted(dividends), columns=["ex_date", "symbol", "pay_date", "amount"]),
        "splits": dated_splits(lines, first, last, listed),
        "delistings": gone[gone["symbol"].isin(lines.index)],
    }
    for name, table in tables.items():
        kinds = empty_table(name).dtypes.to_dict()
        tables[name] = table[list(kinds)].astype(kinds).reset_index(drop=True)

    def frame(values: Floats, columns: Iterable[str] = lines.index) -> pd.DataFrame:
        return pd.DataFrame(values[keep], index=time[keep], columns=list(columns))

    series, behind = visible_series(signals, lines, time[keep][-1], seed)
    truth = Truth(
        events=stress,
        effects=effects,
        efficient=frame(efficient),
        foreseen=frame(foreseen[:, issuer_of_line]),
        premium=frame(np.expm1(premia), lines.index[ads]),
        threat=threat[keep],
        sector_drift=frame(sector_drifts(len(grid), seed, effects), FACTORS),
        lines=facts(lines, effects),
        betas=pd.DataFrame(
            [[impact(ISSUER_OF[symbol], name) for name in CHANNELS] for symbol in lines.index],
            index=lines.index,
            columns=list(CHANNELS),
        ),
        borrow=borrow_fees(grid, lines, threat["delisting"].to_numpy()),
        series=series,
        signals=behind,
    )
    label, said = say_what_is_own(lines.index, listed, f"simulated market, seed {seed}")
    return Market(
        grid=grid[keep].reset_index(drop=True).rename_axis("step"),
        price=frame(price),
        instruments=lines[list(INSTRUMENT_COLUMNS)],
        fixings=fixings,
        **tables,
        volume=frame(traded_shares(grid, lines, price, efficient, stress, seed)),
        truth=truth.cut(0, int(keep.sum())),
        label=label,
        notes=(
            "Prices, exchange rates, dividends, volumes and series are simulated; names, lots, ratios and "
            "calendars are real.",
            f"{len(stress)} events, {'as given' if events is not None else 'drawn by seed'}, and {effects} "
            "made the prices.",
            *said,
        ),
    )


def printed(
    steps: pd.DataFrame, lines: pd.DataFrame, value: Floats, seed: int, listings: Listings
) -> tuple[Floats, list[Dividend]]:
    """Return one venue's raw prices, shape (steps, lines), NaN where unlisted, and rows of dividends.

    ``steps`` and ``lines`` are that venue's; ``value`` is the log value of an ordinary share of today.
    """
    venue = str(steps["venue"].iloc[0])
    sessions = pd.DatetimeIndex(steps["session"])
    spread = np.where(steps["phase"] == "open", NOISE_OPEN, NOISE_CLOSE)
    units = np.ones_like(value)
    paid = []
    for column, (symbol, kind) in enumerate(lines["kind"].items()):
        issuer = ISSUER_OF[str(symbol)]
        value[:, column] += spread * stream(seed, f"noise/{symbol}").standard_normal(len(steps))
        splits = listings.splits[(listings.splits["adr"] == issuer.adr) & (listings.splits["line"] != "ads")]
        for date, factor in zip(splits["date"], splits["factor"], strict=True):
            units[:, column] *= np.where(sessions < date, factor, 1.0)  # a share of then in shares of today
        if kind == "ads":
            history = listings.ratios[listings.ratios["adr"] == symbol]
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


def listed_lines(start: pd.Timestamp, symbols: Sequence[str] | None, listings: Listings) -> pd.DataFrame:
    """Return the instruments asked for that had not left by the start, with ``first`` and ``last`` dates."""
    given = [symbols] if isinstance(symbols, str) else symbols
    asked = list(ISSUER_OF) if given is None else list(given) if is_listed(given) else []
    if not asked or not all(isinstance(symbol, str) and symbol in ISSUER_OF for symbol in asked):
        raise ParameterError(
            f"symbols={shown(symbols)} are not all simulated: choose among {', '.join(ISSUER_OF)}"
        )
    names = [symbol for symbol in ISSUER_OF if symbol in asked]
    lines = pd.DataFrame(
        [describe(name, listings)[0] for name in names], index=pd.Index(names, name="symbol")
    )
    companies = listings.frame
    since = companies.loc[companies["hk"].ne("")].set_index("hk")["hk_listed"]
    lines["first"] = pd.concat([companies["us_listed"], since]).reindex(lines.index).fillna(pd.Timestamp(0))
    lines["last"] = companies["us_last_latest"].reindex(lines.index).fillna(pd.Timestamp("2200-01-01"))
    lines = lines[lines["last"] >= start]
    if lines.empty:
        raise ParameterError(
            f"symbols={shown(names)} had all left the market by {start.date()}: give an earlier start"
        )
    pair = lines["pair"].where(lines["pair"].isin(lines.index), "")
    return lines.assign(pair=pair, adjustment="raw", shortable=lines["venue"] == "XNYS")


def check_shorts(hk_shorts: Collection[str], lines: pd.DataFrame) -> list[str]:
    """Return the Hong Kong lines that may be sold short, or say which cannot."""
    named = symbols_named("hk_shorts", hk_shorts)
    hong_kong = lines.index[lines["venue"] == "XHKG"]
    wrong = sorted(set(named) - set(hong_kong))
    if wrong:
        raise ParameterError(
            f"hk_shorts names {shown(wrong)}, no Hong Kong line of this market: choose among "
            f"{', '.join(hong_kong)}"
        )
    return named


def facts(lines: pd.DataFrame, effects: Effects) -> pd.DataFrame:
    """Return what the model takes each line to be."""
    issuers = [ISSUER_OF[symbol] for symbol in lines.index]
    return pd.DataFrame(
        {
            "factor": [issuer.factor for issuer in issuers],
            "industry": [issuer.industry for issuer in issuers],
            "volatility": [issuer.volatility for issuer in issuers],
            "market": [issuer.market for issuer in issuers],
            "in_sector": [issuer.sector for issuer in issuers],
            "in_industry": [issuer.in_industry for issuer in issuers],
            "reward": [reward(issuer, effects) for issuer in issuers],
        },
        index=lines.index,
    )


def dated_splits(
    lines: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp, listings: Listings
) -> pd.DataFrame:
    """Return the splits that a holder of each line goes through."""
    own = lines.assign(adr=[ISSUER_OF[symbol].adr for symbol in lines.index]).reset_index()
    table = own.merge(listings.splits.rename(columns={"date": "ex_date"}), on="adr")
    concerned = (table["line"] == "both") | ((table["line"] == "ads") == (table["kind"] == "ads"))
    held = (table["ex_date"] > table["first"]) & (table["ex_date"] > start) & (table["ex_date"] <= end)
    found: pd.DataFrame = table[concerned & held]
    return found


def draw_fixings(start: pd.Timestamp, until: pd.Timestamp, seed: int, half_life: float) -> pd.DataFrame:
    """Return the USDHKD fixings of 14:15 Berlin time on weekdays, from ten days before the start.

    ``half_life``, in fixings, is that of the rate's place in its band; inf: it stands still.
    """
    days = pd.bdate_range(start - pd.Timedelta(days=10), until.tz_localize(None).normalize())
    time = (days + pd.Timedelta(hours=14, minutes=15)).tz_localize("Europe/Berlin").tz_convert("UTC")
    y = FX_SD * mean_reverting(stream(seed, "usdhkd"), len(days), half_life)
    rate = np.round(FX_MIDDLE + FX_HALF_WIDTH * np.tanh(y), 5)
    table = pd.DataFrame({"time": time.as_unit("ns"), "currency": "HKD", "per_usd": rate})
    return table[table["time"] <= until].reset_index(drop=True)
