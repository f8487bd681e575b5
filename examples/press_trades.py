"""Run the trades of the press side by side, in sample and out of sample, and ask whether switching helps.

    python examples/press_trades.py --prices prices/          on a folder of daily prices
    python examples/press_trades.py                           on the simulated market
    python examples/press_trades.py --prices prices/ --write docs/gallery/index.md

The last one puts its tables into a page, between the lines that mark their place.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import entrepot as ep
from entrepot.job import default_plan

# Members of the indices on which Hong Kong trades futures may be sold short under the exchange's rules.
HK_SHORTS = [
    "0388.HK", "0700.HK", "0762.HK", "0857.HK", "0883.HK", "0939.HK", "0941.HK", "0981.HK", "1024.HK",
    "1211.HK", "1299.HK", "1398.HK", "1810.HK", "2057.HK", "2318.HK", "2628.HK", "3690.HK", "9618.HK",
    "9626.HK", "9866.HK", "9868.HK", "9888.HK", "9988.HK", "9999.HK",
]  # fmt: skip
INSURERS = ("1299.HK", "2628.HK")  # which the simulated market does not have
SPLIT = "2023-01-01"
START, END = "<!-- trades:start -->", "<!-- trades:end -->"
PERIODS = ("in sample", "out of sample")


def main() -> None:
    """Run everything and print it, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--prices", metavar="DIR", help="folder of daily prices; without it a simulated market"
    )
    parser.add_argument("--write", metavar="PAGE", type=Path, help="page whose tables are replaced")
    parser.add_argument("--placebos", type=int, default=199, help="calendars with wrong dates (199)")
    given = parser.parse_args()
    events = ep.load_events()
    if given.prices is None:
        shorts = [symbol for symbol in HK_SHORTS if symbol not in INSURERS]
        market = ep.simulate_market(events=events.frame, hk_shorts=shorts)
    else:
        market = ep.load_market(
            given.prices, start="2019-06-03", ends="cut", departures="parity", hk_shorts=HK_SHORTS
        )
    path = ep.RegimeModel().walk_forward(market, events)
    series = {} if market.truth is None else market.truth.series
    trades = ep.press_trades(events, series)
    compared = ep.compare_trades(market, trades | {"regime switch": default_plan(path)}, path, split=SPLIT)
    value = ep.switching_value(market, events, default_plan(path), placebos=given.placebos)
    missing = {trade.name: trade.series for trade in ep.PRESS_TRADES if trade.name not in trades}
    text = "\n\n".join([told(market), figures(compared, missing), regimes(compared), switching(value)])
    if given.write is None:
        print(text)
        return
    page = given.write.read_text(encoding="utf-8")
    head, rest = page.split(START)
    given.write.write_text(f"{head}{START}\n\n{text}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


def told(market: ep.Market) -> str:
    """Say what the tables were made from."""
    first, last = market.grid["session"].iloc[0], market.grid["session"].iloc[-1]
    what = "Simulated prices" if market.truth is not None else "Real prices"
    return (
        f"{what}, {first:%Y-%m-%d} to {last:%Y-%m-%d}, US$10m, every cost, out of sample from {SPLIT}. "
        "Returns and profits are net and include interest on cash; Sharpe ratios are of session returns over "
        "the policy rate, with their 95 % interval. Turnover, costs and leg risk are a year's, over equity, "
        "of all sessions."
    )


def figures(compared: ep.Comparison, missing: dict[str, tuple[str, ...]]) -> str:
    """Write the figures of each trade, a row each."""
    head = ["trade"]
    for period in PERIODS:
        head += [f"return, {period}", "Sharpe (95 %)", "drawdown"]
    head += ["turnover", "costs", "leg risk"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name in compared.table.index:
        row = [name]
        for period in PERIODS:
            own = compared.table.loc[name, period]
            interval = f"({own['Sharpe Low']:.2f} to {own['Sharpe High']:.2f})"
            idle = pd.isna(own["Sharpe Ratio"])
            row += [
                percent(own["Net Return [% pa]"]),
                "nothing held" if idle else f"{own['Sharpe Ratio']:.2f} {interval}",
                percent(own["Max Drawdown [%]"]),
            ]
        whole = compared.table.loc[name, "whole"]
        row += [f"{whole['Turnover']:.1f}", percent(whole["Costs [% pa]"]), percent(whole["Leg Risk [% pa]"])]
        rows.append(row)
    rows += [
        [name, f"not run: needs {', '.join(series)}", *[""] * (len(head) - 2)]
        for name, series in missing.items()
    ]
    return table(rows)


def regimes(compared: ep.Comparison) -> str:
    """Write the profit and loss of each trade by regime, per cent of capital."""
    names = list(ep.RegimePath.names)
    head = ["profit by regime, % of capital", *(f"{name}, {period}" for period in PERIODS for name in names)]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name in compared.by_regime.index:
        own = compared.by_regime.loc[name]
        rows.append([name, *(f"{own[period, regime]:.1f}" for period in PERIODS for regime in names)])
    return f"{table(rows)}\n\n{compared.caveat}"


def switching(value: ep.SwitchingValue) -> str:
    """Write what switching was worth."""
    head = ["held throughout", "return", "Sharpe", "monthly Sharpe", "the switch adds (Sharpe, 95 %)"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name, own in value.table.iterrows():
        added = f"{own['Switch Adds']:+.2f} ({own['Adds Low']:+.2f} to {own['Adds High']:+.2f})"
        rows.append(
            [
                f"`{name}`" if name != "switch" else "the switch",
                percent(own["Net Return [% pa]"]),
                f"{own['Sharpe Ratio']:.2f}",
                f"{own['Monthly Sharpe']:.2f}",
                "" if name == "switch" else added,
            ]
        )
    text = str(value)
    return f"{table(rows)}\n\n{text[0].upper()}{text[1:]}."


def percent(value: float) -> str:
    """Write a number that is per cent already."""
    return "n/a" if pd.isna(value) else f"{value:.1f} %"


def table(rows: list[list[str]]) -> str:
    """Write rows as a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
