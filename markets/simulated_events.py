"""Events of a simulated market: what they do to prices, how they are drawn, and the threat they leave."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError
from entrepot.markets.sessions import session_clock
from entrepot.markets.simulated_issuers import FACTORS, Issuer
from entrepot.markets.simulated_random import Floats, stream
from entrepot.markets.written_times import aware


class Channel(NamedTuple):
    """What one point of severity does, and how often events of the channel are drawn."""

    price: float  # log return on an escalation, of a name with 50 % volatility and beta 1
    betas: tuple[float, ...]  # by sector, as FACTORS
    calm: float  # chance of an escalation on a calm day
    relief: float  # reliefs per escalation


# Sized on the bundled calendar, whose events move a name of beta 1 by about -40 % in eight years.
CHANNELS: Final = {
    "tariff": Channel(-0.0025, (0.8, 1.0, 1.3, 1.5, 0.4), 0.008, 0.65),
    "delisting": Channel(-0.0030, (1.2, 1.1, 1.2, 0.7, 0.5), 0.003, 0.35),
    "investment_restriction": Channel(-0.0025, (1.0, 0.6, 0.8, 1.3, 1.3), 0.003, 0.15),
    "export_control": Channel(-0.0015, (0.5, 0.3, 0.8, 2.0, 0.3), 0.003, 0.20),
    "sanction": Channel(-0.0010, (0.3, 0.3, 0.3, 1.0, 1.5), 0.003, 0.30),
    "policy_support": Channel(-0.0040, (1.2, 1.1, 1.0, 0.8, 0.6), 0.002, 2.50),
}
EVENT_COLUMNS: Final = ["known_at", "channel", "direction", "severity"]
THREATS: Final = {"tariff": ("tariff",), "delisting": ("delisting", "investment_restriction")}
THREAT_HALF_LIFE: Final = 20.0  # sessions
# Drawn events come in episodes: mean days until one begins and until it ends, and how much busier it is.
CALM_DAYS, STRESS_DAYS, STRESS_BUSIER = 500.0, 150.0, 8.0
SEVERITY_CHANCES: Final = (0.08, 0.37, 0.30, 0.22, 0.03)  # of severities 1 to 5, as in the bundled calendar


class Marks(NamedTuple):
    """Events in order, on the steps of a grid."""

    hit: NDArray[np.intp]  # first step after each was known; T where there is none
    born: Floats  # session clock at which each was known
    size: Floats  # direction * severity
    channel: NDArray[np.object_]

    def where(self, chosen: NDArray[np.bool_]) -> Marks:
        """Return some of the marks."""
        return Marks(self.hit[chosen], self.born[chosen], self.size[chosen], self.channel[chosen])

    def of(self, *channels: str) -> Marks:
        """Return the marks of some channels."""
        return self.where(np.isin(self.channel, channels))


def marks_of(time: pd.DatetimeIndex, events: pd.DataFrame) -> Marks:
    """Return the events known before the last step as marks on the steps at the given times."""
    own = events[events["known_at"] < time[-1]]
    known = pd.DatetimeIndex(own["known_at"])
    size = (own["direction"] * own["severity"]).to_numpy(dtype=np.float64)
    hit = np.searchsorted(time, known, side="right")
    return Marks(hit, session_clock(known), size, own["channel"].to_numpy(dtype=object))


def standing(now: Floats, marks: Marks, half_life: float, floor: float = -np.inf) -> Floats:
    """Return what is left at each step of the marks that came before it, shape (T,).

    Between marks it halves every ``half_life`` sessions; a mark adds to it, never below ``floor``.

    Args:
        now: session clock of the steps, shape (T,).
        marks: in order of time.
        half_life: sessions.
        floor: least that is left after a mark.
    """
    left = np.zeros(len(now))
    value, since = 0.0, -np.inf
    ends = np.append(marks.hit, len(now))[1:]
    for hit, end, born, size in zip(marks.hit, ends, marks.born, marks.size, strict=True):
        value = max(floor, value * 0.5 ** ((born - since) / half_life) + size)
        since = born
        left[hit:end] = value * 0.5 ** ((now[hit:end] - since) / half_life)
    return left


def threats(time: pd.DatetimeIndex, events: pd.DataFrame) -> pd.DataFrame:
    """Return the standing threat of each risk at each step, severity points, shape (T, 2).

    Escalations known so far add their severity and are forgotten with a half-life of 20 sessions; relief
    takes its severity off what stands, so that relief as strong as the threat ends it.
    """
    now, marks = session_clock(time), marks_of(time, events)
    columns = {
        risk: standing(now, marks.of(*channels), THREAT_HALF_LIFE, floor=0.0)
        for risk, channels in THREATS.items()
    }
    return pd.DataFrame(columns, index=time)


def impact(issuer: Issuer, channel: str) -> float:
    """Return the log return of an issuer on an escalation of severity 1."""
    own = CHANNELS[channel]
    return own.price * own.betas[FACTORS.index(issuer.factor)] * issuer.volatility / 0.5


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
    table["known_at"] = pd.DatetimeIndex([aware(time) for time in table["known_at"]], tz="UTC").as_unit("ns")
    for column in ("direction", "severity"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    good = table["known_at"].notna() & table["channel"].isin(list(CHANNELS))
    good &= table["direction"].isin([-1, 1]) & table["severity"].between(0, 10)
    if not good.all():
        row = events[EVENT_COLUMNS].iloc[int(good.to_numpy().argmin())].tolist()
        allowed = f"channel one of {', '.join(CHANNELS)}, direction +1 or -1, severity 0 to 10"
        raise DataError(f"events has the row {row}: it needs a time with its offset, {allowed}")
    return table.sort_values("known_at", kind="stable", ignore_index=True)
