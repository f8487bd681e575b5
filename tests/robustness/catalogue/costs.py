"""Costs, fees and margins that no broker charges."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from robustness.cases import Case
from robustness.small import LOOSE_DATES, LOOSE_TIMES

import entrepot as ep
from entrepot.engine.costs import AMOUNTS, BY_DATE, BY_SYMBOL, CHOICES, STATES, SWITCHES, Fee, Margin
from entrepot.errors import ParameterError
from entrepot.markets import build_grid, fee_table, half_tick, policy_rate, session_clock, session_times

DATES = pd.to_datetime(["2021-01-04", "2021-02-01"])


def dated(value: Any, index: pd.Index = DATES, columns: tuple[str, ...] = ("BABA",)) -> pd.DataFrame:
    return pd.DataFrame(value, index=index, columns=list(columns))


BAD_DATES = {
    "a time zone": DATES.tz_localize("UTC"),
    "a time of day": DATES + pd.Timedelta(hours=16),
    "a missing date": pd.DatetimeIndex([DATES[0], pd.NaT]),
    "a wrong order": DATES[::-1],
    "a repeated date": DATES[[0, 0]],
}


# What is refused, and a word its message has to hold.
BAD_COSTS: dict[str, tuple[Callable[[], Any], str]] = {
    "fee: negative rate": (lambda: Fee(rate=-0.001), "rate"),
    "fee: the whole amount": (lambda: Fee(rate=1.0), "rate"),
    "fee: a rate in words": (lambda: Fee(rate="3 bp"), "'3 bp'"),
    "fee: not a number per share": (lambda: Fee(per_share=float("nan")), "per_share"),
    "fee: negative minimum": (lambda: Fee(minimum=-1.0), "minimum"),
    "fee: endless minimum": (lambda: Fee(minimum=np.inf), "minimum"),
    "fee: negative unit": (lambda: Fee(unit=-0.01), "unit"),
    "fee: a truth as unit": (lambda: Fee(unit=True), "unit"),
    "fee: maximum below minimum": (lambda: Fee(minimum=5.0, maximum=2.0), "maximum is 2.0"),
    "fee: no maximum": (lambda: Fee(maximum=None), "maximum"),
    "fee: maximum not a number": (lambda: Fee(maximum=float("nan")), "maximum"),
    "fee: a number as up": (lambda: Fee(up=1), "up is 1"),
    "fee: unknown side": (lambda: Fee(side="short"), "'short'"),
    "margin: negative": (lambda: Margin(-0.5, 0.5, 0.25, 0.3), "initial_long"),
    "margin: per cent": (lambda: Margin(50.0, 50.0, 25.0, 30.0), "initial_long is 50.0"),
    "margin: nothing": (lambda: Margin(0.5, 0.5, None, 0.3), "maintenance_long"),
    "margin: more to keep a long than to open it": (lambda: Margin(0.2, 0.5, 0.25, 0.3), "_long"),
    "margin: more to keep a short than to open it": (lambda: Margin(0.5, 0.2, 0.25, 0.3), "_short"),
    "fee: a number that no float holds": (lambda: Fee(rate=10**400), "rate is 1000"),
    "fee: a fraction of Python": (lambda: Fee(rate=Fraction(1, 1000)), r"rate is Fraction(1, 1000)"),
    "fee: sides in an array": (lambda: Fee(side=np.array(["buy", "sell"])), "side is array"),
    "fee: a side that is missing": (lambda: Fee(side=pd.NA), "side is <NA>"),
    "margin: a number that no float holds": (lambda: Margin(10**400, 0.5, 0.25, 0.3), "initial_long is 1000"),
    "a spread as a fraction": (lambda: ep.Costs(half_spread_bps=0.0002), "basis points, 2 for 0.0002"),
    "a spread of one symbol as a fraction": (
        lambda: ep.Costs(half_spread_bps={"BABA": 0.0005}),
        "half_spread_bps of BABA is 0.0005",
    ),
    "a fee as a fraction": (lambda: ep.Costs(fee_bps=0.001), "fee_bps is 0.001"),
    "a flat fee as a fraction": (lambda: ep.Costs.flat(0.001), "fee_bps is 0.001"),
    "borrow of 5 for 5 %": (lambda: ep.Costs(borrow_rate_pa=5), "such as 0.05 for 5 % a year"),
    "borrow of a symbol in per cent": (
        lambda: ep.Costs(borrow_rate_pa={"BABA": 3}),
        "borrow_rate_pa of BABA is 3",
    ),
    "dated borrow in per cent": (
        lambda: ep.Costs(borrow_rate_pa=dated(8.0)),
        "a dearer loan is borrow_multiplier",
    ),
    "states in bytes": (lambda: ep.Costs(recall_states=b"\x01\x02"), "path.names"),
    "states in a view of memory": (lambda: ep.Costs(recall_states=memoryview(b"ab")), "path.names"),
    "states in a generator": (lambda: ep.Costs(recall_states=(i for i in range(2))), "path.names"),
    "a state of more than 64 bits": (lambda: ep.Costs(recall_states={2**64}), "path.names"),
    "costs by a symbol that is no number": (
        lambda: ep.Costs(half_spread_bps={"BABA": pd.NA}),
        "half_spread_bps of BABA",
    ),
    "a number as margin": (lambda: ep.Costs(margin=0.5), "Margin.retail()"),
    "the class as margin": (lambda: ep.Costs(margin=Margin), "Margin.retail()"),
    "no conversion days": (lambda: ep.Costs(conversion_days=0), "1 to 60"),
    "half a day": (lambda: ep.Costs(conversion_days=1.5), "1.5"),
    "a quarter to convert": (lambda: ep.Costs(conversion_days=90), "90"),
    "unknown field": (lambda: ep.Costs().with_(bogus=1), "bogus"),
    "spread of one symbol": (lambda: ep.Costs(half_spread_bps={"A": 1.0, "B": -1.0}), "half_spread_bps of B"),
    "spreads by date": (lambda: ep.Costs(half_spread_bps=dated(1.0)), "dict of them by symbol"),
    "a Series of caps": (lambda: ep.Costs(max_fill_shares=pd.Series({"A": 1.0})), "dict of them by symbol"),
    "flat fee by symbol": (lambda: ep.Costs(fee_bps={"A": 1.0}), "fee_bps"),
    "endless cap": (lambda: ep.Costs(max_fill_shares=np.inf), "max_fill_shares"),
    "cap without dates": (lambda: ep.Costs(max_fill_shares=dated(1.0, pd.Index([0, 1]))), "without dates"),
    "negative dated cap": (lambda: ep.Costs(max_fill_shares=dated(-1.0)), "a value of max_fill_shares"),
    "negative dated borrow": (lambda: ep.Costs(borrow_rate_pa=dated(-0.1)), "a value of borrow_rate_pa"),
    "endless dated borrow": (lambda: ep.Costs(borrow_rate_pa=dated(np.inf)), "a value of borrow_rate_pa"),
    "borrow in words": (lambda: ep.Costs(borrow_rate_pa=dated("1 %")), "numbers"),
    "truths as borrow": (lambda: ep.Costs(borrow_rate_pa=dated(True)), "numbers"),
    "borrow by named states": (
        lambda: ep.Costs(borrow_rate_pa=pd.DataFrame({"calm": {"mega": 0.01}})),
        "integer states",
    ),
    "borrow of a size named twice": (
        lambda: ep.Costs(borrow_rate_pa=pd.DataFrame({0: [0.01, 0.02]}, index=["mega", "mega"])),
        "each once",
    ),
    "borrow of a symbol named twice": (
        lambda: ep.Costs(borrow_rate_pa=dated(0.01, columns=("BABA", "BABA"))),
        "column twice",
    ),
    "availability in one word": (lambda: ep.Costs(availability="no_new"), "'no_new'"),
    "availability without dates": (
        lambda: ep.Costs(availability=dated("recall", pd.Index([0, 1]))),
        "dates as rows",
    ),
    "availability of a symbol named twice": (
        lambda: ep.Costs(availability=dated("recall", columns=("BABA", "BABA"))),
        "symbol twice",
    ),
    "unknown availability": (lambda: ep.Costs(availability=dated("none")), "'none'"),
    "a number as availability": (lambda: ep.Costs(availability=dated(1)), "availability holds"),
    "a list as availability": (
        lambda: ep.Costs(availability=pd.DataFrame({"A": [["recall"], "recall"]}, index=DATES)),
        "['recall']",
    ),
    "a list of fees": (lambda: ep.Costs(fees=[Fee()]), "mapping"),
    "no fees": (lambda: ep.Costs(fees=None), "mapping"),
    "a fee by kind": (lambda: ep.Costs(fees={"brokerage": Fee()}), "XHKG, XNYS"),
    "a fee of another venue": (lambda: ep.Costs(fees={("XLON", "brokerage"): Fee()}), "XHKG, XNYS"),
    "a fee that venue does not have": (lambda: ep.Costs(fees={("XNYS", "stamp_duty"): Fee()}), "finra_taf"),
    "a fee of a kind that is missing": (lambda: ep.Costs(fees={("XHKG", pd.NA): Fee()}), "('XHKG', <NA>)"),
    "a fee of a venue that is missing": (lambda: ep.Costs(fees={(pd.NA, "brokerage"): Fee()}), "(<NA>, "),
    "the flat fee as a fee": (lambda: ep.Costs(fees={("XHKG", "flat_fee"): Fee()}), "settlement_fee"),
    "a number as fee": (lambda: ep.Costs(fees={("XHKG", "brokerage"): 0.001}), "Fee(rate"),
    "a rate without currency": (lambda: ep.Costs(cash_rate_pa=0.03), "mapping"),
    "a rate in words": (lambda: ep.Costs(cash_rate_pa={"USD": "3 %"}), "cash_rate_pa of USD"),
    "a rate in per cent": (lambda: ep.Costs(cash_rate_pa={"USD": 3}), "such as 0.03"),
    "a rate that is no number": (lambda: ep.Costs(cash_rate_pa={"USD": np.nan}), "such as 0.03"),
    "a truth as rate": (lambda: ep.Costs(cash_rate_pa={"USD": True}), "cash_rate_pa of USD"),
    "rates without dates": (lambda: ep.Costs(cash_rate_pa={"USD": pd.Series([0.01])}), "Series"),
    "dated rates in words": (lambda: ep.Costs(cash_rate_pa={"USD": pd.Series("1", DATES)}), "Series"),
    **{
        f"rates without rows, {name}": (
            lambda index=index: ep.Costs(cash_rate_pa={"USD": pd.Series(index=index, dtype=float)}),
            "cash_rate_pa of USD is a Series without rows: give one of rates by date, or leave it out",
        )
        for name, index in (("dated", DATES[:0]), ("undated", None))
    },
    "dated rates with a gap": (
        lambda: ep.Costs(cash_rate_pa={"USD": pd.Series([0.01, np.nan], DATES)}),
        "nan",
    ),
    **{
        f"{name}: a word": (lambda name=name: ep.Costs(**{name: "yes"}), f"{name} is 'yes'")
        for name in (*SWITCHES, *CHOICES, *AMOUNTS, *STATES)
    },
    **{
        f"{name}: {given!r}": (lambda name=name, given=given: ep.Costs(**{name: given}), name)
        for name in AMOUNTS
        for given in (-1.0, float("nan"), True)
    },
    **{f"{name}: its bound": (lambda name=name: ep.Costs(**{name: AMOUNTS[name]}), name) for name in AMOUNTS},
    **{
        f"{name}: None": (lambda name=name: ep.Costs(**{name: None}), name)
        for name in (*SWITCHES, *CHOICES, *(name for name in AMOUNTS if name not in BY_SYMBOL), *STATES[1:])
    },
    **{
        f"{name}: {given!r}": (lambda name=name, given=given: ep.Costs(**{name: given}), "path.names")
        for name in STATES
        for given in (2, {"delisting"}, [-1], {1.0}, {True})
    },
    **{
        f"{name}: {what} as dates": (
            lambda name=name, index=index: ep.Costs(**{name: dated(0.01, index)}),
            f"the dates of {name}",
        )
        for name in BY_DATE
        for what, index in BAD_DATES.items()
    },
    **{
        f"availability: {what} as dates": (
            lambda index=index: ep.Costs(availability=dated("recall", index)),
            "the dates of availability",
        )
        for what, index in BAD_DATES.items()
    },
    **{
        f"cash_rate_pa: {what} as dates": (
            lambda index=index: ep.Costs(cash_rate_pa={"USD": pd.Series(0.01, index)}),
            "the dates of cash_rate_pa of USD",
        )
        for what, index in BAD_DATES.items()
    },
}


# What is asked of the dated tables that costs are made of.
BAD_TABLES: dict[str, tuple[Callable[[], Any], str]] = {
    "fees of a list": (lambda: fee_table(["hk_stock"], DATES), "the fee class ['hk_stock'] is unknown: use"),
    "fees of no class": (lambda: fee_table(None, DATES), "the fee class None is unknown"),
    "fees of a date in text": (lambda: fee_table("hk_stock", "2021-01-04"), "the sessions are '2021-01-04'"),
    "fees of no dates": (lambda: fee_table("hk_stock", None), "the sessions are None: give dates, such as"),
    "fees of the year 9999": (
        lambda: fee_table("hk_stock", pd.DatetimeIndex(["9999-01-04"], dtype="datetime64[s]")),
        "the sessions are DatetimeIndex(['9999-01-04']",
    ),
    "rates of a list": (lambda: policy_rate(["USD"], DATES), "no policy rate of ['USD'] is known: only USD"),
    "rates of a column of the table": (
        lambda: policy_rate("notes", DATES),
        "no policy rate of 'notes' is known: only USD and HKD have one",
    ),
    "rates on words": (lambda: policy_rate("USD", ["x"]), "the sessions are ['x']: give dates"),
    "sessions of a list": (
        lambda: session_times(["XNYS"], "2021-01-04", "2021-02-01"),
        "the venue ['XNYS'] is unknown: use XHKG",
    ),
    "a grid of a list in a list": (
        lambda: build_grid(["XNYS", ["XHKG"]], "2021-01-04", "2021-02-01"),
        "the venue ['XHKG'] is unknown: use XHKG",
    ),
    "a grid of one word": (
        lambda: build_grid("XNYS", "2021-01-04", "2021-02-01"),
        "the venue 'X' is unknown: use XHKG",
    ),
    "a clock of no times": (lambda: session_clock(None), "the session clock was given None: give a"),
    "a clock of one moment": (
        lambda: session_clock(pd.Timestamp("2024-01-05", tz="UTC")),
        "the session clock was given Timestamp('2024-01-05 00:00:00+0000', tz='UTC'): give a",
    ),
    "a clock of times without a zone": (lambda: session_clock(DATES), "was given times without a time zone"),
    **{
        f"a clock of the year {year}": (
            lambda year=year: session_clock(pd.DatetimeIndex([f"{year}-10-01"], tz="UTC")),
            f"the session clock was given times from {year}-10-01 00:00:00+00:00 to",
        )
        for year in (1677, 1699, 2201, 9999)
    },
    **{
        f"fees on {day!r}": (
            lambda day=day: fee_table("hk_stock", [day]),
            f"the sessions are [{day!r}]: give dates, such as grid['session']",
        )
        for day in LOOSE_DATES
    },
    **{
        f"a clock of {time!r}": (
            lambda time=time: session_clock([time]),
            f"the session clock was given [{time!r}]: give a DatetimeIndex of moments with a time zone",
        )
        for time in LOOSE_TIMES
    },
    "ticks of words": (lambda: half_tick("XHKG", ["a", "b"], DATES), "price is ['a', 'b']: give numbers"),
}

CASES = [
    Case(area, name, lambda folder, make=make: make(), ParameterError, re.escape(word))
    for area, cases in (("costs", BAD_COSTS), ("dated tables", BAD_TABLES))
    for name, (make, word) in cases.items()
]
