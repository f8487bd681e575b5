"""Long the Hong Kong line, short the ADR: on the way back to parity, or as a hedge against delisting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, shown
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.path import RegimePath
from entrepot.strategies.pair_history import (
    averaged_premium,
    between_ex_dates,
    round_trip_cost,
    same_date_premium,
)
from entrepot.strategies.targets import (
    EXITS,
    STALE_SESSIONS,
    Parametrised,
    Targets,
    changes,
    columns_of,
    decisions,
    departed,
    latest,
    require,
    require_band,
    require_choice,
    require_market,
    require_path,
    require_symbols,
    sessions_of,
)

MODES = ("convergence", "delisting_hedge")
SIGNALS = {"averaged": averaged_premium, "same_date": same_date_premium}
FULL_ESCALATION = 3.0  # marks of the delisting channels at which the hedge is whole
QUARTERS = 4  # a hedge resized with every step of a decaying intensity would trade each day for nothing


@dataclass(frozen=True)
class LongHKShortADR(Parametrised):
    """Linked pairs of one company's two lines, equal in ordinary shares, decided at New York closes.

    ``convergence`` trades the premium back to its mean. Its signal is the average of the day's same-date
    premium and the latest known ``next_hk`` premium, smoothed exponentially: the two contain one overnight
    move with opposite signs. It is long HK / short ADR once the signal is more than ``entry`` standard
    deviations above its trailing mean and its distance from that mean exceeds what the round trip costs
    that day; it leaves when the z-score falls below ``exit``. Where one of the venues was closed there is no
    new premium and the pair is held; after more than five New York sessions without one it is closed.

    ``delisting_hedge`` holds ``weight * min(1, escalation / 3)`` in quarters of ``weight``, escalation and
    relief being the path's intensities of delisting risk, and nothing while relief is at least as strong.
    A pair joins once both its lines have traded within five sessions.

    Args:
        mode: "convergence" or "delisting_hedge".
        entry: z-score above which a pair is entered, positive.
        exit: z-score below which it is left, between -entry and entry.
        lookback: observations in the trailing mean and standard deviation (ddof 1), all of them required.
        signal: premium the convergence trade looks at. "averaged": the average described above. "same_date":
            the day's same-date premium alone, half of it overnight news; with ``span=1`` its plain z-score is
            the trade that looks splendid when filled at its own closes (see `fill_timing`).
        span: of the exponentially weighted mean, in observations.
        weight: of equity in each Hong Kong leg, the largest one in ``delisting_hedge``; taken as given,
            however many pairs there are, since a share of their number would depend on later listings. The
            default keeps thirteen pairs wholly hedged below a gross weight of 1 a side (13 x 0.075 = 0.975).
        pairs: ADR or Hong Kong symbols to trade; None: every pair of the market.
        reverse: also take the other side (short HK / long ADR when the ADR is cheap), where the Hong Kong
            line may be shorted.
        round_trip_bps: cost of entering and leaving, in basis points of one leg; None: the dated statutory
            rates of both venues, both ways, and twice each half-spread (New York 2 bp, Hong Kong half a
            tick and at least 1 bp). Minimum fees, borrow and FX are not in it.
        drift_band: see `Targets`.
        exit_by: how a pair is closed. "trade": both legs. "convert": one line is made into the other, which
            takes days and the depositary's fee and pays no spread. "cheapest": whichever costs less at the
            marks of the decision.
    """

    mode: str = "convergence"
    entry: float = 1.5
    exit: float = 0.3
    lookback: int = 60
    signal: str = "averaged"
    span: float = 10.0
    weight: float = 0.075
    pairs: Sequence[str] | None = None
    reverse: bool = False
    round_trip_bps: float | None = None
    drift_band: float = 0.10
    exit_by: str = "trade"

    def __post_init__(self) -> None:
        require_choice("mode", self.mode, MODES)
        require_choice("signal", self.signal, SIGNALS)
        require_choice("exit_by", self.exit_by, EXITS)
        require("entry", self.entry, 0, above=True)
        require("lookback", self.lookback, 3, whole=True)
        require("span", self.span, 1)
        require("weight", self.weight, 0)
        require_band(self.drift_band)
        require("exit", self.exit, -self.entry, self.entry)
        if abs(self.exit) == self.entry:
            raise ParameterError(
                f"exit is {self.exit} and entry {self.entry}: exit lies strictly within +-entry"
            )
        if self.round_trip_bps is not None:
            require("round_trip_bps", self.round_trip_bps, 0)
        if not isinstance(self.reverse, (bool, np.bool_)):
            raise ParameterError(f"reverse is {kind(self.reverse)}: give True or False")
        if self.pairs is not None:
            object.__setattr__(self, "pairs", require_symbols("pairs", self.pairs))

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the pairs' targets at every step, each made from what was known at that step.

        Args:
            market: with at least one complete pair.
            path: needed by ``delisting_hedge`` only.

        Raises:
            ParameterError: when a pair asked for is not in the market, or the path is missing or misfits.
        """
        require_market(market, "LongHKShortADR")
        chosen = self._chosen(market)
        steps = decisions(market)
        if self.mode == "convergence":
            state, notes, signals = self._convergence(market, chosen, steps)
        else:
            state, notes, signals = self._hedge(market, chosen, steps, path)
        emitted = changes(self.weight * state)
        emitted[departed(market)[np.ix_(steps, columns_of(market, chosen.index))]] = np.nan
        pair_weights = np.full((len(market), len(chosen)), np.nan)
        pair_weights[steps] = emitted
        if self.weight == 0:
            notes = ("can never trade: weight is 0", *notes)
        return Targets(
            weights=np.full(market.price.shape, np.nan),
            pairs=tuple(zip(chosen["hk"], chosen.index, strict=True)),
            pair_weights=pair_weights,
            drift_band=self.drift_band,
            notes=notes,
            signals=signals,
            exits=np.full(pair_weights.shape, EXITS.index(self.exit_by), dtype=np.int8),
        )

    def _chosen(self, market: Market) -> pd.DataFrame:
        pairs = market.pairs
        if pairs.empty:
            raise ParameterError(
                "this market has no pair with both legs: load the Hong Kong line and the ADR"
            )
        if self.pairs is None:
            return pairs
        adr_of = dict(zip(pairs["hk"], pairs.index, strict=True)) | {a: a for a in pairs.index}
        unknown = [name for name in self.pairs if name not in adr_of]
        if unknown or not self.pairs:
            raise ParameterError(
                f"pairs is {shown(list(self.pairs))}: give ADR or Hong Kong symbols among "
                f"{', '.join(pairs.index)}"
            )
        return pairs.loc[list(dict.fromkeys(adr_of[name] for name in self.pairs))]

    # -- convergence ---------------------------------------------------------------------------------------

    def _convergence(
        self, market: Market, pairs: pd.DataFrame, steps: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], tuple[str, ...], dict[str, pd.DataFrame]]:
        adrs, hks = tuple(pairs.index.astype(str)), tuple(pairs["hk"].astype(str))
        raw = SIGNALS[self.signal](market, adrs)
        # A premium between the two lines' ex-dates contains the dividend: it is no signal, and no gap either.
        clean = np.where(between_ex_dates(market, adrs), np.nan, raw)
        signal, mean, deviation = (np.full(raw.shape, np.nan) for _ in range(3))
        for p in range(len(pairs)):
            seen = np.isfinite(clean[:, p])
            smooth = pd.Series(clean[seen, p]).ewm(span=self.span).mean()
            window = smooth.rolling(min(int(self.lookback), len(smooth) + 1))
            signal[seen, p] = smooth
            mean[seen, p] = window.mean()
            deviation[seen, p] = window.std()
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(deviation > 1e-9, (signal - mean) / deviation, np.nan)
        reversion = signal - mean
        if self.round_trip_bps is None:
            cost = round_trip_cost(market, adrs)
        else:
            cost = np.full(raw.shape, self.round_trip_bps / 1e4)
        age = latest(raw, np.arange(len(raw)))[1]
        stale = age > STALE_SESSIONS

        rich = latched((z > self.entry) & (reversion > cost), (z < self.exit) | stale)
        cheap = latched((z < -self.entry) & (-reversion > cost), (z > -self.exit) | stale)
        dear_rich = (z > self.entry) & (reversion <= cost) & ~rich
        dear_cheap = (z < -self.entry) & (-reversion <= cost) & ~cheap
        shortable = market.instruments["shortable"]
        adr_shortable = shortable[pairs.index].to_numpy(bool)
        hk_shortable = shortable[pairs["hk"]].to_numpy(bool)
        state = 1.0 * (rich & adr_shortable) - 1.0 * (cheap & hk_shortable & self.reverse)

        notes = [self._never(int(np.isfinite(clean).sum(axis=0).max()))]
        notes += [missed("rich", entries(rich), ~adr_shortable, adrs)]
        if self.reverse:
            notes.append(missed("cheap", entries(cheap), ~hk_shortable, hks))
        elif entries(cheap).sum():
            notes.append(f"{entries(cheap).sum()} signals of a cheap ADR not taken: reverse is off")
        if too_dear := entries(dear_rich).sum() + entries(dear_cheap).sum():
            notes.append(
                f"{too_dear} signals not taken: the reversion to expect was less than the round trip"
            )
        series = {"premium": raw, "signal": signal, "zscore": z, "round_trip": cost}
        session = sessions_of(market, steps)
        signals = {name: pd.DataFrame(v, session, pairs.index, copy=True) for name, v in series.items()}
        return state, tuple(note for note in notes if note), signals

    def _never(self, longest: int) -> str:
        """Say why no pair can ever be entered, nothing where one can."""
        if self.lookback > longest:
            return f"can never trade: lookback is {self.lookback} and no pair has more than {longest} premia"
        largest = (self.lookback - 1) / self.lookback**0.5
        if self.entry >= largest:
            return (
                f"can never trade: entry is {self.entry:g} and a z-score among {self.lookback} observations "
                f"stays below {largest:.2f}"
            )
        return ""

    # -- delisting hedge -----------------------------------------------------------------------------------

    def _hedge(
        self, market: Market, pairs: pd.DataFrame, steps: NDArray[np.intp], path: RegimePath | None
    ) -> tuple[NDArray[np.float64], tuple[str, ...], dict[str, pd.DataFrame]]:
        path = require_path(market, path, "LongHKShortADR(mode='delisting_hedge')")
        escalation = path.intensity["delisting", "escalation"].to_numpy(np.float64)[steps]
        relief = path.intensity["delisting", "relief"].to_numpy(np.float64)[steps]
        quarters = np.floor(QUARTERS * np.minimum(1.0, escalation / FULL_ESCALATION) + 0.5)
        level = np.where(relief >= escalation, 0.0, quarters / QUARTERS)
        quoted = np.ones((len(steps), len(pairs)), dtype=bool)
        for legs in (pairs["hk"], pairs.index):
            quoted &= latest(market.printed[:, columns_of(market, legs)], steps)[1] <= STALE_SESSIONS
        shortable = market.instruments["shortable"][pairs.index].to_numpy(bool)
        notes: tuple[str, ...] = ()
        if not level.any():
            notes = ("never trades: the path's delisting escalation never calls for a hedge",)
        if not shortable.all():
            notes = (
                *notes,
                f"no hedge in {', '.join(pairs.index[~shortable])}: the ADR may not be shorted",
            )
        session = sessions_of(market, steps)
        frame = pd.DataFrame({"escalation": escalation, "relief": relief, "level": level}, index=session)
        return level[:, None] * (quoted & shortable), notes, {"hedge": frame}


def latched(enter: NDArray[np.bool_], leave: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a state that is on from each row of ``enter`` until the next row of ``leave``, by column."""
    row = np.maximum.accumulate(np.where(enter | leave, np.arange(len(enter))[:, None], -1), axis=0)
    return np.where(row >= 0, np.take_along_axis(enter & ~leave, np.maximum(row, 0), axis=0), False)


def entries(state: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count by column how often a state was entered."""
    before = np.vstack([np.zeros((1, state.shape[1]), dtype=bool), state[:-1]])
    count: NDArray[np.int64] = np.count_nonzero(state & ~before, axis=0)
    return count


def missed(what: str, count: NDArray[np.int64], barred: NDArray[np.bool_], symbols: Sequence[str]) -> str:
    """Say how many signals were lost to lines that may not be shorted, nothing where none was."""
    lost = barred & (count > 0)
    if not lost.any():
        return ""
    names = ", ".join(symbol for symbol, is_lost in zip(symbols, lost, strict=True) if is_lost)
    return f"{count[lost].sum()} signals of a {what} ADR not taken: {names} may not be shorted"
