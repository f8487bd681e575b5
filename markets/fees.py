"""What trading cost on each day: dated fees, ticks, settlement cycles, policy rates and borrow estimates.

Tables: `data/fees.csv` (101 dated rows, each with its source) and `data/policy_rates.csv`. A row is in force
from `effective_from` to `effective_to`, both inclusive; an empty end is open.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.sessions import check_venue
from entrepot.markets.tables import dates, numbers, read_table
from entrepot.markets.written_times import moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SCHEDULE_COLUMNS: Final = (
    "schedule_id market item side basis rate unit min_amt max_amt rounding effective_from effective_to "
    "applies_to source_ref confidence verification notes"
)
RATE_COLUMNS: Final = (
    "effective_from fed_funds_low_pct fed_funds_high_pct hkma_base_rate_pct source_ref confidence notes"
)

# kind of the ledger -> item of the schedule
HK_KINDS: Final = {
    "stamp_duty": "stamp_duty",
    "sfc_levy": "sfc_transaction_levy",
    "afrc_levy": "afrc_levy",
    "trading_fee": "exchange_trading_fee",
    "settlement_fee": "ccass_settlement_fee",
    "brokerage": "brokerage",
}
US_KINDS: Final = {"sec_section31": "sec_section31", "finra_taf": "finra_taf", "brokerage": "brokerage"}
FEE_CLASSES: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "hk_stock": ("HK", HK_KINDS),
    "hk_etp": ("HK", HK_KINDS),
    "us_stock": ("US", US_KINDS),
    "none": ("", {}),
}
POLICY_CURRENCIES: Final = ("USD", "HKD")
MARKET_OF_VENUE: Final = {"XHKG": "HK", "XNYS": "US"}
ETP_ONLY: Final = "ETFs/L&I products"
EQUITY_ONLY: Final = "equities"
# How the schedule words its rounding -> (unit in currency, True for up and False for nearest)
ROUNDING: Final = {
    "": (0.0, False),
    "nearest HK$0.01": (0.01, False),
    "ceil to HK$1 per contract note": (1.0, True),
    "brokers round up to US$0.01": (0.01, True),
    "round up to US$0.01 per trade": (0.01, True),
}


class FeeTable(NamedTuple):
    """Fees of one class, by date (D), kind (K) and side (0 buying, 1 selling).

    A fill of n shares with notional v (|quantity| * fill price, local currency) pays for each kind
    `rate * v + per_share * n`, held between `minimum` and `maximum`, then rounded to a multiple of `unit`:
    up where `up`, else to the nearest. Kinds that are not due (rate and per_share 0) have no minimum.

    Attributes:
        kinds: (K,) names of the kinds.
        rate: (D, K, 2) fraction of the notional.
        per_share: (D, K, 2) currency per share.
        minimum: (D, K, 2) currency per order, 0 for none.
        maximum: (D, K, 2) currency per order, inf for none.
        unit: (D, K, 2) currency, 0 for no rounding.
        up: (D, K, 2) whether rounding is upward.
    """

    kinds: tuple[str, ...]
    rate: Floats
    per_share: Floats
    minimum: Floats
    maximum: Floats
    unit: Floats
    up: NDArray[np.bool_]


def fee_schedule() -> pd.DataFrame:
    """The dated schedule as shipped, a fresh copy.

    Returns:
        One row per fee and period, in the columns of `fees.csv`; `rate`, `min_amt`, `max_amt` as float64 (NaN
        where empty), `effective_from`, `effective_to` as naive dates (NaT where open).

    Raises:
        DataError: the table contradicts itself.
    """
    return _schedule().copy()


def fee_table(fee_class: str, sessions: pd.DatetimeIndex) -> FeeTable:
    """Fees of one class on the given sessions.

    Optional items of the schedule are left out: the HK$0.50 exchange trading tariff (charged to the
    participant, gone since 2023), the scrip fee, the CAT fee. Brokerage is the schedule's default, which is
    negotiable. A row without an end, and the last row where the schedule ends, hold for all later dates.

    Args:
        fee_class: "hk_stock", "hk_etp" (no stamp duty), "us_stock" or "none".
        sessions: (D,) session dates, naive.

    Raises:
        ParameterError: unknown class, or a session before the first row of an item, named with its date.
    """
    if not isinstance(fee_class, str) or fee_class not in FEE_CLASSES:
        raise ParameterError(f"the fee class {shown(fee_class)} is unknown: use {', '.join(FEE_CLASSES)}")
    market, kinds = FEE_CLASSES[fee_class]
    days = _days(sessions)
    shape = (len(days), len(kinds), 2)
    table = FeeTable(
        kinds=tuple(kinds),
        rate=np.zeros(shape),
        per_share=np.zeros(shape),
        minimum=np.zeros(shape),
        maximum=np.full(shape, np.inf),
        unit=np.zeros(shape),
        up=np.zeros(shape, dtype=np.bool_),
    )
    for k, (kind, item) in enumerate(kinds.items()):
        if fee_class == "hk_etp" and kind == "stamp_duty":
            continue
        rows = _rows(market, item)
        rows = rows[rows["applies_to"] != (EQUITY_ONLY if fee_class == "hk_etp" else ETP_ONLY)]
        at = _row_of(days, rows, f"{market} {item}")
        sides = [1] if rows["side"].iloc[0] == "sell" else [0, 1]
        per_share = rows["basis"].iloc[0] == "per share"
        unit, up = zip(*(ROUNDING[words] for words in rows["rounding"]), strict=True)
        for side in sides:
            (table.per_share if per_share else table.rate)[:, k, side] = rows["rate"].to_numpy()[at]
            table.minimum[:, k, side] = rows["min_amt"].fillna(0.0).to_numpy()[at]
            table.maximum[:, k, side] = rows["max_amt"].fillna(np.inf).to_numpy()[at]
            table.unit[:, k, side] = np.array(unit)[at]
            table.up[:, k, side] = np.array(up)[at]
    return table


def half_tick(venue: str, price: Floats, sessions: pd.DatetimeIndex) -> Floats:
    """Half the smallest price step of each date and price.

    Hong Kong follows the three dated spread tables for equities; exchange-traded products there have a
    table of their own, which the schedule lacks, and are given this one. A price outside the table takes
    the nearest band. New York is one cent at every price and date: the half-cent tier due in
    November 2026 is not in force in the schedule, nor is the finer step below one dollar.

    Args:
        venue: "XHKG" or "XNYS".
        price: (D,) or (D, N) prices in local currency; NaN stays NaN.
        sessions: (D,) session date of each row.

    Returns:
        Currency, of the shape of `price`.

    Raises:
        ParameterError: unknown venue, or `price` and `sessions` differ in length.
    """
    market = MARKET_OF_VENUE[check_venue(venue)]
    days = _days(sessions)
    try:
        prices = np.asarray(price, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"price is {shown(price)}: give numbers, NaN where there is none") from None
    if prices.ndim not in (1, 2) or len(prices) != len(days):
        raise ParameterError(
            f"prices of shape {prices.shape} do not fit {len(days)} sessions: give one row per session"
        )
    rows = _rows(market, "tick_size")
    if market == "US":
        return np.where(np.isnan(prices), np.nan, rows["rate"].iloc[0] / 2)
    half = np.full(prices.shape, np.nan)
    in_force = _row_of(days, rows.drop_duplicates("effective_from"), "HK tick_size")
    for position, (_, bands) in enumerate(rows.groupby("effective_from", dropna=False, sort=False)):
        inside = in_force == position
        lower = bands["basis"].str.extract(r"^price ([\d.]+) to")[0].to_numpy(dtype=np.float64)
        band = np.maximum(np.searchsorted(lower, prices[inside], side="right") - 1, 0)
        half[inside] = bands["rate"].to_numpy()[band] / 2
    half[np.isnan(prices)] = np.nan
    return half


def settlement_days(venue: str, sessions: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Sessions from trade to settlement (the n of T+n) for trades of the given dates.

    Args:
        venue: "XHKG" or "XNYS".
        sessions: (D,) trade dates, naive.

    Raises:
        ParameterError: unknown venue, or a date before the first known cycle (New York: 2017-09-05).
    """
    market = MARKET_OF_VENUE[check_venue(venue)]
    rows = _rows(market, "settlement_cycle")
    at = _row_of(_days(sessions), rows, f"{market} settlement_cycle")
    return rows["rate"].to_numpy().astype(np.int64)[at]


