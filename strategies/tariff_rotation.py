"""Rotation between what is sold at home and what is exported, by tariff risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, shown
from entrepot.markets.market import Market
from entrepot.markets.sectors import load_sectors
from entrepot.regimes.path import RegimePath
from entrepot.strategies.baskets import (
    Hedge,
    Held,
    Rules,
    Sizing,
    as_targets,
    check_rules,
    held_against,
    present,
)
from entrepot.strategies.exposure import exposure_to
from entrepot.strategies.targets import (
    Parametrised,
    Targets,
    decisions,
    require_choice,
    require_flag,
    require_market,
    require_path,
    require_symbols,
)

UNIVERSES = ("auto", "hk", "etf")
Short = Literal["shortable", "none"]
SHARES = ("ordinary", "stock")  # the latter in a market of one venue, which does not know better
SIDES = {-1: "domestic", 1: "export-heavy"}


@dataclass(frozen=True)
class TariffRotation(Parametrised):
    """Long domestic defensives and short exporters while tariffs escalate, the reverse on a truce.

    The press's trade of 2025: out of hardware, solar and apparel, into telecoms, utilities, banks and state
    energy; back on a truce. The long side is held at ``weight * min(1, escalation / 3)`` in quarters of
    ``weight`` while the tariff escalation of the path exceeds its relief; while relief is the stronger the
    sides are swapped and sized by it. Of equals neither is held.

    Which line is which is the ``export_exposure`` of `load_sectors` on the market's first session: fixed
    beforehand, by what a company sells and where, and never fitted on returns. Its domestic side is wider
    than the press's defensives: delivery, restaurants, hotels and education are sold at home too. A universe
    of symbols makes it narrower; notes name the lines used.

    Args:
        universe: "hk": Hong Kong shares. "etf": funds. "auto": Hong Kong shares, and funds for a side that
            has none it can use. Or symbols, those without an exposure being left out.
        reverse: swap the sides on relief, as the press has it.
        short: "shortable": of the short side only lines that may be shorted are used. "none": long only.
        weight: of equity on the long side when the trade is whole; half, so that both sides together are
            about the equity.
        sizing: of the lines within a side, "equal", or "inverse_volatility".
        hedge: "beta": the short weight is the long one times the slope of the long side's returns on the
            short side's, held between 0 and 2, since exporters move more than banks and telecoms and dollar
            neutrality would leave a bet against the market. "dollar": equal weights.
        lookback: New York sessions of the window behind volatilities and slopes; half a year.
        horizon: sessions of the overlapping returns behind a slope; a week, so that lines of both venues can
            be compared.
        rebalance: sessions between two looks at that window, from the market's first decision; about a month.
            With equal sizes and no slope the `drift_band` alone brings weights back.
        drift_band: see `Targets`.
    """

    universe: str | Sequence[str] = "auto"
    reverse: bool = True
    short: Short = "shortable"
    weight: float = 0.5
    sizing: Sizing = "equal"
    hedge: Hedge = "beta"
    lookback: int = 120
    horizon: int = 5
    rebalance: int = 21
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.universe, str):
            if self.universe not in UNIVERSES:
                raise ParameterError(
                    f"universe is {shown(self.universe)}: give 'auto', 'hk', 'etf' or a list of symbols"
                )
        else:
            object.__setattr__(self, "universe", require_symbols("universe", self.universe))
        require_flag("reverse", self.reverse)
        require_choice("short", self.short, get_args(Short))
        check_rules(self, self._rules)

    @property
    def _rules(self) -> Rules:
        return Rules(self.weight, self.sizing, self.hedge, self.lookback, self.horizon, self.rebalance)

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with a domestic and an export-heavy line.
            path: of this market; its tariff intensities size the trade.

        Raises:
            ParameterError: when a side is empty or the path is missing or misfits.
        """
        require_market(market, "TariffRotation")
        path = require_path(market, path, "TariffRotation")
        exposure = exposure_to(path, decisions(market), ("tariff",))
        held, notes = self._side(market, -1, exposure.hedge)
        notes += self._unused(market)
        level = exposure.hedge
        if self.reverse:
            swapped, more = self._side(market, 1, exposure.reversal)
            held, notes = together(held, swapped), [*notes, *more]
            level = level - exposure.reversal
        return as_targets(
            market,
            held,
            level,
            drift_band=self.drift_band,
            notes=dict.fromkeys(notes),
            signal="tariff_rotation",
            escalation=exposure.escalation,
            relief=exposure.relief,
        )

    def _side(self, market: Market, sign: int, level: NDArray[np.float64]) -> tuple[Held, list[str]]:
        """What is held with the lines of one exposure long and those of the other short."""
        long, notes = self._lines(market, sign, short=False)
        short: tuple[str, ...] = ()
        if self.short == "shortable":
            short, more = self._lines(market, -sign, short=True)
            notes += more
        return held_against(market, long, short, level, self._rules), notes

    def _unused(self, market: Market) -> list[str]:
        """Say which symbols asked for have no place in the trade."""
        if isinstance(self.universe, str):
            return []
        absent = [symbol for symbol in self.universe if symbol not in market.symbols]
        exposure = exposures(market, present(market, self.universe))
        neither = exposure.index[~exposure.isin(SIDES)]
        notes = [f"without {', '.join(absent)}: not in this market"] if absent else []
        if len(neither):
            notes.append(f"without {', '.join(neither)}: neither domestic nor export-heavy in load_sectors()")
        return notes

    def _lines(self, market: Market, sign: int, *, short: bool) -> tuple[tuple[str, ...], list[str]]:
        """The lines of one exposure that can be used on one side, and what was left out."""
        symbols = market.symbols if isinstance(self.universe, str) else present(market, self.universe)
        exposure = exposures(market, symbols)
        of_sign = [symbol for symbol in symbols if exposure[symbol] == sign]
        table, notes = market.instruments, []
        if isinstance(self.universe, str):
            shares = [s for s in of_sign if s.endswith(".HK") and table.at[s, "kind"] in SHARES]
            funds = [s for s in of_sign if table.at[s, "kind"] == "etf"]
            of_sign = funds if self.universe == "etf" else shares
            if self.universe == "auto" and not present(market, shares, short=short) and funds:
                of_sign = funds
        lines = present(market, of_sign, short=short)
        side = f"{SIDES[sign]} lines to {'short' if short else 'hold'}"
        if not lines:
            raise ParameterError(
                f"there are no {side} in universe {shown(self.universe)}: load or name some"
                + (
                    ", name Hong Kong lines that may be shorted in load_market(hk_shorts=[...]), or use "
                    "short='none'"
                    if short
                    else ""
                )
            )
        notes.append(f"{side}: {', '.join(lines)}")
        return lines, notes


def exposures(market: Market, symbols: Sequence[str]) -> pd.Series[float]:
    """Return the export exposure of symbols on the market's first session; NaN where it is not known."""
    return load_sectors().exposure(symbols, pd.Timestamp(market.grid["session"].iloc[0]))


def together(one: Held, other: Held) -> Held:
    """Return the sum of two that are never held at once."""
    symbols = tuple(dict.fromkeys((*one.symbols, *other.symbols)))
    weights = np.zeros((len(one.weights), len(symbols)))
    for held in (one, other):
        weights[:, [symbols.index(symbol) for symbol in held.symbols]] += held.weights
    return Held(symbols, weights, np.where(np.isnan(one.ratio), other.ratio, one.ratio))
