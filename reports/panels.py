"""The panels of tear sheets and reports, each drawn into axes it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.reports.style import Theme, money, number, source_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entrepot.reports.findings import Findings

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HATCHES = ("", "", "////", "xxxx", "....", "\\\\\\\\", "++++")
LINE_STYLES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))


def time_axis(ax: Axes, found: Findings, labels: bool = True) -> None:
    """Span the run, with at most a dozen ticks on round dates."""
    time = found.time
    if len(time) < 2:
        return
    ax.set_xlim(time[0], time[-1])  # type: ignore[arg-type]
    months = (time[-1].year - time[0].year) * 12 + time[-1].month - time[0].month
    every = next((m for m in (1, 3, 6, 12, 24, 60, 120) if months <= 9 * m), 240)
    days = max((time[-1] - time[0]).days // 8, 1)
    years = max(every // 12, 1)
    first = pd.Timestamp(time[0].year // years * years, 1, 1) if months > 2 else time[0].normalize()
    spaced = pd.date_range(first, time[-1], freq=f"{every}MS" if months > 2 else f"{days}D")
    ticks = [when for when in spaced if when >= time[0]]
    pattern = "%Y" if every >= 12 else "%Y-%m" if months > 2 else "%m-%d"
    ax.set_xticks(ticks, [f"{when:{pattern}}" if labels else "" for when in ticks])  # type: ignore[arg-type]


def shade_regimes(ax: Axes, found: Findings, theme: Theme) -> None:
    """Shade what was decided, from the step of the decision to the next."""
    if found.states is None:
        return
    for code in range(1, len(found.names)):
        mine = found.states == code
        if mine.any():
            mine[1:] |= mine[:-1]
            ax.fill_between(
                found.time, 0, 1, where=mine.tolist(), step="post", transform=ax.get_xaxis_transform(),
                facecolor=theme.regimes[code % len(theme.regimes)], edgecolor=theme.hatch,
                hatch=HATCHES[code % len(HATCHES)], linewidth=0, zorder=0,
            )  # fmt: skip


def regime_legend(ax: Axes, found: Findings, theme: Theme) -> None:
    """Name the shades above the axes, at the right."""
    from matplotlib.patches import Patch

    if found.states is None:
        return
    patches = [
        Patch(
            facecolor=theme.regimes[i % len(theme.regimes)], hatch=HATCHES[i % len(HATCHES)],
            edgecolor=theme.hatch, linewidth=0.4, label=name,
        )
        for i, name in enumerate(found.names)
    ]  # fmt: skip
    legend_above(ax, patches)


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
    ax.plot(found.sampled, level / scale, color=theme.lines[0], linewidth=1.1, zorder=3)
    ax.axhline(
        found.ledger.capital / scale, color=theme.faint, linewidth=0.6, linestyle=(0, (2, 2)), zorder=2
    )
    above = 2.0 * theme.size if theme.narrow and found.states is not None else 4.0
    ax.set_title(
        f"Equity, {found.currency}{unit}{' (simulated market)' if found.simulated else ''}", pad=above
    )
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
            linewidth=0.5,
            linestyle=(0, (1, 1.5)) if relief else "-",
            ymax=0.9,
            zorder=1,
        )
        ax.text(
            when, 0.945, str(position), transform=ax.get_xaxis_transform(), ha="center", va="center",
            fontsize=theme.size - 1, color=theme.ink if relief else theme.paper, zorder=5, fontweight="bold",
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": theme.paper if relief else theme.ink,
                  "edgecolor": theme.ink, "linewidth": 0.6},
        )  # fmt: skip


def draw_drawdown(ax: Axes, found: Findings, theme: Theme) -> None:
    """Fall of sampled equity from its peak, per cent."""
    level = found.ledger.daily.to_numpy(dtype=float)
    if len(level):
        fall = 100 * (level / np.maximum.accumulate(level) - 1)
        ax.fill_between(found.sampled, fall, 0, color=theme.lines[0], alpha=0.25, linewidth=0)
        ax.plot(found.sampled, fall, color=theme.lines[0], linewidth=0.7)
    ax.set_ylim(top=0)
    ax.set_title("Drawdown, %")


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
                linewidth=0.7,
            )
    else:
        table = table.dropna(how="all")
        when = pd.DatetimeIndex(table.index)
        low, mid, high = np.nanquantile(table.to_numpy(dtype=float), [0.1, 0.5, 0.9], axis=1)
        band = ax.fill_between(
            when, low, high, color=theme.lines[1], alpha=0.5, linewidth=0, label="10 to 90 % of pairs"
        )  # fmt: skip
        ax.set_ylim(1.3 * min(np.quantile(low, 0.005), 0.0), 1.3 * max(np.quantile(high, 0.995), 0.0))
        handles = [
            *ax.plot(
                when, mid, color=theme.lines[0], linewidth=0.6, label=f"median of {table.shape[1]} pairs"
            ),
            band,
        ]
    ax.axhline(0, color=theme.faint, linewidth=0.6)
    align = table.attrs.get("align") or found.premium.attrs.get("align")
    ax.set_title(f"ADR premium to parity, %{f' ({align})' if align else ''}")
    legend_above(ax, handles)


def draw_exposure(ax: Axes, found: Findings, theme: Theme) -> None:
    """Net value of each leg and their sum, per cent of equity."""
    table = 100 * found.exposure
    handles: list[Any] = []
    for i, name in enumerate(table.columns):
        handles += ax.step(
            found.sampled, table[name], where="post", color=theme.lines[i % 4], linestyle=LINE_STYLES[i % 4],
            label=str(name), linewidth=0.9,
        )  # fmt: skip
    net = table.sum(axis=1, min_count=1)
    handles += ax.step(
        found.sampled, net, where="post", color=theme.lines[3], linewidth=0.7, label="net", zorder=1.5
    )
    ax.axhline(0, color=theme.faint, linewidth=0.6)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -10.0), max(high, 10.0))
    ax.set_title("Exposure per leg, % of equity")
    legend_above(ax, handles)


def draw_sources(ax: Axes, found: Findings, theme: Theme, title_x: float = 0.0) -> None:
    """Profit and loss by source as bars with their amounts; losses are hatched."""
    source = found.source[found.source != 0]
    ax.set_title(f"Contribution by source, {found.currency}", pad=14, x=title_x)
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    if source.empty:
        ax.set_yticks([])
        ax.text(
            0.5, 0.5, "nothing was earned or paid", transform=ax.transAxes, ha="center", color=theme.faint
        )
        return
    value = source.to_numpy(dtype=float)
    row = np.arange(len(value))
    bars = ax.barh(row, value, height=0.62, color=[theme.gain if v > 0 else theme.loss for v in value])
    for bar, v in zip(bars, value, strict=True):
        if v < 0:
            bar.set(hatch="/////", edgecolor=theme.paper, linewidth=0)
    ax.set_yticks(row, [source_name(str(name)) for name in source.index])
    figure = ax.get_figure(root=True)
    assert figure is not None
    pitch = 72 * ax.get_position().height * figure.get_figheight() / max(len(value), 6)
    size = min(theme.size - 0.3, 0.84 * pitch)
    ax.tick_params(axis="y", colors=theme.ink, labelsize=size)
    ax.set_ylim(len(value) - 0.5 + max(0, 6 - len(value)) * 0.5, -0.6)
    ax.axvline(0, color=theme.faint, linewidth=0.6)
    reach = max(float(np.abs(value).max()), 1e-9)
    left, right = min(float(value.min()), 0.0), max(float(value.max()), 0.0)
    ax.set_xlim(left - (0.3 * (right - left) if left < 0 else 0.01 * reach), right + 0.3 * (right - left))
    for y, v in zip(row, value, strict=True):
        ax.annotate(
            money(v), (v, y), xytext=(3 if v > 0 else -3, 0), textcoords="offset points", va="center",
            ha="left" if v > 0 else "right", fontsize=size,
        )  # fmt: skip


def draw_monthly(ax: Axes, found: Findings, theme: Theme) -> None:
    """Monthly and yearly returns, per cent, as a table with tinted cells."""
    from matplotlib.colors import LinearSegmentedColormap

    table = 100 * found.monthly
    ax.set_title("Monthly returns, %", pad=14)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    value = table.to_numpy(dtype=float)
    months = value[:, :12]
    reach = float(np.nanmax(np.abs(months))) if np.isfinite(months).any() else 1.0
    tint = LinearSegmentedColormap.from_list("signed", [theme.shade_loss, theme.paper, theme.shade_gain])
    rows = max(len(table), 5)
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
                    fontsize=theme.size - 0.8, fontweight="bold" if x == 12 else "normal",
                )  # fmt: skip
    ax.set_xlim(-0.5, 12.85)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xticks([*range(12), 12.25], [*MONTHS, "Year"])
    ax.set_yticks(range(len(table)), [str(year) for year in table.index])
    ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False, pad=1)