def policy_rate(currency: str, sessions: pd.DatetimeIndex) -> Floats:
    """Annual policy rate of a currency: the middle of the federal funds range, or the HKMA base rate.

    Args:
        currency: "USD" or "HKD".
        sessions: (D,) dates, naive.

    Returns:
        (D,) fractions a year. After the last row of the table its rate is carried forward.

    Raises:
        ParameterError: another currency, or a date before the first row (2017-12-14).
    """
    if not isinstance(currency, str) or currency not in POLICY_CURRENCIES:
        raise ParameterError(
            f"no policy rate of {shown(currency)} is known: only {' and '.join(POLICY_CURRENCIES)} have one"
        )
    table = _policy_rates()
    at = _row_of(_days(sessions), table, f"{currency} policy rate")
    return table[currency].to_numpy()[at]


def policy_rates_end() -> pd.Timestamp:
    """Date of the last row of the policy rates; later rates are that row carried forward."""
    last: pd.Timestamp = _policy_rates()["effective_from"].iloc[-1]
    return last


def borrow_table() -> pd.DataFrame:
    """Stock borrow fees to assume, annual fractions of the short's market value.

    Estimates without a source (confidence low): report the result under several multiples of them.

    Returns:
        Index `size`: "mega", "mid", "small" (New York) and "hk" (a Hong Kong line); columns `calm`,
        `calm_low`, `calm_high`, `stress`, `stress_low`, `stress_high`. There is no estimate for Hong Kong
        under stress: NaN.
    """
    return _borrow_table().copy()


