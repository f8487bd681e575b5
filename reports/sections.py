"""The sections of a report: figures as data: URIs, tables as text."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.reports import panels
from entrepot.reports.findings import Findings
from entrepot.reports.sources import source_group
from entrepot.reports.style import DARK, LIGHT, Theme, money, number, source_name
from entrepot.reports.tables import Table, ends, frame_table, plain, series_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 5.6  # inches: with 9 point text, 9 pixels high on a phone 360 pixels wide
DENSITY = 160
TOP_INSTRUMENTS = 15


@dataclass(frozen=True)
class Picture:
    """One figure in both colour schemes, as data: URIs."""

    light: str
    dark: str
    width: int
    height: int
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """One part of the report."""

    anchor: str
    title: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Picture, ...] = ()
    text: tuple[str, ...] = ()


def picture(
    found: Findings,
    height: float,
    alt: str,
    draw: Callable[[Figure, Theme], None],
    caption: str = "",
    above: float = 0.27,
) -> Picture:
    """Draw a figure once per colour scheme, with `above` inches for what stands over the axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = []
    for scheme in (LIGHT, DARK):
        theme = scheme.for_phones()
        with theme.active():
            figure = Figure(figsize=(WIDTH, height))
            FigureCanvasAgg(figure)
            figure.subplots_adjust(0.08, 0.24 / height, 0.985, 1 - above / height)
            draw(figure, theme)
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=DENSITY, metadata={"Software": "entrepot"})
        drawn.append("data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii"))
    if found.simulated:
        caption = f"{caption} Prices: {found.ledger.label}.".strip()
    return Picture(drawn[0], drawn[1], int(WIDTH * DENSITY), int(height * DENSITY), alt, caption)


def over_time(
    found: Findings, panel: str, height: float, alt: str, caption: str = "", above: float = 0.27
) -> Picture:
    """Draw one panel along time."""

    def draw(figure: Figure, theme: Theme) -> None:
        ax = figure.add_subplot()
        getattr(panels, f"draw_{panel}")(ax, found, theme)
        panels.time_axis(ax, found)

    return picture(found, height, alt, draw, caption, above)


def performance(found: Findings) -> Section:
    """Equity, drawdown, monthly returns, exposure, the summary."""
    value = found.summary
    shaded = " Regimes are shaded." if found.states is not None else ""
    marks = " Numbers mark the main events: a solid line is escalation, a dotted one relief."
    marks = "" if found.marked is None else marks
    figures = [
        over_time(
            found, "equity", 3.3,
            f"Equity over time, from {money(value['Start Value'], found.currency)} to "
            f"{money(value['End Value'], found.currency)}.",
            f"Equity at the last step of each session.{shaded}{marks}",
            0.27 if found.states is None else 0.47,
        ),
        over_time(
            found, "drawdown", 1.7, f"Drawdown over time, at worst {number(value['Max Drawdown [%]'], 1)} %."
        ),
        over_time(found, "exposure", 2.2, "Net exposure of each leg over time, per cent of equity."),
    ]  # fmt: skip
    if found.premium is not None:
        figures.append(over_time(found, "premium", 2.2, "Premium of the ADRs to parity over time, per cent."))
    monthly = found.monthly.mul(100).rename(columns=dict(zip(range(1, 13), panels.MONTHS, strict=True)))
    undefined = f"Undefined: {value['Undefined']}." if value["Undefined"] else ""
    tables = (
        series_table(value.drop("Undefined"), "Summary", undefined),
        frame_table(monthly, "Monthly returns, %", digits=1),
    )
    return Section("performance", "Performance", tables, tuple(figures))


