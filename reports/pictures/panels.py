"""The panels of tear sheets and reports, each drawn into axes it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.pictures import regime_shades, time_axis as along_time
from entrepot.reports.pictures.style import LINE_STYLES, Theme, money, number, source_name
from entrepot.reports.sources import is_cost

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entrepot.reports.pages.findings import Findings

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BARS = 13
AMOUNT = 5.4  # text sizes: the width of an amount and of the room around it


def time_axis(ax: Axes, found: Findings, labels: bool = True) -> None:
    """Span the run."""
    if len(found.time):
        along_time.span(ax, found.time[0], found.time[-1], labels)


def title(ax: Axes, text: str, theme: Theme, legend: bool = False) -> None:
    """Head a panel; where there is no room beside it, its legend has the line below."""
    # With y given, no space for tick labels above the axes is looked for, which costs more than the drawing.
    ax.set_title(text, y=1.0, pad=2.0 * theme.size if legend and theme.narrow else 4.0 * theme.scale)


def shade_regimes(ax: Axes, found: Findings, theme: Theme) -> None:
    """Shade what was decided."""
    if found.states is not None:
        regime_shades.shade(ax, found.time, found.states, len(found.names), theme)


def regime_legend(ax: Axes, found: Findings, theme: Theme) -> None:
    """Name the shades above the axes, at the right."""
    if found.states is not None:
        legend_above(ax, regime_shades.patches(found.names, theme))


def legend_above(ax: Axes, handles: list[Any]) -> None:
    """Put a legend in the title's line, at the right, where it covers no data."""
    if handles:
        ax.legend(
            handles=handles, loc="lower right", bbox_to_anchor=(1.005, 0.985), ncols=len(handles),
            borderpad=0.1, handlelength=2.0, columnspacing=1.1, handletextpad=0.5, borderaxespad=0.1,
        )  # fmt: skip


def draw_equity(ax: Axes, found: Findings, theme: Theme, events: bool = True) -> None:
    """Equity at the daily samples, regimes shaded, main events as numbered marks along the top."""
    daily = found.ledger.daily
    level = daily.to_numpy(dtype=float)
    scale, unit = next(
        (
            (s, u)
            for s, u in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand"))
            if found.ledger.capital >= s
        ),
        (1.0, ""),
    )
    shade_regimes(ax, found, theme)
    ax.plot(found.sampled, level / scale, color=theme.lines[0], linewidth=theme.thick, zorder=3)
    ax.axhline(
        found.ledger.capital / scale, color=theme.faint, linewidth=theme.thin, linestyle=(0, (2, 2)), zorder=2
    )
    heading = f"Equity, {found.currency}{unit}{' (simulated market)' if found.simulated else ''}"
    title(ax, heading, theme, legend=found.states is not None)
    regime_legend(ax, found, theme)
    marked = found.marked
    if not events or marked is None or marked.empty:
        return
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.13 * (high - low))
    for position, (when, direction) in enumerate(
        zip(marked["time"], marked["direction"], strict=True), start=1
    ):
        relief = direction < 0
        ax.axvline(
            when,
            color=theme.ink,
            linewidth=theme.thin,
            linestyle=(0, (1, 1.5)) if relief else "-",
            ymax=0.9,
            zorder=1,
        )
        ax.text(
            when, 0.945, str(position), transform=ax.get_xaxis_transform(), ha="center", va="center",
            fontsize=theme.small, color=theme.ink if relief else theme.paper, zorder=5, fontweight="bold",
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": theme.paper if relief else theme.ink,
                  "edgecolor": theme.ink, "linewidth": theme.thin},
        )  # fmt: skip


def draw_drawdown(ax: Axes, found: Findings, theme: Theme) -> None:
    """Fall of sampled equity from its peak, per cent."""
    level = found.ledger.daily.to_numpy(dtype=float)
    if len(level):
        fall = 100 * (level / np.maximum.accumulate(level) - 1)
        ax.fill_between(found.sampled, fall, 0, color=theme.lines[0], alpha=0.25, linewidth=0)
        ax.plot(found.sampled, fall, color=theme.lines[0], linewidth=theme.thin)
    low = ax.get_ylim()[0]
    ax.set_ylim(low if low < 0 else -1, 0)
    title(ax, "Drawdown, %", theme)