def _days(sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    try:
        index = moments(sessions).as_unit("ns")
    except (TypeError, ValueError):  # a year that no nanosecond timestamp holds among them
        raise ParameterError(
            f"the sessions are {shown(sessions)}: give dates, such as grid['session']"
        ) from None
    if index.tz is not None or index.hasnans:
        raise ParameterError(
            "the sessions are no naive dates without gaps: give such as grid['session'], not UTC times"
        )
    return index.normalize()


@lru_cache
def _rows(market: str, item: str) -> pd.DataFrame:
    schedule = _schedule()
    return schedule[(schedule["market"] == market) & (schedule["item"] == item)]


def _row_of(days: pd.DatetimeIndex, rows: pd.DataFrame, what: str) -> NDArray[np.intp]:
    """Position of the row in force on each day; rows are in order of date, an open start (NaT) first."""
    starts = pd.DatetimeIndex(rows["effective_from"]).as_unit("ns")
    at = np.searchsorted(starts.asi8, days.asi8, side="right") - 1  # NaT is the smallest int64
    if (at < 0).any():
        raise ParameterError(
            f"{what} is known from {starts[0].date()} on, but the sessions start on {days.min().date()}: "
            "start later, or give this cost yourself"
        )
    return at


@lru_cache(maxsize=1)
def _borrow_table() -> pd.DataFrame:
    schedule = _schedule().set_index("schedule_id")
    table = pd.DataFrame(index=pd.Index(["mega", "mid", "small", "hk"], name="size"))
    for state in ("calm", "stress"):
        names = [f"borrow_adr_borrow_{state}_{size}" for size in ("megacap", "midcap", "small")]
        rows = schedule.reindex([*names, f"borrow_hk_{state}"])
        for column, source in (("", "rate"), ("_low", "min_amt"), ("_high", "max_amt")):
            table[state + column] = rows[source].to_numpy()
    return table


@lru_cache(maxsize=1)
def _schedule() -> pd.DataFrame:
    name = "fees.csv"
    table = read_table(name, SCHEDULE_COLUMNS, key="schedule_id")
    for column in ("rate", "min_amt", "max_amt"):
        table[column] = numbers(table, column, name)
    for column in ("effective_from", "effective_to"):
        table[column] = dates(table, column, name)
    for market, kinds in FEE_CLASSES.values():
        for item in kinds.values():
            rows = table[(table["market"] == market) & (table["item"] == item)]
            if rows["rate"].isna().any() or not rows["rounding"].isin(list(ROUNDING)).all():
                raise DataError(f"{name}: {market} {item} has a row without a rate or with unknown rounding")
            for other in (EQUITY_ONLY, ETP_ONLY):
                _check_contiguous(rows[rows["applies_to"] != other], f"{market} {item}")
    for market in MARKET_OF_VENUE.values():
        rows = table[(table["market"] == market) & (table["item"] == "settlement_cycle")]
        _check_contiguous(rows, f"{market} settlement_cycle")
    ticks = table[(table["market"] == "HK") & (table["item"] == "tick_size")]
    _check_contiguous(ticks.drop_duplicates("effective_from"), "HK tick_size")
    for _, bands in ticks.groupby("effective_from", dropna=False):
        bounds = bands["basis"].str.extract(r"^price ([\d.]+) to ([\d.]+)$").to_numpy(dtype=np.float64)
        if not (bounds[1:, 0] == bounds[:-1, 1]).all() or not (bounds[:, 0] < bounds[:, 1]).all():
            raise DataError(f"{name}: the price bands of a Hong Kong spread table overlap or leave a gap")
    return table


def _check_contiguous(rows: pd.DataFrame, what: str) -> None:
    """Each period starts the day after the one before ended, and only the last may be open."""
    next_day = rows["effective_to"].iloc[:-1] + pd.Timedelta(days=1)
    if rows.empty or not (next_day.to_numpy() == rows["effective_from"].iloc[1:].to_numpy()).all():
        raise DataError(f"fees.csv: the periods of {what} overlap, leave a gap or are out of order")


@lru_cache(maxsize=1)
def _policy_rates() -> pd.DataFrame:
    name = "policy_rates.csv"
    table = read_table(name, RATE_COLUMNS, key="effective_from")
    table["effective_from"] = dates(table, "effective_from", name)
    low, high = (numbers(table, f"fed_funds_{end}_pct", name) for end in ("low", "high"))
    table["USD"] = (low + high) / 200
    table["HKD"] = numbers(table, "hkma_base_rate_pct", name) / 100
    usable = table[list(POLICY_CURRENCIES)].notna().all(axis=None) and (low <= high).all()
    if not usable or not table["effective_from"].is_monotonic_increasing:
        raise DataError(f"{name}: rates must be filled, low at most high, and in order of date")
    return table