def contributions(found: Findings) -> Section:
    """Profit and loss by source, leg and instrument."""
    height = 0.6 + 0.21 * max(6, int((found.source != 0).sum()))

    def draw(figure: Figure, theme: Theme) -> None:
        left, width = 0.26, 0.73
        ax = figure.add_axes((left, 0.02, width, 1 - 0.35 / height))
        panels.draw_sources(ax, found, theme, title_x=-left / width)

    amounts = ", ".join(f"{source_name(str(name))} {money(value)}" for name, value in found.source.items())
    figure = picture(found, height, f"Profit and loss by source: {amounts}.", draw)
    source = found.source.to_frame()
    source.insert(0, "group", [source_group(str(name)) for name in source.index])
    source["% of capital"] = 100 * source["P&L"] / found.ledger.capital
    source.index = pd.Index([source_name(str(name)) for name in source.index])
    total = {"group": "", "P&L": source["P&L"].sum(), "% of capital": source["% of capital"].sum()}
    source = pd.concat([source, pd.DataFrame([total], index=["total"])])
    top, rest = found.instrument.head(TOP_INSTRUMENTS), found.instrument.iloc[TOP_INSTRUMENTS:]
    instrument = top.copy()
    if len(rest):
        instrument.loc[f"{len(rest)} others"] = rest.sum()
    instrument.loc["total"] = found.instrument.sum()
    leg = found.leg.copy()
    leg.loc["total"] = leg.sum()
    unit = f"{found.currency}; costs are negative."
    largest = f"Largest totals first. {unit}"
    tables = (
        frame_table(source, "By source", unit, corner="source", foot=1),
        frame_table(readable(leg), "By leg", unit, foot=1),
        frame_table(readable(instrument), "By instrument and source", largest, foot=1),
    )
    return Section("contributions", "Contributions", tables, (figure,))


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Put the total first and name the sources for readers."""
    ordered = table[["total", *(name for name in table.columns if name != "total")]]
    return ordered.round(0).rename(columns=lambda name: name if name == "total" else source_name(str(name)))


def regimes(found: Findings) -> Section:
    """The table per regime."""
    if found.regime is None:
        return Section("regimes", "Regimes")
    table = found.regime.copy()
    sums = table[["P&L", "P&L [%]", "Share of Time [%]", "Sessions", "Episodes", "Costs"]].sum()
    table.loc["total"] = sums.reindex(table.columns)
    table[["Sessions", "Episodes"]] = table[["Sessions", "Episodes"]].astype(int)
    note = (
        f"{found.currency}. The profit between two steps belongs to the regime decided at the first; risk "
        "figures use session returns by the regime decided at the close before."
    )
    return Section("regimes", "Regimes", (frame_table(table, "By regime", note, foot=1),))


def events(found: Findings) -> Section:
    """The table per event."""
    if found.event is None:
        return Section("events", "Events")
    table = found.event.reset_index(drop=True)
    marked = () if found.marked is None else found.marked.index
    position = {name: str(i) for i, name in enumerate(marked, start=1)}
    table.insert(0, "mark", [position.get(name, "") for name in found.event.index])
    table["title"] = [*table["title"].iloc[:-1], "no event"]
    table["direction"] = table["direction"].map({1.0: "escalation", -1.0: "relief"}).fillna("")
    table["severity"] = ["" if np.isnan(v) else f"{v:g}" for v in table["severity"]]
    table = table[["known_at", "mark", "title", "channel", "direction", "severity", *table.columns[6:]]]
    total = {name: table[name].sum() for name in ("P&L", "P&L [%]", "Costs")}
    table = pd.concat([table, pd.DataFrame([{"title": "total", **total}])], ignore_index=True)
    table = table.set_index("known_at")
    for name in ("mark", "channel", "direction", "severity"):
        table[name] = table[name].fillna("")
    for name in ("Steps", "Shared [%]"):
        table[name] = ["" if np.isnan(v) else f"{v:,.0f}" for v in table[name]]
    note = (
        f"{found.currency}. Profit within {found.sessions:g} New York sessions of the moment each became "
        "known; windows that overlap share it equally. Steps: in the window; shared: also in other windows."
    )
    shown = frame_table(table, "By event", note, foot=2, folded=len(table) > 30)
    return Section("events", "Events", (shown,))


def costs(found: Findings, sensitivity: pd.DataFrame | None) -> Section:
    """Costs by kind, what was assumed, and the result under other assumptions."""
    ledger = found.ledger
    paid = pd.DataFrame({"cost": ledger.costs()})
    paid.insert(0, "group", [source_group(str(kind)) for kind in paid.index])
    paid["% of capital"] = 100 * paid["cost"] / ledger.capital
    fills = ledger.fills
    traded = float((fills["notional"] * fills["fx"]).sum()) if len(fills) else 0.0
    paid["bp of value traded"] = 1e4 * paid["cost"] / traded if traded else np.nan
    paid.index = pd.Index([source_name(str(kind)) for kind in paid.index], name="kind")
    total = {"group": "", **paid.drop(columns="group").sum(min_count=1)}
    paid = pd.concat([paid, pd.DataFrame([total], index=["total"])]).rename_axis("kind")
    tables = [frame_table(paid, "Costs by kind", f"{found.currency}, positive where paid.", foot=1)]
    if sensitivity is not None:
        tables.append(frame_table(sensitivity, "The result under other costs", corner="case"))
    model = getattr(ledger, "cost_model", None)
    if is_dataclass(model):
        given = {item.name: assumed(getattr(model, item.name)) for item in fields(model)}
        tables.append(series_table(pd.Series(given, dtype=object), "Costs assumed", folded=True))
    return Section("costs", "Costs", tuple(tables))


def assumed(value: object) -> str:
    """Write one assumption about costs."""
    if value is None:
        return "the dated or tabled default"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {item}" for key, item in value.items()) or "none"
    if isinstance(value, frozenset | set | tuple):
        return ", ".join(str(item) for item in sorted(value)) or "none"
    return f"{value:,g}" if isinstance(value, float) else str(value)


def orders(found: Findings, rows: int) -> Section:
    """Fills, orders that were not filled, and sessions without a price."""
    ledger = found.ledger
    columns = [
        "time",
        "symbol",
        "quantity",
        "price",
        "fill_price",
        "currency",
        "notional",
        "slippage",
        "fees",
    ]
    columns += ["fx", "reason", "pair"]
    shown, note = ends(ledger.fills[columns], rows)
    dropped, dropped_note = ends(ledger.dropped, rows)
    reasons = ledger.dropped["reason"].value_counts().rename_axis("reason").rename("orders")
    gaps = ledger.gaps[ledger.gaps > 0].sort_values(ascending=False)
    gap_note = "Scheduled sessions without a price, by symbol that has any."
    fill_note = f"{note} Prices and fees in local currency."
    tables = (
        frame_table(shown.set_index("time"), "Fills", fill_note, folded=True),
        frame_table(reasons.to_frame(), "Orders dropped, by reason"),
        frame_table(dropped.reset_index(drop=True), "Orders dropped", dropped_note, folded=True),
        frame_table(gaps.to_frame("sessions"), "Gaps", gap_note, corner="symbol", folded=True),
    )
    return Section("orders", "Orders and data", tables)


def provenance(found: Findings, given: Mapping[str, str]) -> Section:
    """Where prices and plan came from, and every note made on the way."""
    ledger = found.ledger
    grid = ledger.market.grid
    facts = {
        "Prices": ledger.label,
        "Steps": f"{len(grid):,}, from {plain(grid['time'].iloc[0])} to {plain(grid['time'].iloc[-1])} UTC",
        "Venues": ", ".join(sorted(set(grid["venue"].astype(str)))),
        "Instruments": f"{len(ledger.market.instruments):,} in the market, {len(ledger.gaps):,} traded",
        "Capital": f"{ledger.capital:,.0f} {found.currency}",
        **given,
    }
    notes = [
        *("market: " + note for note in ledger.market.notes),
        *("plan: " + note for note in ledger.plan_notes),
    ]
    listed = pd.DataFrame({"note": notes}, index=pd.RangeIndex(len(notes)))
    tables = (
        series_table(pd.Series(facts, dtype=object), "Provenance"),
        frame_table(listed, f"Notes ({len(notes)})", folded=len(notes) > 12),
    )
    return Section("provenance", "Provenance and notes", tables)
