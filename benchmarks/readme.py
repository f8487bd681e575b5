"""Write what the benchmarks measured: a row a question into README.md, every table into docs/performance.md.

Both between the pages' markers, and nothing else. Reads the JSON files that `make bench` leaves in one
folder; a missing one is left out. `--help` lists the options.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from growth import slope
from hot_loop import duration, table

ROOT = Path(__file__).parents[1]
MARKERS = ("<!-- benchmark:start -->", "<!-- benchmark:end -->")


def one_asset(figures: dict[str, Any]) -> str:
    """One asset, against backtesting.py."""
    return (
        f"One asset in whole units, {figures['bars']:,} bars, a trade at every other: "
        f"{figures['entrepot_s'] * 1e3:.1f} ms, backtesting.py {figures['backtesting_s'] * 1e3:.0f} ms; "
        f"equity differs by {figures['difference']:.0e}."
    )


def start_up(figures: dict[str, float]) -> str:
    """Seconds by what a user waits for."""
    rows = [f"| {name} | {seconds:.2f} s |" for name, seconds in figures.items()]
    return "\n".join(["| waiting for | best |", "|---|---|", *rows])


def sweeps(figures: dict[str, Any]) -> str:
    """Sweeps of the pairs strategy, with every cost, and Ctrl-C."""
    lines = [
        "| configurations x steps x pairs, every cost | time | a second "
        "| ns per configuration, step and pair | memory beyond inputs | of it the table |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['configurations']:,} x {row['steps']:,} x {row['pairs']} | {row['seconds']:.2f} s "
        f"| {row['per_second']:,.0f} | {row['ns_per_cell']:.2f} | {row['memory_mb']:.0f} MB "
        f"| {row['table_mb']:.1f} MB |"
        for row in figures["rows"]
    ]
    lines += ["", f"Ctrl-C ends a sweep within {figures['interrupt_s'] * 1e3:.0f} ms."]
    return "\n".join(lines)


def mechanics(figures: dict[str, Any]) -> str:
    """The batch with more and more mechanisms on."""
    lines = [
        "| configurations x steps x instruments | market | costs | time | ns per cell "
        "| reading the weights |",
        "|---|---|---|---|---|---|",
    ]
    for row in figures["rows"]:
        shape = " x ".join(f"{n:,}" for n in row["shape"])
        lines.append(
            f"| {shape} | {row['market']} | {row['costs']} | {row['best_s'] * 1e3:.0f} ms "
            f"| {row['ns_per_cell']:.2f} | {row['stream_ns_per_cell']:.2f} |"
        )
    return "\n".join(lines)


def regimes(figures: dict[str, Any]) -> str:
    """Detectors against the packages that have them, and a walk forward."""
    lines = [
        "| model | what | rows | states | entrepot | peer | times |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| Markov switching | {row['what']} | {row['T']:,} | {row['states']} "
        f"| {row['entrepot_s'] * 1e3:.2f} ms | statsmodels {row['statsmodels_s'] * 1e3:,.0f} ms "
        f"| {row['ratio']:.0f} |"
        for row in figures["markov"]
    ]
    lines += [
        f"| jump model | fit, 10 starts | {row['T']:,} | {row['states']} | {row['entrepot_s'] * 1e3:.2f} ms "
        f"| jumpmodels {row['jumpmodels_s'] * 1e3:,.0f} ms | {row['ratio']:.0f} |"
        for row in figures["jump"]
    ]
    walk = figures["walk"]
    lines += [
        "",
        f"A walk forward of both risks over {walk['sessions']:,} sessions, {walk['fits']} fits: "
        f"{walk['best_s']:.2f} s. Best of several runs; {figures['machine']['processor']}, "
        f"{figures['machine']['cpus']} CPUs.",
    ]
    return "\n".join(lines)


def doubt(figures: dict[str, Any]) -> str:
    """The tests of luck against the packages that have them, and a sweep with its page."""
    lines = ["| what | configurations x sessions | entrepot | peer | times |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['what']} | {row['configurations']:,} x {row['sessions']:,} | {row['best_s']:.2f} s "
        f"| {row['peer']} {row['peer_s']:.1f} s | {row['ratio']:.0f} |"
        for row in figures["rows"]
    ]
    page = figures["page"]
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in page["stages"].items())
    lines += ["", f"{page['configurations']:,} configurations over {page['steps']:,} steps: {stages}."]
    return "\n".join(lines)


def growth(figures: dict[str, Any]) -> str:
    """How time grows, in one sentence."""
    parts = [f"{axis} {slope(axis, rows):.2f}" for axis, rows in figures["results"].items()]
    return (
        "Slope of time against size, in logarithms (1 is proportional, a fixed cost makes it less): "
        f"{', '.join(parts)}."
    )


Row = tuple[str, str, str, str]


def loop_rows(figures: dict[str, Any]) -> list[Row]:
    """The largest shape that vectorbt ran, and the shape where entrepot does worst against anybody."""
    found: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in figures["rows"]:
        shape = (row["configurations"], row["steps"], row["instruments"], row["kind"])
        found.setdefault(shape, {})[row["engine"]] = row
    ratios = {
        (shape, peer): row["best_s"] / engines["entrepot"]["best_s"]
        for shape, engines in found.items()
        for peer, row in engines.items()
        if peer != "entrepot"
    }
    by_vectorbt = [key for key in ratios if key[1].startswith("vectorbt")]
    largest = max(by_vectorbt, key=lambda key: key[0][0] * key[0][1] * key[0][2], default=None)
    chosen = [key for key in ratios if largest and key[0] == largest[0] and key in by_vectorbt]
    chosen += [min(ratios, key=ratios.__getitem__)] if ratios else []
    return [
        (
            "target weights, {:,} x {:,} x {:,}, {}".format(*shape),
            duration(found[shape]["entrepot"]["best_s"]),
            f"{peer} {duration(found[shape][peer]['best_s'])}",
            times(ratios[shape, peer]),
        )
        for shape, peer in dict.fromkeys(chosen)
    ]


def asset_rows(figures: dict[str, Any]) -> list[Row]:
    """One asset, against backtesting.py."""
    ours, theirs = figures["entrepot_s"], figures["backtesting_s"]
    what = f"one asset in whole units, {figures['bars']:,} bars"
    return [(what, duration(ours), f"backtesting.py {duration(theirs)}", times(theirs / ours))]


def sweep_rows(figures: dict[str, Any]) -> list[Row]:
    """The largest sweep of pairs with every cost; no peer has one."""
    row = max(figures["rows"], key=lambda row: int(row["configurations"]))
    what = f"sweep of pairs, every cost, {row['configurations']:,} x {row['steps']:,} x {row['pairs']} pairs"
    return [(what, duration(row["seconds"]), "", "")]


def regime_rows(figures: dict[str, Any]) -> list[Row]:
    """The longest fits."""
    longest = max(row["T"] for row in figures["markov"])
    markov = [row for row in figures["markov"] if row["T"] == longest and row["what"] == "fit"]
    jump = [row for row in figures["jump"] if row["T"] == longest]
    return [
        (
            f"{name}, fit, {longest:,} rows, {row['states']} states",
            duration(row["entrepot_s"]),
            f"{peer} {duration(row[f'{peer}_s'])}",
            times(row["ratio"]),
        )
        for name, peer, rows in (
            ("Markov switching", "statsmodels", markov),
            ("jump model", "jumpmodels", jump),
        )
        for row in rows
    ]


def doubt_rows(figures: dict[str, Any]) -> list[Row]:
    """The tests of luck."""
    return [
        (
            f"{row['what']}, {row['configurations']:,} configurations x {row['sessions']:,} sessions",
            duration(row["best_s"]),
            f"{row['peer']} {duration(row['peer_s'])}",
            times(row["ratio"]),
        )
        for row in figures["rows"]
    ]


def waiting_rows(figures: dict[str, float]) -> list[Row]:
    """What a user waits for with the kernels on disk."""
    return [(name, duration(seconds), "", "") for name, seconds in figures.items() if "on disk" in name]


def times(ratio: float) -> str:
    """A ratio as a reader wants it: whole where it is large."""
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"


def measured(folder: Path, name: str) -> Any:
    """The figures of one benchmark, None where they are not at hand."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def summary_of(folder: Path) -> str:
    """A row for each question, as markdown: what the README shows."""
    lines = ["| what (configurations x steps x lines) | entrepot | peer | times |", "|---|---|---|---|"]
    for name, rows_of in (
        ("hot_loop", loop_rows),
        ("one_asset", asset_rows),
        ("sweeps", sweep_rows),
        ("regimes", regime_rows),
        ("doubt", doubt_rows),
        ("start_up", waiting_rows),
    ):
        if (found := measured(folder, name)) is not None:
            lines += [f"| {' | '.join(row)} |" for row in rows_of(found)]
    return "\n".join(lines)


