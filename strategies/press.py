"""The trades that the press of 2025 described, each with its idea and ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from entrepot.errors import ParameterError, shown
from entrepot.markets.known_series import KnownSeries
from entrepot.regimes.arguments import kind
from entrepot.regimes.events import Events
from entrepot.strategies.dual_listing import LongHKShortADR
from entrepot.strategies.flow import CustodyShift, ListingBreadth, SouthboundFlow
from entrepot.strategies.index_pair import IndexPair
from entrepot.strategies.sector_rotation import SectorRotation
from entrepot.strategies.stimulus import StimulusBasket
from entrepot.strategies.targets import Strategy
from entrepot.strategies.tariff_rotation import TariffRotation
from entrepot.strategies.theme_rotation import ThemeRotation
from entrepot.strategies.valuation import AHDiscount, SanctionsDiscount, ValuationGap

Series = Mapping[str, KnownSeries]


class PressTrade(NamedTuple):
    """One trade: what is believed, and how to make the strategy with its parameters as chosen beforehand.

    Args:
        name: by which it goes in tables.
        idea: what it bets on, a sentence.
        make: called with the calendar of events and the series by name.
        series: names of the series it cannot do without; see `load_series`.
    """

    name: str
    idea: str
    make: Callable[[Events, Series], Strategy]
    series: tuple[str, ...] = ()


PRESS_TRADES = (
    PressTrade(
        "convergence",
        "a premium far from its mean comes back, since the two lines can be turned into each other",
        lambda events, series: LongHKShortADR(),
    ),
    PressTrade(
        "delisting hedge",
        "when a delisting threatens, the ADR falls behind the Hong Kong line",
        lambda events, series: LongHKShortADR(mode="delisting_hedge"),
    ),
    PressTrade(
        "relief reversal",
        "when the threat is lifted, the ADR catches up",
        lambda events, series: LongHKShortADR(mode="relief_reversal"),
    ),
    PressTrade(
        "index pair",
        "when a delisting threatens, Hong Kong's China index does better than China listed in New York",
        lambda events, series: IndexPair(),
    ),
    PressTrade(
        "AI rotation",
        "China's internet, cloud and chips gain on its banks, oil and telecoms after DeepSeek",
        lambda events, series: ThemeRotation(),
    ),
    PressTrade(
        "tariff rotation",
        "while tariffs rise, what is sold at home does better than what is exported, and on a truce worse",
        lambda events, series: TariffRotation(),
    ),
    PressTrade(
        "stimulus basket",
        "consumer and internet lines go on rising after a package of policy support",
        lambda events, series: StimulusBasket(events),
    ),
    PressTrade(
        "sector momentum",
        "the sectors that rose most go on doing so, tilted by regime",
        lambda events, series: SectorRotation(),
    ),
    PressTrade(
        "sector low volatility",
        "the calmest sectors earn as much as the wild ones, at less risk",
        lambda events, series: SectorRotation(rule="low_volatility", tilts={}),
    ),
    PressTrade(
        "sanctions discount",
        "a state company whose Hong Kong line is unusually cheap against its A share has sanctions priced in",
        lambda events, series: SanctionsDiscount(series["ah_premium"], events=events),
        ("ah_premium",),
    ),
    PressTrade(
        "A+H discount",
        "the Hong Kong lines cheapest against their A shares catch up",
        lambda events, series: AHDiscount(series["ah_premium"]),
        ("ah_premium",),
    ),
    PressTrade(
        "valuation gap",
        "Hong Kong technology below its five-year mean price-earnings ratio, and rising, is re-rated",
        lambda events, series: ValuationGap(series["forward_pe"]),
        ("forward_pe",),
    ),
    PressTrade(
        "Southbound flow",
        "what mainland investors buy goes on rising",
        lambda events, series: SouthboundFlow(series["southbound"]),
        ("southbound",),
    ),
    PressTrade(
        "custody shift",
        "shares that move into Hong Kong's clearing system are holders leaving the ADR",
        lambda events, series: CustodyShift(series["custody"]),
        ("custody",),
    ),
    PressTrade(
        "listing breadth",
        "a busy market for new listings is a market that takes risk",
        lambda events, series: ListingBreadth(series["ipo_proceeds"]),
        ("ipo_proceeds",),
    ),
)


def press_trades(events: Events, series: Series | None = None) -> dict[str, Strategy]:
    """Return the press's trades by name, with their default parameters.

    Args:
        events: the calendar.
        series: what some trades need beside prices, by the names in ``PRESS_TRADES``: "southbound",
            "custody", "forward_pe", "ah_premium", "ipo_proceeds". Trades whose series is not given are left
            out. A simulated market has all of them: ``market.truth.series``.

    Raises:
        ParameterError: on events or series of another kind, or series no trade uses.
    """
    if not isinstance(events, Events):
        raise ParameterError(f"events is {kind(events)}: give a calendar, such as load_events()")
    given = {} if series is None else series
    if not isinstance(given, Mapping):
        raise ParameterError(f"series is {kind(series)}: give series by name, such as market.truth.series")
    known = sorted({name for trade in PRESS_TRADES for name in trade.series})
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ParameterError(f"series names {shown(unknown)}, which no trade uses: give {', '.join(known)}")
    return {
        trade.name: trade.make(events, given)
        for trade in PRESS_TRADES
        if all(name in given for name in trade.series)
    }
