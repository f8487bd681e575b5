"""What runs take of memory, worked out from the arrays they make before any of them is made."""

from __future__ import annotations

from entrepot.engine.lines import FEE_KINDS, SOURCES
from entrepot.memory import require_memory

# Of a line and step of a recorded run: what the clock reads (seven prices and rates, the row of fees, what is
# wanted) and what it leaves behind (the position and each source of profit and loss).
RECORDED = 8 * (7 + 1 + 1 + 1 + len(SOURCES))
# Of a symbol and step, whether or not it is traded: checks of the market and of targets.
LOOKED_AT = 24
# Of a line and step: rows kept free for fills, dropped orders and moves, which are hardly ever used.
KEPT_FREE = 8 * (3 * (10 + len(FEE_KINDS)) + 6 * 4 + 7)


def require_run(steps: int, symbols: int, lines: int) -> None:
    """Refuse a recorded run that does not fit: so many lines of a market of so many symbols and steps."""
    needed = steps * (lines * RECORDED + symbols * LOOKED_AT)
    require_memory(
        needed,
        f"{lines:,} lines over {steps:,} steps, recorded,",
        "cut the market with between(), or trade and load fewer lines",
        reserved=needed + steps * lines * KEPT_FREE,
    )


def require_curves(configurations: int, times: int, more: float = 0.0, unit: str = "steps") -> None:
    """Refuse equity or returns of many configurations that do not fit.

    Args:
        configurations: how many.
        times: steps or sessions of each.
        more: bytes in use at the same time.
        unit: what the times are.
    """
    require_memory(
        8.0 * configurations * times + more,
        f"{configurations:,} configurations over {times:,} {unit}",
        "give fewer of them, or a part of them at a time",
    )


def require_figures(configurations: int, figures: int, parameters: int) -> None:
    """Refuse a sweep whose table does not fit."""
    # Figures while they are filled, as they are taken out and in the table; parameters; places and order.
    require_memory(
        8.0 * configurations * (3 * figures + parameters + 5),
        f"{configurations:,} configurations with {figures} figures each",
        "give fewer values, or several sweeps of a part of them",
    )
