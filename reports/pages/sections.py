"""The sections of a run's report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.reports.attribution import event_sources, regime_sources
from entrepot.reports.leg_risk import TOTAL, leg_risk
from entrepot.reports.metrics import COST_ROWS
from entrepot.reports.pages.caveats import BY_REGIME
from entrepot.reports.pages.document import Picture, Section
from entrepot.reports.pages.findings import Findings
from entrepot.reports.pages.tables import (
    Table,
    ends,
    frame_table,
    mapping_table,
    plain,
    series_table,
    transposed,
)
from entrepot.reports.pair_trades import pair_trades
from entrepot.reports.pictures import panels
from entrepot.reports.pictures.style import Theme, money, number, source_name
from entrepot.reports.sources import INCOME, MARKET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIRECTIONS = {1.0: "escalation", -1.0: "relief"}
TOP_INSTRUMENTS = 15
TOP_TRADES = 10


def picture(
    found: Findings,
    key: str,
    height: float,
    alt: str,
    draw: Callable[[Figure, Theme], None],
    caption: str = "",
    above: float = 0.27,
) -> Picture:
    """Draw a figure of a run; where its prices are simulated the caption says so."""
    if found.simulated:
        caption = f"{caption} Prices: {found.label}.".strip()
    return Picture(key, height, alt, draw, caption, above)


def over_time(
    found: Findings, panel: str, height: float, alt: str, caption: str = "", *, legend: bool = False
) -> Picture:
    """Draw one panel along time."""

    def draw(figure: Figure, theme: Theme) -> None:
        ax = figure.add_subplot()
        getattr(panels, f"draw_{panel}")(ax, found, theme)
        panels.time_axis(ax, found)

    return picture(found, panel, height, alt, draw, caption, 0.47 if legend else 0.27)


def performance(found: Findings) -> Section:
    """Equity, drawdown, monthly returns, exposure, the summary."""
    value = found.summary
    shaded = " Regimes are shaded." if found.states is not None else ""
    marks = " Numbers mark the main events: a solid line is escalation, a dotted one relief."
    marks = "" if found.marked is None else marks
    figures = [
        over_time(
            found, "equity", 2.9,
            f"Equity over time, from {money(value['Start Value'], found.currency)} to "
            f"{money(value['End Value'], found.currency)}.",
            f"Equity at the last step of each session.{shaded}{marks}",
            legend=found.states is not None,
        ),
        over_time(
            found, "drawdown", 1.5, f"Drawdown over time, at worst {number(value['Max Drawdown [%]'], 1)} %."
        ),
        over_time(
            found, "exposure", 2.0, "Net exposure of each leg over time, per cent of equity.", legend=True
        ),
    ]  # fmt: skip
    if found.premium is not None:
        what = "Premium of the ADRs to parity over time, per cent."
        figures.append(over_time(found, "premium", 2.0, what, legend=True))
    monthly = found.monthly.mul(100).rename(columns=dict(zip(range(1, 13), panels.MONTHS, strict=True)))
    notes = [f"Sampling: {value['Sampling']}."]
    notes += [f"Undefined: {value['Undefined']}."] if value["Undefined"] else []
    beside = [
        series_table(value[names], title, note, figures=True)
        for title, names, note in summary_parts(found, " ".join(notes))
    ]
    tables = (frame_table(monthly, "Monthly returns, %", digits=1),)
    return Section("performance", "Performance", tables, tuple(figures), tuple(beside))


def summary_parts(found: Findings, note: str) -> list[tuple[str, list[str], str]]:
    """Part the summary into tables, each with its title, its rows and its note; costs have their section."""
    names = [str(name) for name in found.summary.index]
    run = ["Start", "End", "Period", "Sessions", "Start Value", "End Value"]
    risk = names[names.index("Total Return [%]") : names.index("Skew")]
    shape = names[names.index("Skew") : names.index("Positive Months [%]") + 1]
    benchmark = names[names.index("Positive Months [%]") + 1 : names.index("Trades")]
    apart = {*run, *COST_ROWS, *risk, *shape, *benchmark, "Sampling", "Undefined"}
    traded = [name for name in names if name not in apart]
    parts = [
        ("Summary: return and risk", risk, note),
        ("Summary: run and trades", run + traded, ""),
        ("Summary: days and months", shape, ""),
        ("Summary: against the benchmark", benchmark, ""),
    ]
    return [part for part in parts if part[1]]


def contributions(found: Findings) -> Section:
    """Profit and loss by source, leg and instrument."""
    height = 0.45 + 0.19 * max(6, len(panels.source_bars(found.source)) + 1)

    def draw(figure: Figure, theme: Theme) -> None:
        left, width = 0.29, 0.7
        ax = figure.add_axes((left, 0.02, width, 1 - 0.35 / height))
        panels.draw_sources(ax, found, theme, title_x=-left / width)

    amounts = ", ".join(f"{source_name(str(name))} {money(value)}" for name, value in found.source.items())
    figure = picture(found, "sources", height, f"Profit and loss by source: {amounts}.", draw)
    top, rest = found.instrument.head(TOP_INSTRUMENTS), found.instrument.iloc[TOP_INSTRUMENTS:]
    instrument = top.copy()
    if len(rest):
        instrument.loc[f"{len(rest)} others"] = rest.sum()
    source = found.leg.T.rename(index=lambda name: name if name == "total" else source_name(str(name)))
    source.insert(0, "all", source.sum(axis=1))
    source.insert(1, "% of capital", 100 * source["all"] / found.ledger.capital)
    source = source.loc[[*(name for name in source.index if name != "total"), "total"]]
    source = source.round(dict.fromkeys(source.columns.drop("% of capital"), 0))
    unit = f"{found.currency}; costs are negative."
    largest = f"Largest totals first. {unit}"
    tables = (
        frame_table(source, "By source and leg", unit, corner="source", foot=1),
        totalled(grouped(instrument), "By instrument", largest, "instrument"),
        totalled(by_name(instrument), "By instrument and source", largest, "instrument", folded=True),
    )
    return Section("contributions", "Contributions", tables, (figure,))


def totalled(frame: pd.DataFrame, title: str, note: str, corner: str, *, folded: bool = False) -> Table:
    """Tabulate amounts, whole, with their sums below: the rows add up to all there is."""
    shown = frame.copy()
    shown.loc["total"] = shown.sum(min_count=1)
    return frame_table(shown.round(0), title, note, corner=corner, folded=folded, foot=1)


def grouped(table: pd.DataFrame) -> pd.DataFrame:
    """Add the sources up to what the market did, income and costs."""
    market = table[[name for name in MARKET if name in table]].sum(axis=1)
    income = table[[name for name in INCOME if name in table]].sum(axis=1)
    return pd.DataFrame(
        {
            "total": table["total"],
            "price and FX": market,
            "income": income,
            "costs": table["total"] - market - income,
        }
    )


def by_name(table: pd.DataFrame) -> pd.DataFrame:
    """Name the sources for readers."""
    return table.rename(columns=lambda name: name if name == "total" else source_name(str(name)))


def regimes(found: Findings) -> Section:
    """The tables per regime, and per regime and source."""
    if found.regime is None or found.states is None:
        return Section("regimes", "Regimes")
    table = found.regime.copy()
    sums = table[["P&L", "P&L [%]", "Share of Time [%]", "Sessions", "Episodes", "Costs"]].sum()
    table.loc["total"] = sums.reindex(table.columns)
    table[["Sessions", "Episodes"]] = table[["Sessions", "Episodes"]].astype(int)
    note = f"{found.currency}. {BY_REGIME}"
    parts = by_name(regime_sources(found.ledger, found.states, found.names))
    unit = f"{found.currency}; costs are negative."
    sources = transposed(totalled(parts, "By regime and source", unit, "regime", folded=True))
    return Section("regimes", "Regimes", (transposed(frame_table(table, "By regime", note)), sources))


def events(found: Findings) -> Section:
    """The tables of the marked events, per kind of event and per event."""
    if found.event is None or found.calendar is None:
        return Section("events", "Events")
    table = found.event.reset_index(drop=True)
    marked = () if found.marked is None else found.marked.index
    position = {name: str(i) for i, name in enumerate(marked, start=1)}
    table.insert(0, "mark", [position.get(name, "") for name in found.event.index])
    table["title"] = [*table["title"].iloc[:-1], "no event"]
    table["channel"] = table["channel"].astype(str).str.replace("_", " ")
    table["direction"] = table["direction"].map(DIRECTIONS).fillna("")
    table = table[["known_at", "mark", "title", "channel", "direction", "severity", *table.columns[6:]]]
    total = {name: table[name].sum() for name in ("P&L", "P&L [%]", "Costs")}
    table = pd.concat([table, pd.DataFrame([{"title": "total", **total}])], ignore_index=True)
    table = table.set_index("known_at")
    for name in ("mark", "channel", "direction"):
        table[name] = table[name].fillna("")
    table["Shared [%]"] = table["Shared [%]"].round()
    for name in ("severity", "Steps", "Shared [%]"):
        table[name] = pd.Series([blank(v) for v in table[name]], index=table.index, dtype=object)
    note = (
        f"{found.currency}. Profit within {found.sessions:g} New York sessions of the moment each became "
        "known; windows that overlap share it equally. Steps: in the window; shared: also in other windows."
    )
    shown = [
        kinds_of_event(found, found.calendar),
        frame_table(table, "By event", note, foot=2, folded=len(table) > 30),
    ]
    if found.marked is not None and len(found.marked):
        main = pd.DataFrame(
            {
                "mark": [*position.values()],
                "known": [f"{when:%Y-%m-%d}" for when in found.marked["time"]],
                "P&L": found.marked["P&L"].to_numpy(),
                "event": found.marked["title"].to_numpy(),
            }
        ).set_index("mark")
        what = f"{found.currency}, within {found.sessions:g} sessions of each."
        shown.insert(0, frame_table(main, "Marked events", what))
    return Section("events", "Events", tuple(shown))


def kinds_of_event(found: Findings, calendar: pd.DataFrame) -> Table:
    """Tabulate profit by channel and direction of the events it came after."""
    table = event_sources(found.ledger, calendar, found.sessions, ["channel", "direction"])
    table = table.rename(index=lambda kind: str(kind).replace("_", " "))
    note = (
        f"{found.currency}; costs are negative. Within {found.sessions:g} sessions of each; windows that "
        "overlap share equally."
    )
    return totalled(grouped(table), "By kind of event", note, "events")


def blank(value: float) -> float | None:
    """Leave blank what is not defined, and write whole numbers without decimals."""
    return None if np.isnan(value) else int(value) if value == round(value) else value


# What None means where it is not "the default".
NOT_GIVEN = {
    "availability": "always",
    "fees": "none in place of the schedule's",
    "margin": "none asked for",
    "max_fill_shares": "no cap",
    "stress_states": "those the regime path calls stressed",
}


def costs(found: Findings, sensitivity: pd.DataFrame | None) -> Section:
    """Costs by kind, what was assumed, and the result under other assumptions."""
    ledger = found.ledger
    paid = pd.DataFrame({"cost": ledger.costs()})
    paid["% of capital"] = 100 * paid["cost"] / ledger.capital
    fills = ledger.fills
    traded = float((fills["notional"] * fills["fx"]).sum()) if len(fills) else 0.0
    paid["bp of value traded"] = 1e4 * paid["cost"] / traded if traded else np.nan
    paid.index = pd.Index([source_name(str(kind)) for kind in paid.index], name="kind")
    paid.loc["total"] = paid.sum(min_count=1)
    tables = [frame_table(paid, "Costs by kind", f"{found.currency}, positive where paid.", foot=1)]
    if sensitivity is not None:
        few = len(sensitivity) <= 3
        corner = "figure" if few else "case"
        note = "The same plan on the same prices, run again under each."
        cases = frame_table(
            sensitivity, "Under other terms of borrow, and with other exits", note, corner=corner
        )
        tables.append(transposed(cases) if few else cases)
    model = getattr(ledger, "cost_model", None)
    if is_dataclass(model):
        given = {item.name: assumed(getattr(model, item.name)) for item in fields(model)}
        given |= {name: words for name, words in NOT_GIVEN.items() if not_given(getattr(model, name, True))}
        tables.append(mapping_table(given, "Costs assumed", folded=True))
    return Section("costs", "Costs", tuple(tables))


def not_given(value: object) -> bool:
    """Whether a cost was left out; a table is given, and so is a set of no states."""
    return value is None or (isinstance(value, Mapping) and not value)


def assumed(value: object) -> str:
    """Write one assumption about costs."""
    if value is None:
        return "the dated or tabled default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, pd.DataFrame | pd.Series):
        return f"a table of {len(value)} rows, given"
    if is_dataclass(value):
        own = [item for item in fields(value) if getattr(value, item.name) != item.default]
        return ", ".join(f"{item.name} {assumed(getattr(value, item.name))}" for item in own)
    if isinstance(value, Mapping):
        named = {" ".join(key) if isinstance(key, tuple) else key: item for key, item in value.items()}
        return "; ".join(f"{key}: {assumed(item)}" for key, item in named.items()) or "none"
    if isinstance(value, frozenset | set | tuple):
        return ", ".join(str(item) for item in sorted(value)) or "none"
    return f"{value:,g}" if isinstance(value, float) else str(value)


def pairs(found: Findings) -> Section:
    """What it cost that legs trade hours apart, and the best and worst pair trades."""
    risk = leg_risk(found.ledger)
    if risk.empty:
        return Section("pairs", "Pair trades and leg risk")
    shares = ["over_24h", "mean_move", "std_move"]
    risk[shares] *= 100
    risk[["worst_cost", "cost"]] = risk[["worst_cost", "cost"]].round(0)
    risk = risk.drop(index=TOTAL) if len(risk) == 2 else risk
    names = {name: f"{name.replace('_', ' ')} [%]" for name in shares}
    names |= {"over_24h": "over 24 h [%]", "cost_bp": "cost, bp of value traded"}
    risk_note = (
        f"{found.currency}, positive where waiting cost. From a lead's fill until its shares are hedged, "
        "against a hedge at once at the last price known of the other line. That price was hours old: part "
        "of the move had happened before the lead, and nobody could have hedged at it. What one order lost "
        "or won is the night's news; only a mean that stays away from zero is a cost."
    )
    trades = pair_trades(found.ledger).sort_values("net", ascending=False, kind="stable")
    columns = ["entry", "exit", "direction", "exit_by", "sessions", "entry_premium", "exit_premium", "gross"]
    trades = trades.set_index("pair")[[*columns, "costs", "net", "net [%]", "leg_cost"]]
    money_columns = ["gross", "costs", "net", "leg_cost"]
    trades[money_columns] = trades[money_columns].round(0)
    trades["sessions"] = trades["sessions"].round(1)
    trades["direction"] = trades["direction"].map({1: "long HK", -1: "short HK"})
    premiums = ["entry_premium", "exit_premium"]
    trades[premiums] *= 100
    trades = trades.rename(columns={name: f"{name} [%]" for name in premiums})
    shown, note = ends(trades, TOP_TRADES)
    trade_note = (
        f"Best first, {found.currency}; costs are positive. {note} Premiums as traded, on average; the leg "
        "cost is part of gross."
    )
    tables = (
        transposed(frame_table(risk.rename(columns=names), "Leg risk by pair", risk_note))
        if len(risk) <= 6
        else frame_table(risk.rename(columns=names), "Leg risk by pair", risk_note, foot=1),
        frame_table(shown, "Best and worst pair trades", trade_note, folded=len(shown) > 12),
    )
    return Section("pairs", "Pair trades and leg risk", tables)


MOVED_NOTE = (
    "Shares that became other shares or cash without a trade; the fee is the depositary's, in dollars."
)


def orders(found: Findings, rows: int) -> Section:
    """Fills, orders that were not filled, and sessions without a price."""
    ledger = found.ledger
    columns = ["time", "symbol", "quantity", "price", "fill_price", "currency", "notional", "slippage"]
    columns += ["impact"] if ledger.fills.get("impact", pd.Series(dtype=float)).any() else []
    columns += ["fees", "fx", "reason", "pair"]
    columns += ["estimated"] if ledger.fills.get("estimated", pd.Series(dtype=bool)).any() else []
    shown, note = ends(ledger.fills[columns], rows)
    moved = ledger.conversions.drop(columns=["step", "pair"]).set_index("time")
    dropped, dropped_note = ends(ledger.dropped, rows)
    reasons = ledger.dropped["reason"].value_counts().rename_axis("reason").rename("orders")
    gaps = ledger.gaps[ledger.gaps > 0].sort_values(ascending=False)
    gap_note = "Scheduled sessions without a price, by symbol that has any."
    fill_note = f"{note} Prices and fees in local currency."
    tables = (
        frame_table(shown.set_index("time"), "Fills", fill_note, folded=True),
        frame_table(moved, "Conversions", MOVED_NOTE, folded=True),
        frame_table(reasons.to_frame(), "Orders dropped or cut, by reason"),
        frame_table(dropped.reset_index(drop=True), "Orders dropped or cut", dropped_note, folded=True),
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
    listed = pd.Series(notes, index=pd.RangeIndex(len(notes)), name="note", dtype=object).to_frame()
    tables = (
        mapping_table(facts, "Provenance"),
        frame_table(listed, f"Notes ({len(notes)})", folded=len(notes) > 12),
    )
    return Section("provenance", "Provenance and notes", tables)
