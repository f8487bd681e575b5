"""Abnormal returns around events: what was expected, what came instead, and how far that could miss.

Every column is one security at one event. With L returns of the estimation window and W of the event window,

    market            R = alpha + beta Rm + e     by ordinary least squares over the estimation window
    market_adjusted   R = Rm + e                  nothing is estimated
    mean              R = mu + e

an abnormal return is ``AR = R - expected R``, and with ``s^2 = sum(e^2) / (L - k)``, k parameters estimated,

    var(AR)  = s^2 C,    C = 1 + 1/L + (Rm - mean Rm)^2 / sum (Rm - mean Rm)^2      (market)
    var(CAR) = s^2 (w + w^2/L + (sum of Rm - mean Rm)^2 / sum (Rm - mean Rm)^2)     over w sessions

The errors of alpha and beta are the same on all days of a window, so that the variance of a cumulated
abnormal return is more than the sum of those of its days (Salinger 1992, Journal of Financial and
Quantitative Analysis 27). ``mean`` leaves out the last term, ``market_adjusted`` the last two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entrepot.errors import DataError, ParameterError, is_whole, shown

Floats = NDArray[np.float64]
Model = Literal["market", "market_adjusted", "mean"]
PARAMETERS = {"market": 2, "market_adjusted": 0, "mean": 1}
LEAST = 5  # returns in an estimation window, below which variances of variances are not defined
FLAT = 1e-12  # of a sum of squares: what rounding leaves of a constant


class Cumulated(NamedTuple):
    """Abnormal returns summed over a part of the event window, shape (N,) each; NaN without any."""

    value: Floats
    factor: Floats  # variance, in units of the estimation window's
    sessions: Floats  # that the sum covers


@dataclass(frozen=True, eq=False)
class Abnormal:
    """Abnormal returns of N securities at their events, and the estimates behind them.

    Args:
        residual: of the estimation window, shape (L, N), NaN where there was no return.
        value: abnormal returns of the event window, shape (W, N), NaN where there was none.
        span: sessions that each of those covers, shape (W, N).
        surprise: the market's return less its mean in the estimation window for so many sessions, (W, N).
        spread: sum of squares of the market's returns about their mean in the estimation window, (N,); inf
            where no slope is estimated.
        intercept: shape (N,).
        slope: shape (N,).
        sigma: standard deviation of the residuals, shape (N,); NaN where they do not vary.
        length: returns in the estimation window, shape (N,).
        degrees: of freedom of ``sigma``, ``length`` less the parameters, shape (N,).
        mean_error: variance of the estimated mean, 1 / length or 0, shape (N,).
    """

    residual: Floats
    value: Floats
    span: Floats
    surprise: Floats
    spread: Floats
    intercept: Floats
    slope: Floats
    sigma: Floats
    length: Floats
    degrees: Floats
    mean_error: Floats

    @property
    def count(self) -> int:
        """How many columns there are."""
        return len(self.sigma)

    def pick(self, columns: NDArray[Any]) -> Self:
        """Return some of the columns, by position or by a mask."""
        return replace(self, **{item.name: getattr(self, item.name)[..., columns] for item in fields(self)})

    @classmethod
    def join(cls, parts: Sequence[Abnormal]) -> Self:
        """Return the columns of several, which have the same windows, beside each other."""
        names = [item.name for item in fields(cls)]
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in names})

    def over(self, first: int, stop: int) -> Cumulated:
        """Sum the abnormal returns of the event window's rows from ``first`` to before ``stop``."""
        value = self.value[first:stop]
        there = np.isfinite(value)
        some = there.any(axis=0)
        sessions = np.where(there, self.span[first:stop], 0.0).sum(axis=0)
        surprise = np.where(there, self.surprise[first:stop], 0.0).sum(axis=0)
        factor = sessions + sessions**2 * self.mean_error + surprise**2 / self.spread
        total = np.where(there, value, 0.0).sum(axis=0)
        return Cumulated(*(np.where(some, part, np.nan) for part in (total, factor, sessions)))


