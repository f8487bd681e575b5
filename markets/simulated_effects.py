"""What can be foreseen in a simulated market: each effect with its size, and all of them switched off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Self

import numpy as np

from entrepot.errors import ParameterError, is_number, shown
from entrepot.markets.simulated_issuers import ISSUER_OF
from entrepot.markets.simulated_series import SERIES

# The smallest and largest value of each number. Infinite half-lives are allowed where something may stand
# still; a drift beyond these limits is a percentage given as a number.
LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "risk_price": (-5.0, 5.0),
    "premium_half_life": (0.1, np.inf),
    "delisting_drift": (-50.0, 50.0),
    "event_impact": (-10.0, 10.0),
    "underreaction": (0.0, 1.0),
    "reaction_half_life": (0.1, 1_000.0),
    "momentum": (0.0, 2.0),
    "low_volatility": (0.0, 1.0),
    "fx_half_life": (1.0, np.inf),
}
LARGEST_DRIFT: Final = 5.0


@dataclass(frozen=True)
class Effects:
    """The predictable parts of a simulated market. Half-lives count New York sessions.

    The defaults are what eight real pairs showed from 2019 to 2025, or nothing where they show nothing that
    can be told from chance; `Effects.none()` leaves a market that cannot be foreseen at all. The formulas
    stand in docs/simulation.md.

    Args:
        risk_price: expected return of the market factor per unit of its volatility, a year. A line earns
            ``risk_price * correlation with the market * volatility``, in place of the policy rate and not
            beside it. 0: nobody is paid for risk, while cash goes on earning interest.
        premium_half_life: of the part of an ADS's premium that comes and goes; its standard deviation, 0.75
            %, does not depend on it. inf: a random walk of 1 % a year, from which nothing can be foreseen.
        delisting_drift: depth of the discount under delisting risk, as a multiple of the real pairs', 0.5 %
            under a full threat. 0: the threat moves no premium.
        event_impact: multiple of the price effects of events. An event is a surprise when it comes, but the
            events of a given calendar are the same under every seed: they do not cancel.
        underreaction: share of an event's price effect that comes later, 0 to 1.
        reaction_half_life: within which half of that share has come.
        momentum: standard deviation of the drift of each sector, log return a year; the drift is an AR(1)
            with a half-life of 120 sessions, and sectors are independent.
        low_volatility: 0: expected returns rise with risk, as ``risk_price`` says; 1: every line earns the
            average of all lines, whatever its risk; in between, in proportion.
        drift: log return a year by symbol, for ever. Both lines of a company have the same efficient price:
            a drift is of the company, whichever line names it.
        signals: by series of `market.truth.series`, log return a year for each standard deviation of the
            signal behind it, from the moment it is known. ``southbound``, ``forward_pe`` (cheap is up),
            ``ah_premium`` (a wide discount of the Hong Kong line is up) and ``ipo_proceeds`` move the
            efficient price; ``custody`` lowers the ADS's premium while shares move to Hong Kong.
        fx_half_life: of USDHKD within its band; inf: the rate stands still.

    Raises:
        ParameterError: on a number outside its limits, a symbol or series that is not simulated.
    """

    risk_price: float = 0.3
    premium_half_life: float = 1.0
    delisting_drift: float = 1.0
    event_impact: float = 1.0
    underreaction: float = 0.0
    reaction_half_life: float = 5.0
    momentum: float = 0.0
    low_volatility: float = 0.0
    drift: Mapping[str, float] = field(default_factory=dict)
    signals: Mapping[str, float] = field(default_factory=dict)
    fx_half_life: float = 115.0

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            given = getattr(self, name)
            if not is_number(given) or not least <= float(given) <= most:
                raise ParameterError(f"{name} is {shown(given)}: give a number from {least:g} to {most:g}")
            object.__setattr__(self, name, float(given))
        for name, allowed in (("drift", ISSUER_OF), ("signals", SERIES)):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                example = {next(iter(allowed)): 0.05}
                raise ParameterError(f"{name} is {shown(given)}: give a mapping, such as {example}")
            for key, number in given.items():
                if key not in allowed:
                    known = ", ".join(allowed)
                    raise ParameterError(f"{name} names {shown(key)}, not simulated: choose among {known}")
                if not is_number(number) or not abs(float(number)) <= LARGEST_DRIFT:
                    raise ParameterError(
                        f"{name} of {key} is {shown(number)}: give a log return a year, such as 0.05"
                    )
            object.__setattr__(self, name, {str(key): float(number) for key, number in given.items()})
        if len({ISSUER_OF[symbol] for symbol in self.drift}) < len(self.drift):
            raise ParameterError(
                f"drift names both lines of a company in {shown(list(self.drift))}: it has one drift, name "
                "one of them"
            )

    def __repr__(self) -> str:
        usual, own = type(self)(), ((item.name, getattr(self, item.name)) for item in fields(self))
        changed = (f"{name}={value!r}" for name, value in own if value != getattr(usual, name))
        return f"Effects({', '.join(changed)})"

    @classmethod
    def none(cls, risk_price: float = 0.3) -> Self:
        """Nothing can be foreseen but the reward for risk, and with ``risk_price=0`` nothing at all.

        Premia are random walks, the exchange rate stands still, and events move nothing: what they did once
        is no chance, since a calendar is the same under every seed. Prints keep their noise, which the next
        print takes back: only a fill at the step of its own decision earns from it.
        """
        return cls(
            risk_price=risk_price,
            premium_half_life=np.inf,
            delisting_drift=0.0,
            event_impact=0.0,
            fx_half_life=np.inf,
        )

    def with_(self, **changes: Any) -> Self:
        """Return these effects with some of them replaced."""
        unknown = sorted(set(changes) - {item.name for item in fields(self)})
        if unknown:
            known = ", ".join(item.name for item in fields(self))
            raise ParameterError(f"Effects has no {', '.join(unknown)}: it has {known}")
        return replace(self, **changes)
