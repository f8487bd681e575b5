"""Rotation into a theme: its lines against those the press set it against, from lists frozen beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError
from entrepot.markets.market import Market
from entrepot.markets.sessions import naive_moment
from entrepot.regimes.arguments import kind
from entrepot.regimes.path import RegimePath
from entrepot.strategies.baskets import (
    Hedge,
    Rules,
    Sizing,
    as_targets,
    check_rules,
    first_present,
    held_against,
    left_out,
)
from entrepot.strategies.targets import (
    Parametrised,
    Targets,
    decisions,
    require_market,
    require_symbols,
    sessions_of,
)

COLUMNS = ["theme", "symbol", "since", "rationale", "source", "confidence"]


def load_themes() -> pd.DataFrame:
    """Return the bundled lists of themes: theme, symbol, since, rationale, source and confidence by row.

    ``since`` is the day on which a list was frozen: it says what was common knowledge by then, and using it
    for earlier days would be hindsight. The lists were written down later, from what companies and press had
    said before that day, so that the choice of the theme itself stays hindsight.
    """
    return _bundled().copy()


@lru_cache(maxsize=1)
def _bundled() -> pd.DataFrame:
    with (files("entrepot.strategies") / "data" / "themes.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    table["since"] = pd.to_datetime(table["since"], format="%Y-%m-%d").dt.as_unit("ns")
    if list(table.columns) != COLUMNS or table.duplicated(["theme", "symbol"]).any():
        raise DataError("themes.csv has other columns or repeats a symbol of a theme")
    return table


@dataclass(frozen=True)
class ThemeRotation(Parametrised):
    """Long the lines of a theme, short those of another, from the day their lists were frozen on.

    The press's trade of January 2025: with DeepSeek's model money went into Hong Kong's internet, cloud,
    chip and software names and out of the old economy. The whole trade is on from the first New York session
    after a line's ``since``, and nothing is held before: lists drawn up after the fact make any theme win.

    Args:
        theme: name of a bundled list (`load_themes`), or symbols of one's own, which have no ``since``.
        against: the same for the short side, of which only lines that may be shorted are used; None: long
            only. The default needs Hong Kong lines that may be shorted.
        since: date up to which nothing is held, for lists of one's own or to begin later than the bundled
            ones; None: the lists' own dates.
        weight: of equity on the long side; half, so that both sides together are about the equity.
        sizing: of the lines within a side, "equal", or "inverse_volatility".
        hedge: "beta": the short weight is the long one times the slope of the long side's returns on the
            short side's, held between 0 and 2, since technology moves more than banks and dollar neutrality
            would leave a bet on the market. "dollar": equal weights.
        lookback: New York sessions of the window behind volatilities and slopes; half a year.
        horizon: sessions of the overlapping returns behind a slope; a week, so that lines of both venues can
            be compared.
        rebalance: sessions between two looks at that window, from the market's first decision; about a month.
            With equal sizes and no slope the `drift_band` alone brings weights back.
        drift_band: see `Targets`.
    """

    theme: str | Sequence[str] = "ai"
    against: str | Sequence[str] | None = "old_economy"
    since: str | pd.Timestamp | None = None
    weight: float = 0.5
    sizing: Sizing = "equal"
    hedge: Hedge = "beta"
    lookback: int = 120
    horizon: int = 5
    rebalance: int = 21
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("theme", "against"):
            given = getattr(self, name)
            if isinstance(given, str):
                if given not in (known := list(dict.fromkeys(_bundled()["theme"]))):
                    raise ParameterError(
                        f"{name} is {kind(given)}: give {' or '.join(map(repr, known))}, or a list of symbols"
                    )
            elif not (name == "against" and given is None):
                symbols = require_symbols(name, given)
                if not symbols:
                    raise ParameterError(f"{name} is an empty list: give at least one symbol")
                object.__setattr__(self, name, symbols)
        if self.since is not None:
            object.__setattr__(self, "since", require_date("since", self.since))
        check_rules(self, self._rules)

    @property
    def _rules(self) -> Rules:
        return Rules(self.weight, self.sizing, self.hedge, self.lookback, self.horizon, self.rebalance)

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with a line of each side.
            path: not used.

        Raises:
            ParameterError: when a side is empty.
        """
        require_market(market, "ThemeRotation")
        days = sessions_of(market, decisions(market))
        sides: list[tuple[str, ...]] = []
        notes: list[str] = []
        since: list[pd.Series[pd.Timestamp]] = []
        for what, given, short, fix in (
            ("the long side", self.theme, False, ""),
            ("the short side", self.against, True, ", or use against=None"),
        ):
            lines: tuple[str, ...] = ()
            if given is not None:
                listed = self._listed(given)
                lines = first_present(market, what, (tuple(listed.index),), short=short, fix=fix)
                notes += left_out(market, f"{what} is", (tuple(listed.index),), lines)
                since.append(listed[list(lines)])
            sides.append(lines)
        first = [days.searchsorted(side, side="right") for side in since]
        level = (np.arange(len(days)) >= max(side.min() for side in first)).astype(np.float64)
        if not level.any():
            day = max(side.min() for side in since).date()
            notes.append(f"never trades: the lists may be used after {day} and the market ends before")
        held = held_against(market, sides[0], sides[1], level, self._rules, np.concatenate(first))
        return as_targets(market, held, level, drift_band=self.drift_band, notes=notes, signal="theme")

    def _listed(self, given: str | Sequence[str]) -> pd.Series[pd.Timestamp]:
        """The day up to which each symbol of a list may not be used, by symbol."""
        if isinstance(given, str):
            table = _bundled()
            own = table[table["theme"] == given].set_index("symbol")["since"]
        else:
            symbols = pd.Index(list(dict.fromkeys(given)), dtype="str")
            own = pd.Series(pd.Timestamp.min, symbols, dtype="datetime64[ns]")
        return own if self.since is None else own.where(own > pd.Timestamp(self.since), self.since)


def require_date(name: str, value: object) -> pd.Timestamp:
    """Return a day without a time zone; refuse what is none."""
    day = naive_moment(value)
    if day is None:
        raise ParameterError(f"{name} is {kind(value)}: give a date such as '2025-01-20'")
    return day.normalize()