def draw_premium(ax: Axes, found: Findings, theme: Theme) -> None:
    """Parity premium of the traded pairs, per cent: lines up to three, else the median and a band."""
    if found.premium is None:
        return
    table = 100 * found.premium
    handles: list[Any] = []
    if table.shape[1] <= 3:
        for i, name in enumerate(table.columns):
            line = table[name].dropna()
            handles += ax.plot(
                pd.DatetimeIndex(line.index),
                line,
                color=theme.lines[i],
                linestyle=LINE_STYLES[i],
                label=str(name),
                linewidth=theme.thin,
            )
    else:
        table = table.dropna(how="all")
        when = pd.DatetimeIndex(table.index)
        low, mid, high = row_quantiles(table.to_numpy(dtype=float), (0.1, 0.5, 0.9))
        band = ax.fill_between(
            when, low, high, color=theme.lines[1], alpha=0.5, linewidth=0, label="10 to 90 % of pairs"
        )  # fmt: skip
        ax.set_ylim(1.3 * min(np.quantile(low, 0.005), 0.0), 1.3 * max(np.quantile(high, 0.995), 0.0))
        handles = [
            *ax.plot(
                when,
                mid,
                color=theme.lines[0],
                linewidth=theme.thin,
                label=f"median of {table.shape[1]} pairs",
            ),
            band,
        ]
    ax.axhline(0, color=theme.faint, linewidth=theme.thin)
    align = table.attrs.get("align") or found.premium.attrs.get("align")
    title(ax, f"ADR premium to parity, %{f' ({align})' if align else ''}", theme, legend=True)
    legend_above(ax, handles)


def row_quantiles(values: NDArray[np.float64], at: tuple[float, ...]) -> list[NDArray[np.float64]]:
    """Quantiles of each row, NaN left out, interpolated linearly; no row may be all NaN."""
    ordered = np.sort(values, axis=1)  # NaN last
    rows, last = np.arange(len(values)), np.isfinite(values).sum(axis=1) - 1
    out = []
    for q in at:
        place = q * last
        below = place.astype(int)
        low, high = ordered[rows, below], ordered[rows, np.minimum(below + 1, last)]
        out.append(low + (place - below) * (high - low))
    return out


def draw_exposure(ax: Axes, found: Findings, theme: Theme) -> None:
    """Net value of each leg and their sum, per cent of equity."""
    table = 100 * found.exposure
    handles: list[Any] = []
    for i, name in enumerate(table.columns):
        handles += ax.step(
            found.sampled, table[name], where="post", color=theme.lines[i % 4], linestyle=LINE_STYLES[i % 4],
            label=str(name),
        )  # fmt: skip
    net = table.sum(axis=1, min_count=1)
    handles += ax.step(
        found.sampled, net, where="post", color=theme.lines[3], linewidth=theme.thin, label="net", zorder=1.5
    )
    ax.axhline(0, color=theme.faint, linewidth=theme.thin)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -10.0), max(high, 10.0))
    title(ax, "Exposure per leg, % of equity", theme, legend=True)
    legend_above(ax, handles)


def source_bars(source: pd.Series[Any], limit: int = BARS) -> list[tuple[str, float]]:
    """Choose the bars: what was earned or lost by holding, the costs by size, the least of them as one."""
    present = source[source != 0]
    held = [(str(name), float(v)) for name, v in present.items() if not is_cost(str(name))]
    paid = sorted(((str(n), float(v)) for n, v in present.items() if is_cost(str(n))), key=lambda bar: bar[1])
    bars = [(source_name(name), v) for name, v in held]
    alone = len(paid) if len(held) + len(paid) <= limit else max(limit - len(held) - 1, 1)
    bars += [(source_name(name), v) for name, v in paid[:alone]]
    rest = paid[alone:]
    if rest:
        bars.append((f"{len(rest)} other costs", sum(v for _, v in rest)))
    return bars