def abnormal_returns(
    estimation: ArrayLike,
    event: ArrayLike,
    market_estimation: ArrayLike | None = None,
    market_event: ArrayLike | None = None,
    *,
    model: Model = "market",
    span: ArrayLike | None = None,
    least: int = LEAST,
    ddof: int | None = None,
) -> Abnormal:
    """Estimate what was expected of N securities and return what they did beyond it.

    Args:
        estimation: returns, shape (L, N), NaN where a security did not trade.
        event: returns, shape (W, N), NaN likewise. A return over several sessions may stand at the last of
            them where ``span`` says so.
        market_estimation: returns of the market, shape (L,), or (L, N) where each security has its own; not
            used by ``mean``. NaN leaves the security's return out.
        market_event: shape (W,) or (W, N).
        model: see this module.
        span: sessions that each return of the event window covers, shape (W, N); 1 where not given.
        least: a security with fewer returns in the estimation window is NaN throughout.
        ddof: what is taken off L in ``s``; None: the parameters of the model. Some packages take off 1.

    Raises:
        ParameterError: on an unknown model, another ``least`` or ``ddof``, or a market that is missing.
        DataError: on arrays of other shapes, or infinite or non-numeric values.
    """
    if not isinstance(model, str) or model not in get_args(Model):
        raise ParameterError(f"model={shown(model)} is unknown: it is one of {', '.join(get_args(Model))}")
    if not is_whole(least) or least < LEAST:
        raise ParameterError(f"least is {shown(least)}: give a whole number of returns, {LEAST} or more")
    if ddof is not None and (not is_whole(ddof) or not 0 <= ddof < least):
        raise ParameterError(f"ddof is {shown(ddof)}: give a whole number from 0 to below least, or None")
    past, own = panel("estimation", estimation), panel("event", event)
    if past.shape[1] != own.shape[1]:
        raise DataError(
            f"estimation has {past.shape[1]} columns and event {own.shape[1]}: give the same securities"
        )
    if model == "mean":
        before, during = np.zeros(past.shape), np.zeros(own.shape)
    elif market_estimation is None or market_event is None:
        raise ParameterError(f"model={model!r} needs the market's returns in both windows: give them")
    else:
        before = like("market_estimation", market_estimation, past)
        during = like("market_event", market_event, own)
    covered = np.ones(own.shape) if span is None else like("span", span, own)

    past = np.where(np.isfinite(before), past, np.nan)
    there = np.isfinite(past)
    there &= there.sum(axis=0) >= least
    past, market = np.where(there, past, np.nan), np.where(there, before, np.nan)
    length = there.sum(axis=0).astype(np.float64)
    length[length == 0] = np.nan
    center = total(market) / length
    spread, intercept = np.full(len(length), np.inf), np.zeros(len(length))
    slope = np.full(len(length), float(model == "market_adjusted"))
    if model == "market":
        spread = total((market - center) ** 2)
        spread[spread <= FLAT * total(market**2)] = np.nan  # a market that stood still has no slope
        slope = total((market - center) * past) / spread
    if model != "market_adjusted":
        intercept = total(past) / length - slope * center
    residual = past - intercept - slope * market
    squares = total(residual**2)
    squares[~(squares > FLAT * total(past**2))] = np.nan
    parameters = PARAMETERS[model]
    return Abnormal(
        residual=residual,
        value=own - covered * intercept - slope * during,
        span=covered,
        surprise=during - covered * center,
        spread=spread,
        intercept=intercept,
        slope=slope,
        sigma=np.sqrt(squares / (length - (parameters if ddof is None else ddof))),
        length=length,
        degrees=length - parameters,
        mean_error=np.zeros(len(length)) if model == "market_adjusted" else 1.0 / length,
    )


def total(values: Floats) -> Floats:
    """Sum columns without their NaN, shape (N,)."""
    summed: Floats = np.nansum(values, axis=0)
    return summed


def panel(name: str, given: ArrayLike) -> Floats:
    """Return a table of numbers, or say why it is none."""
    if np.ma.isMaskedArray(given):
        raise DataError(f"{name} is a masked array: fill it, such as returns.filled(numpy.nan)")
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(f"{name} is no table of returns: give numbers of shape (sessions, securities)")
    if np.isinf(values).any():
        raise DataError(f"{name} holds an infinite return: give finite ones, NaN where there is none")
    return values


def like(name: str, given: ArrayLike, own: Floats) -> Floats:
    """Return numbers in the shape of a panel, one column standing for all of them."""
    values = np.asanyarray(given)  # a masked array is to be seen as one
    wide = panel(name, values[:, None] if values.ndim == 1 else values)
    if wide.shape[0] != own.shape[0] or wide.shape[1] not in (1, own.shape[1]):
        raise DataError(
            f"{name} has the shape {np.shape(given)} beside returns of the shape {own.shape}: give one value "
            "for each session, or one for each session and security"
        )
    return np.broadcast_to(wide, own.shape)
