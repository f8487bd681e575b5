"""Write what was tried into docs/robustness.md: every count between the page's markers comes from a tally.

Reads the `*.jsonl` files of one folder, which `make robustness` and `make soak` leave in out/robustness.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
# The order of the page; an area that is not here is a mistake in a test.
AREAS = ("bad inputs", "causality", "faults", "load", "security", "numerics", "seeded faults")
BLOCK = re.compile(r"(<!-- tried: (?P<area>[a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def added_up(lines: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """What was tried, by area and thing, as it is shown: counts added up, of values the largest."""
    counts: dict[tuple[str, str], int] = {}
    values: dict[tuple[str, str], tuple[float, str]] = {}
    for line in lines:
        key = line["area"], line["what"]
        if key[0] not in AREAS:
            raise SystemExit(f"no area of the page is called {key[0]!r}: {', '.join(AREAS)}")
        if "count" in line:
            counts[key] = counts.get(key, 0) + line["count"]
        else:
            values[key] = max(values.get(key, (float("-inf"), "")), (line["value"], line["unit"]))
    shown = {key: f"{count:,}" for key, count in counts.items()}
    shown |= {key: f"{number(value)} {unit}".strip() for key, (value, unit) in values.items()}
    return {area: {what: shown[area, what] for own, what in shown if own == area} for area in AREAS}


def number(value: float) -> str:
    """A size in full, an error in powers of ten."""
    if value and abs(value) < 1e-3:
        return f"{value:.0e}"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.2g}"


def table(rows: Mapping[str, str]) -> str:
    """Two columns."""
    if not rows:
        return "Not run yet.\n"
    lines = [f"| {what} | {much} |" for what, much in sorted(rows.items())]
    return "\n".join(["| tried | |", "|---|---:|", *lines]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the tallies are")
    folder = parser.parse_args().folder
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.jsonl"))]
    tallied = added_up(json.loads(line) for text in texts for line in text.splitlines())
    page = PAGE.read_text(encoding="utf-8")
    page = BLOCK.sub(lambda found: found[1] + table(tallied[found["area"]]) + found[3], page)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