def text_of(folder: Path) -> str:
    """All that was measured, as markdown."""
    sections = []
    for name, title, write in (
        ("hot_loop", "Target weights, 10 bp", lambda found: table(found["rows"], found["machine"])),
        ("one_asset", "", one_asset),
        ("mechanics", "Every mechanism on", mechanics),
        ("sweeps", "Sweeps of the pairs strategy", sweeps),
        ("growth", "", growth),
        ("regimes", "Regime detectors", regimes),
        ("doubt", "Skill or luck", doubt),
        ("start_up", "Waiting", start_up),
    ):
        if (found := measured(folder, name)) is not None:
            heading = f"**{title}**\n\n" if title else ""
            sections.append(heading + write(found))
    if not sections:
        raise SystemExit(f"readme: {folder} holds no figures: run make bench")
    return "\n\n".join(sections)


def write_between(text: str, page: Path) -> None:
    """Replace what stands between a page's markers."""
    start, end = MARKERS
    whole = page.read_text(encoding="utf-8")
    if whole.count(start) != 1 or whole.count(end) != 1:
        raise SystemExit(f"readme: {page.name} needs one line {start} and one line {end}")
    head, _, rest = whole.partition(start)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{start}\n{text}\n{end}{tail}", encoding="utf-8")


def main() -> None:
    """Read the options, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="with the JSON files")
    options = parser.parse_args()
    full = text_of(options.folder)
    write_between(summary_of(options.folder), ROOT / "README.md")
    write_between(full, ROOT / "docs" / "performance.md")


if __name__ == "__main__":
    main()