def draw_sources(ax: Axes, found: Findings, theme: Theme, title_x: float = 0.0) -> None:
    """Profit and loss by source as bars with their amounts, and their sum; losses are hatched."""
    bars = source_bars(found.source)
    ax.set_title(
        f"Contribution by source, {found.currency}",
        pad=(4 if theme.narrow else 14) * theme.scale,
        x=title_x,
        y=1.0,
    )
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    if not bars:
        ax.set_yticks([])
        ax.text(
            0.5, 0.5, "nothing was earned or paid", transform=ax.transAxes, ha="center", color=theme.faint
        )
        return
    bars.append(("Total", sum(v for _, v in bars)))
    known = np.array([v for _, v in bars])
    value = np.nan_to_num(known)
    row = np.arange(len(value), dtype=float)
    row[-1] += 0.35
    for sign, color in ((1, theme.gain), (-1, theme.loss)):
        mine = np.sign(value) == sign
        drawn = ax.barh(row[mine], value[mine], height=0.62, color=color)
        for bar in drawn if sign < 0 else ():
            bar.set(hatch="/////", edgecolor=theme.paper, linewidth=0)
    ax.set_yticks(row, [name for name, _ in bars])
    figure = ax.get_figure(root=True)
    assert figure is not None
    slots = max(row[-1] + 1, 6)
    pitch = 72 * ax.get_position().height * figure.get_figheight() / slots
    size = min(theme.small, 0.84 * pitch)
    ax.tick_params(axis="y", colors=theme.ink, labelsize=size)
    ax.get_yticklabels()[-1].set_fontweight("bold")
    ax.set_ylim(row[-1] + 0.5 + 0.5 * (slots - row[-1] - 1), -0.6)
    ax.axhline(row[-1] - 0.675, color=theme.rule, linewidth=theme.thin)
    ax.axvline(0, color=theme.faint, linewidth=theme.thin)
    ax.set_xlim(*with_labels(value, AMOUNT * size / (72 * ax.get_position().width * figure.get_figwidth())))
    for y, v, amount in zip(row, value, known, strict=True):
        ax.annotate(
            money(amount), (v, y), xytext=(0.4 if v > 0 else -0.4, 0), textcoords="offset fontsize",
            ha="left" if v > 0 else "right", va="center", fontsize=size,
            fontweight="bold" if y == row[-1] else "normal",
        )  # fmt: skip


def with_labels(value: NDArray[np.float64], label: float) -> tuple[float, float]:
    """Return limits with room for a label at the end of each bar.

    Args:
        value: where the bars end; they begin at 0.
        label: width of a label, as a part of the axis.
    """
    low, high = min(float(value.min()), 0.0), max(float(value.max()), 0.0)
    before, behind = (label if there else 0.01 for there in (low < 0, high > 0))
    whole = (high - low or 1.0) / max(1 - before - behind, 0.2)
    return low - before * whole, high + behind * whole


def draw_monthly(ax: Axes, found: Findings, theme: Theme) -> None:
    """Monthly and yearly returns, per cent, as a table with tinted cells."""
    from matplotlib.colors import LinearSegmentedColormap

    table = 100 * found.monthly
    ax.set_title("Monthly returns, %", pad=14 * theme.scale, y=1.0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    value = table.to_numpy(dtype=float)
    months = value[:, :12]
    reach = float(np.nanmax(np.abs(months))) if np.isfinite(months).any() else 1.0
    tint = LinearSegmentedColormap.from_list("signed", [theme.shade_loss, theme.paper, theme.shade_gain])
    rows = max(len(table), 5)
    if len(table):
        ax.imshow(
            months,
            cmap=tint,
            vmin=-(reach or 1),
            vmax=reach or 1,
            aspect="auto",
            extent=(-0.5, 11.5, len(table) - 0.5, -0.5),
        )
    for y in range(len(table)):
        for x in range(13):
            if np.isfinite(value[y, x]):
                ax.text(
                    x if x < 12 else 12.25, y, number(value[y, x], 1), ha="center", va="center",
                    fontsize=theme.small, fontweight="bold" if x == 12 else "normal",
                )  # fmt: skip
    ax.set_xlim(-0.5, 12.85)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xticks([*range(12), 12.25], [*MONTHS, "Year"])
    ax.set_yticks(range(len(table)), [str(year) for year in table.index])
    ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False, pad=theme.scale)
