"""The pictures of a finished run, one at a time, for a page or a slide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from numpy.typing import ArrayLike, NDArray

from entrepot.errors import ParameterError, shown
from entrepot.reports.attribution import by_pair, by_period, by_sector
from entrepot.reports.leg_risk import linked_orders
from entrepot.reports.pages.findings import Findings, gather
from entrepot.reports.pictures import panels
from entrepot.reports.pictures.leg_risk import draw_leg_risk
from entrepot.reports.pictures.over_time import draw_rolling, draw_trading, explain_drawdowns
from entrepot.reports.pictures.style import Size, foot, head, key, sheet
from entrepot.reports.pictures.waterfall import MOST, draw_waterfall, largest, source_steps
from entrepot.reports.plotted import (
    HALF_YEAR,
    monthly_trading,
    pair_costs,
    rolling_statistics,
    worst_drawdowns,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entrepot.engine.result import Ledger

Picture = Literal[
    "equity",
    "drawdown",
    "exposure",
    "premium",
    "monthly",
    "sources",
    "waterfall",
    "leg_risk",
    "turnover",
    "rolling",
]
By = Literal["source", "leg", "pair", "instrument", "sector", "regime", "year"]

LONGEST_TITLE = 70  # characters of an event's


def plot(
    ledger: Ledger,
    what: Picture,
    *,
    size: Size = "page",
    by: By = "source",
    states: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    events: pd.DataFrame | None = None,
    premium: pd.DataFrame | None = None,
    title: str | None = None,
) -> Axes | NDArray[Any]:
    """Draw one picture of a run, on a figure of its own.

    Args:
        ledger: a finished run.
        what: "equity" with its regimes and main events; "drawdown" with the deepest ones explained;
            "exposure" of each leg; "premium" of the pairs; "monthly" returns; "sources" of profit and loss;
            "waterfall" from capital to final equity; "leg_risk"; "turnover" and costs by month; "rolling"
            Sharpe ratio and volatility over half a year.
        size: "page", as wide as a page of print, or "slide", a whole one.
        by: steps of the waterfall: "source", "leg", "pair", "instrument", "sector", "regime" or "year".
        states: (T,) integers into `names`, the regime decided at each step; None leaves regimes out.
        names: regimes; needed with `states`.
        events: as in `by_event`; None leaves events out.
        premium: parity premium as a fraction, sessions by ADR; needed to draw it.
        title: what was run, in words; None: what was traded. Where prices come from is put behind it.

    Returns:
        The Axes, an array of them for "leg_risk", "turnover" and "rolling".

    Raises:
        ParameterError: where there is no such picture, or not what it needs.
    """
    if not isinstance(what, str) or what not in PICTURES:
        raise ParameterError(f"there is no picture {shown(what)}: give one of {', '.join(PICTURES)}")
    if not isinstance(by, str) or by not in STEPS:
        raise ParameterError(f"by is {shown(by)}: give one of {', '.join(STEPS)}")
    found = gather(ledger, states=states, names=names, events=events, premium=premium, title=title)
    drawn: Axes | NDArray[Any] = PICTURES[what](found, size, by)
    return drawn


def heading(found: Findings) -> str:
    """Say what was run and where its prices come from."""
    return f"{found.title} ({found.ledger.label})"


def along_time(found: Findings, panel: str, height: float, size: object) -> Axes:
    """Draw a panel of the tear sheet, its legend on a line of its own."""
    with sheet(size, height) as (figure, axes, theme):
        ax: Axes = axes
        head(figure, heading(found))
        getattr(panels, f"draw_{panel}")(ax, found, replace(theme, narrow=True))
        panels.time_axis(ax, found)
        if panel == "equity" and found.marked is not None and len(found.marked):
            foot(figure, key(marked_events(found.marked)), theme)
        if panel == "drawdown":
            # Depths are drawn at the time of each sample, and found by its date.
            time = dict(zip(found.ledger.daily.index, found.sampled, strict=True))
            worst = worst_drawdowns(found.ledger.daily)
            explain_drawdowns(ax, worst.assign(Low=worst["Low"].map(time)), theme)
    return ax


def marked_events(marked: pd.DataFrame) -> list[tuple[pd.Timestamp, str]]:
    """Return time and words of the events that are marked, in order."""
    from textwrap import shorten

    titles = [shorten(str(title), LONGEST_TITLE, placeholder="\u2026") for title in marked["title"]]
    relief = marked["direction"].to_numpy(dtype=float) < 0
    words = [f"relief: {title}" if own else title for title, own in zip(titles, relief, strict=True)]
    return list(zip(marked["time"], words, strict=True))


def premium_over_time(found: Findings, size: object) -> Axes:
    """Draw the premium, where there is one."""
    if found.premium is None:
        raise ParameterError(
            "there is no premium to draw: give premium=, fractions with sessions by ADR, as entrepot.premium "
            "has them for a market with pairs"
        )
    return along_time(found, "premium", 2.8, size)


def alone(found: Findings, panel: str, height: float, size: object) -> Axes:
    """Draw a panel of the tear sheet that is not along time."""
    with sheet(size, height) as (figure, axes, theme):
        ax: Axes = axes
        head(figure, heading(found))
        getattr(panels, f"draw_{panel}")(ax, found, replace(theme, narrow=True))
    return ax


def waterfall(found: Findings, size: object, by: By) -> Axes:
    """Draw the way from capital to final equity."""
    ledger = found.ledger
    return draw_waterfall(STEPS[by](found), by, ledger.capital, heading(found), found.currency, size)


def by_regime_decided(found: Findings) -> pd.Series[float]:
    """Return profit and loss of the regimes that occurred."""
    if found.regime is None:
        raise ParameterError("there are no regimes to draw: give states and names, as a regime path has them")
    return found.regime.loc[found.regime["Episodes"] > 0, "P&L"]


def few(total: pd.Series[float], kind: str) -> pd.Series[float]:
    """Return the largest amounts that are not zero, and the sum of the others."""
    present = total[total != 0]
    amounts = dict(zip(map(str, present.index), map(float, present), strict=True))
    return pd.Series(largest(amounts, MOST, kind), dtype=float)


def leg_risk(found: Findings, size: object) -> NDArray[Any]:
    """Draw what waiting for the second leg did."""
    orders = linked_orders(found.ledger)
    return draw_leg_risk(orders, pair_costs(orders), heading(found), found.currency, size)


STEPS: dict[By, Callable[[Findings], pd.Series[float]]] = {
    "source": lambda found: source_steps(found.source),
    "leg": lambda found: found.leg["total"],
    "pair": lambda found: few(by_pair(found.ledger)["total"], "pairs and lines"),
    "instrument": lambda found: few(found.instrument["total"], "instruments"),
    "sector": lambda found: few(by_sector(found.ledger)["total"], "sectors").rename(
        lambda name: name.replace("_", " ")
    ),
    "regime": by_regime_decided,
    "year": lambda found: by_period(found.ledger)["total"],
}
PICTURES: dict[Picture, Callable[[Findings, object, By], Any]] = {
    "equity": lambda found, size, _: along_time(found, "equity", 3.6, size),
    "drawdown": lambda found, size, _: along_time(found, "drawdown", 3.2, size),
    "exposure": lambda found, size, _: along_time(found, "exposure", 2.8, size),
    "premium": lambda found, size, _: premium_over_time(found, size),
    "monthly": lambda found, size, _: alone(found, "monthly", 0.9 + 0.2 * len(found.monthly), size),
    "sources": lambda found, size, _: alone(found, "sources", 3.4, size),
    "waterfall": waterfall,
    "leg_risk": lambda found, size, _: leg_risk(found, size),
    "turnover": lambda found, size, _: draw_trading(monthly_trading(found.ledger), heading(found), size),
    "rolling": lambda found, size, _: draw_rolling(
        rolling_statistics(found.ledger), HALF_YEAR, heading(found), size
    ),
}
