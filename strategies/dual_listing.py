"""Long the Hong Kong line, short the ADR: back to parity, against delisting, and the reverse on relief."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Decision, Identity
from entrepot.errors import ParameterError, is_number, shown
from entrepot.markets.market import Market
from entrepot.regimes.path import RegimePath
from entrepot.strategies.exposure import Exposure, exposure_to, require_risks
from entrepot.strategies.pair_history import (
    averaged_premium,
    between_ex_dates,
    once_per_market,
    pairs_of,
    round_trip_cost,
    same_date_premium,
)
from entrepot.strategies.targets import (
    EXITS,
    STALE_SESSIONS,
    Exit,
    Parametrised,
    Targets,
    columns_of,
    decisions,
    departed,
    emitted,
    latest,
    require,
    require_band,
    require_choice,
    require_flag,
    require_market,
    require_path,
    require_symbols,
    sessions_of,
)

Mode = Literal["convergence", "delisting_hedge", "relief_reversal"]
Signal = Literal["averaged", "same_date"]
SIGNALS = {"averaged": averaged_premium, "same_date": same_date_premium}
# What is listened to where nothing is said. The press names two reliefs for the reversal: the audit deal of
# December 2022, a relief of delisting risk, and the truce of Geneva in May 2025, one of tariffs.
RISKS_OF = {"delisting_hedge": ("delisting",), "relief_reversal": ("delisting", "tariff")}


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
    relief being the path's intensities of ``risks``, and nothing while relief is at least as strong.
    A pair joins once both its lines have traded within five sessions.

    ``relief_reversal`` is its mirror: short HK / long ADR at ``weight * min(1, relief / 3)`` in quarters
    while relief is stronger than escalation, and nothing otherwise, in pairs whose Hong Kong line may be
    shorted. With equal ``risks`` the two are never held together. Relief that does not exceed what has
    escalated is not traded: with the bundled calendar that of Geneva came while April's tariffs still
    weighed more, and the reversal waits until June 2025.

        >>> import entrepot as ep
        >>> pairs = ep.LongHKShortADR(mode="convergence", entry=2.0, pairs=["BABA"])
        >>> lines = ["BABA", "9988.HK", "JD", "9618.HK"]
        >>> market = ep.simulate_market("2023-01-03", "2023-12-29", symbols=lines)
        >>> sorted(ep.backtest(market, pairs).fills["symbol"].unique())
        ['9988.HK', 'BABA']
        >>> pairs.with_(mode="delisting_hedge").mode
        'delisting_hedge'

    Args:
        mode: "convergence", "delisting_hedge" or "relief_reversal".
        entry: z-score above which a pair is entered, positive.
        exit: z-score below which it is left, between -entry and entry.
        lookback: observations in the trailing mean and standard deviation (ddof 1), all of them required.
        signal: premium the convergence trade looks at. "averaged": the average described above. "same_date":
            the day's same-date premium alone, half of it overnight news; with ``span=1`` its plain z-score is
            the trade that looks splendid when filled at its own closes (see `fill_timing`).
        span: of the exponentially weighted mean, in observations.
        weight: of equity in each Hong Kong leg, the largest one in the other two modes; taken as given,
            however many pairs there are, since a share of their number would depend on later listings. The
            default keeps thirteen pairs wholly hedged below a gross weight of 1 a side (13 x 0.075 = 0.975).
        pairs: ADR or Hong Kong symbols to trade; None: every pair of the market.
        reverse: also take the other side (short HK / long ADR when the ADR is cheap), where the Hong Kong
            line may be shorted; of ``convergence`` only.
        round_trip_bps: cost of entering and leaving, in basis points of one leg; None: the dated statutory
            rates of both venues, both ways, and twice each half-spread (New York 2 bp, Hong Kong half a
            tick and at least 1 bp). Minimum fees, borrow and FX are not in it.
        drift_band: see `Targets`.
        exit_by: how a pair is closed. "trade": both legs. "convert": one line is made into the other, which
            takes days and the depositary's fee and pays no spread. "cheapest": whichever costs less at the
            marks of the decision.
        risks: whose intensities ``delisting_hedge`` and ``relief_reversal`` add up, "delisting", "tariff" or
            both; None: delisting for the hedge, both for the reversal, since the press names the audit deal
            of December 2022 and the truce of Geneva of May 2025.
    """

    mode: Mode = "convergence"
    entry: float = 1.5
    exit: float = 0.3
    lookback: int = 60
    signal: Signal = "averaged"
    span: float = 10.0
    weight: float = 0.075
    pairs: Sequence[str] | None = None
    reverse: bool = False
    round_trip_bps: float | None = None
    drift_band: float = 0.10
    exit_by: Exit = "trade"
    risks: Sequence[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("mode", self.mode, get_args(Mode))
        require_choice("signal", self.signal, SIGNALS)
        require_choice("exit_by", self.exit_by, EXITS)
        require("entry", self.entry, 0, above=True)
        require("lookback", self.lookback, 3, whole=True)
        require("span", self.span, 1)
        require("weight", self.weight, 0)
        require_band(self.drift_band)
        if is_number(self.exit) and not abs(self.exit) < self.entry:
            raise ParameterError(
                f"exit is {self.exit} and entry {self.entry}: exit lies strictly between -entry and entry"
            )
        require("exit", self.exit, -self.entry, self.entry)
        if self.round_trip_bps is not None:
            require("round_trip_bps", self.round_trip_bps, 0)
        require_flag("reverse", self.reverse)
        if self.pairs is not None:
            object.__setattr__(self, "pairs", require_symbols("pairs", self.pairs))
        if self.risks is not None:
            object.__setattr__(self, "risks", require_risks("risks", self.risks))

    @property
    def _reversed(self) -> bool:
        """Whether pairs are held the other way round."""
        return self.mode == "relief_reversal"

    @property
    def _risks(self) -> tuple[str, ...]:
        """The risks listened to."""
        return RISKS_OF[self.mode] if self.risks is None else tuple(self.risks)

    def decision(self, market: Market, path: RegimePath | None = None) -> Decision:
        """Return what is decided inside the loop; its numbers are those of `targets`.

        Configurations that differ only in entry, exit, weight, reverse, round_trip_bps or exit_by share their
        features.

        Args:
            market: with at least one complete pair.
            path: not needed by ``convergence``.

        Raises:
            ParameterError: when a pair asked for is not in the market, or the path is missing or misfits.
        """
        from entrepot.strategies import _kernels as kernels

        require_market(market, "LongHKShortADR")
        pairs = self._pairs(market)
        adrs = tuple(adr for _, adr in pairs)
        closing = float(EXITS.index(self.exit_by))
        if self.mode == "convergence":
            own = self.round_trip_bps is not None
            trip = (self.round_trip_bps or 0.0) / 1e4
            params = [self.entry, self.exit, self.weight, float(self.reverse), trip, closing, float(own)]
            key: tuple[object, ...] = (self.mode, adrs, self.signal, int(self.lookback), float(self.span))
            features = partial(convergence_features, market, *key[1:])  # type: ignore[arg-type]
            which, memory, planes = kernels.CONVERGENCE, 3 * len(pairs), 4
        else:
            path = require_path(market, path, f"LongHKShortADR(mode={self.mode!r})")
            params = [0.0, 0.0, self.weight, 0.0, 0.0, closing, 0.0]
            key = (self.mode, adrs, self._risks, Identity(path))
            features = partial(holding_features, market, adrs, path, self._risks, self._reversed)
            which, memory, planes = kernels.HOLDING, len(pairs), 2
        return Decision(
            function=kernels.decide,
            symbols=(),
            pairs=pairs,
            params=np.array([which, *params], dtype=np.float64),
            features=features,
            features_key=key,
            memory=memory,
            drift_band=self.drift_band,
            planes=planes,
        )

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the pairs' targets at every step, each made from what was known at that step.

        Args:
            market: with at least one complete pair.
            path: not needed by ``convergence``.

        Raises:
            ParameterError: when a pair asked for is not in the market, or the path is missing or misfits.
        """
        decision = self.decision(market, path)
        numbers, exits, kept = emitted(market, decision)
        if self.mode == "convergence":
            notes, signals = self._convergence_told(market, decision, kept)
        else:
            notes, signals = self._holding_told(market, decision, path)
        if self.weight == 0:
            notes = ("can never trade: weight is 0", *notes)
        return Targets(
            weights=np.full(market.price.shape, np.nan),
            pairs=decision.pairs,
            pair_weights=numbers,
            drift_band=self.drift_band,
            notes=notes,
            signals=signals,
            exits=exits,
        )

    def _pairs(self, market: Market) -> tuple[tuple[str, str], ...]:
        """The pairs traded, as (Hong Kong symbol, ADR symbol)."""
        hk_of = pairs_of(market)
        if not hk_of:
            raise ParameterError(
                "this market has no pair with both legs: load the Hong Kong line and the ADR"
            )
        if self.pairs is None:
            return tuple((hk, adr) for adr, hk in hk_of.items())
        adr_of = {hk: adr for adr, hk in hk_of.items()} | {adr: adr for adr in hk_of}
        if not self.pairs or any(name not in adr_of for name in self.pairs):
            raise ParameterError(
                f"pairs is {shown(list(self.pairs))}: give ADR or Hong Kong symbols among {', '.join(hk_of)}"
            )
        return tuple((hk_of[adr], adr) for adr in dict.fromkeys(adr_of[name] for name in self.pairs))

    def _convergence_told(
        self, market: Market, decision: Decision, kept: NDArray[np.float64]
    ) -> tuple[tuple[str, ...], dict[str, pd.DataFrame]]:
        """What a reader should know of the convergence trade, and the series behind it."""
        from entrepot.strategies import _kernels as kernels

        adrs, hks = [adr for _, adr in decision.pairs], [hk for hk, _ in decision.pairs]
        steps = decisions(market)
        raw = SIGNALS[self.signal](market, tuple(adrs))
        z, reversion, cost, flags = decision.features()[:, steps]
        if self.round_trip_bps is not None:
            cost = np.full(z.shape, self.round_trip_bps / 1e4)
        remembered = kept.reshape(len(steps), len(adrs), 3)
        rich, cheap = remembered[:, :, kernels.RICH] == 1.0, remembered[:, :, kernels.CHEAP] == 1.0
        dear_rich = (z > self.entry) & (reversion <= cost) & ~rich
        dear_cheap = (z < -self.entry) & (-reversion <= cost) & ~cheap
        may = flags.astype(np.int64)
        adr_shortable, hk_shortable = (
            (may & bit != 0).all(axis=0) for bit in (kernels.ADR_SHORTABLE, kernels.HK_SHORTABLE)
        )
        seen = np.isfinite(raw) & ~between_ex_dates(market, tuple(adrs))
        notes = [self._never(int(seen.sum(axis=0).max()))]
        notes += [missed("rich", entries(rich), ~adr_shortable, adrs)]
        if self.reverse:
            notes.append(missed("cheap", entries(cheap), ~hk_shortable, hks))
        elif entries(cheap).sum():
            notes.append(f"{entries(cheap).sum()} signals of a cheap ADR not taken: reverse is off")
        if too_dear := entries(dear_rich).sum() + entries(dear_cheap).sum():
            notes.append(
                f"{too_dear} signals not taken: the reversion to expect was less than the round trip"
            )
        signal = smoothed_premium(market, tuple(adrs), self.signal, int(self.lookback), float(self.span))[0]
        series = {"premium": raw, "signal": signal, "zscore": z, "round_trip": cost}
        session = sessions_of(market, steps)
        signals = {name: pd.DataFrame(v, session, adrs, copy=True) for name, v in series.items()}
        for frame in signals.values():
            frame.columns.name = market.pairs.index.name
        return tuple(note for note in notes if note), signals

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

    def _holding_told(
        self, market: Market, decision: Decision, path: RegimePath | None
    ) -> tuple[tuple[str, ...], dict[str, pd.DataFrame]]:
        """What a reader should know of the hedge or the reversal, and the series behind it."""
        path = require_path(market, path, f"LongHKShortADR(mode={self.mode!r})")
        steps = decisions(market)
        exposure = exposure_to(path, steps, self._risks)
        level = signed_level(exposure, self._reversed)
        shorted = [hk if self._reversed else adr for hk, adr in decision.pairs]
        barred = [symbol for symbol in shorted if not market.instruments.at[symbol, "shortable"]]
        what, side, line = (
            ("reversal", "relief", "Hong Kong line") if self._reversed else ("hedge", "escalation", "ADR")
        )
        notes: list[str] = []
        if not level.any():
            notes = [f"never trades: the path's {' and '.join(self._risks)} {side} never calls for a {what}"]
        if self._reversed and len(barred) == len(shorted):
            notes = ["can never trade: no Hong Kong line of the pairs may be shorted"]
        elif barred:
            notes.append(f"no {what} in {', '.join(barred)}: the {line} may not be shorted")
        frame = pd.DataFrame(
            {"escalation": exposure.escalation, "relief": exposure.relief, "level": level},
            index=sessions_of(market, steps),
        )
        return tuple(notes), {what: frame}


# -- features ------------------------------------------------------------------------------------------------


@once_per_market
def smoothed_premium(
    market: Market, adrs: tuple[str, ...], signal: str, lookback: int, span: float
) -> NDArray[np.float64]:
    """Smooth the premium of each decision: shape (3, S, P), signal and its trailing mean and deviation.

    NaN where there is no new premium or no full window. A premium between the two lines' ex-dates contains
    the dividend: it is no signal, and no gap either.
    """
    clean = np.where(between_ex_dates(market, adrs), np.nan, SIGNALS[signal](market, adrs))
    result = np.full((3, *clean.shape), np.nan)
    for p in range(len(adrs)):
        seen = np.isfinite(clean[:, p])
        smooth = pd.Series(clean[seen, p]).ewm(span=span).mean()
        window = smooth.rolling(min(lookback, len(smooth) + 1))
        result[:, seen, p] = smooth, window.mean(), window.std()
    return result


def convergence_features(
    market: Market, adrs: tuple[str, ...], signal: str, lookback: int, span: float
) -> NDArray[np.float64]:
    """Lay out what the convergence decision reads: shape (4, T, P), NaN at steps that decide nothing."""
    from entrepot.strategies import _kernels as kernels

    steps = decisions(market)
    smooth, mean, deviation = smoothed_premium(market, adrs, signal, lookback, span)
    instruments, hks = market.instruments, market.pairs.loc[list(adrs), "hk"]
    raw = SIGNALS[signal](market, adrs)
    age = latest(raw, np.arange(len(raw)))[1]
    flags = (
        kernels.STALE * (age > STALE_SESSIONS)
        + kernels.DEPARTED * departed(market)[np.ix_(steps, columns_of(market, adrs))]
    )
    flags += kernels.ADR_SHORTABLE * instruments["shortable"][list(adrs)].to_numpy(bool)
    flags += kernels.HK_SHORTABLE * instruments["shortable"][hks].to_numpy(bool)
    features = np.full((4, len(market), len(adrs)), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        features[kernels.Z, steps] = np.where(deviation > 1e-9, (smooth - mean) / deviation, np.nan)
    features[kernels.REVERSION, steps] = smooth - mean
    features[kernels.COST, steps] = round_trip_cost(market, adrs)
    features[kernels.FLAGS, steps] = flags
    return features


def signed_level(exposure: Exposure, reversed_: bool) -> NDArray[np.float64]:
    """Return the part of ``weight`` to hold, (S,): positive long HK / short ADR, negative the reverse."""
    return 0.0 - exposure.reversal if reversed_ else exposure.hedge


def holding_features(
    market: Market, adrs: tuple[str, ...], path: RegimePath, risks: tuple[str, ...], reversed_: bool
) -> NDArray[np.float64]:
    """Lay out what holding reads: shape (2, T, P), the level of each pair, and whether its ADR has left."""
    from entrepot.strategies import _kernels as kernels

    steps = decisions(market)
    level = signed_level(exposure_to(path, steps, risks), reversed_)
    hks = market.pairs.loc[list(adrs), "hk"]
    quoted = np.ones((len(steps), len(adrs)), dtype=bool)
    for legs in (hks, adrs):
        quoted &= latest(market.printed[:, columns_of(market, legs)], steps)[1] <= STALE_SESSIONS
    shortable = market.instruments["shortable"][list(hks if reversed_ else adrs)].to_numpy(bool)
    features = np.full((2, len(market), len(adrs)), np.nan)
    features[kernels.LEVEL, steps] = np.where(quoted & shortable, level[:, None], 0.0)
    features[kernels.GONE, steps] = departed(market)[np.ix_(steps, columns_of(market, adrs))]
    return features


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
