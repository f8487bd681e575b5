"""Who is simulated: one row per company or fund, and the lines that show its price."""

from __future__ import annotations

from typing import Final, NamedTuple

FACTORS: Final = ("internet", "consumer", "auto", "technology", "state")


class Issuer(NamedTuple):
    """One price process and the lines that show it; names, lots, ratios and dates are the registry's."""

    adr: str  # ADS or fund, "" for none
    hk: str  # "" for none
    factor: str  # sector, of FACTORS
    level: float  # on the first day: HKD per ordinary share of today, USD per share of a New York fund
    volatility: float  # annual
    market: float  # correlation with the market
    sector: float  # correlation with the sector
    turnover: tuple[float, float]  # median of a session, million USD: New York, Hong Kong
    payout: float = 0.0  # dividends of a year, fraction of the price
    months: tuple[int, ...] = ()  # of the ex-dates
    industry: str = ""  # what some names of a sector share beyond it
    in_industry: float = 0.0  # correlation with the industry


# Levels and turnovers are round numbers of the right size. Volatilities and correlations follow the real
# lines of 2019 to 2025: 0.76 between Alibaba and JD, 0.52 between Alibaba and XPeng, 0.85 between two banks.
ISSUERS: Final = (
    Issuer("BABA", "9988.HK", "internet", 175, 0.48, 0.79, 0.36, (1500, 650), 0.010, (6,)),
    Issuer("JD", "9618.HK", "internet", 160, 0.53, 0.79, 0.35, (500, 200), 0.020, (4,)),
    Issuer("NTES", "9999.HK", "internet", 105, 0.46, 0.66, 0.22, (200, 100), 0.020, (3, 6, 9, 12)),
    Issuer("BIDU", "9888.HK", "internet", 230, 0.515, 0.77, 0.33, (400, 90)),
    Issuer("TCOM", "9961.HK", "consumer", 350, 0.46, 0.70, 0.30, (200, 60), 0.005, (4,)),
    Issuer("BILI", "9626.HK", "internet", 90, 0.76, 0.77, 0.34, (150, 60)),
    Issuer("XPEV", "9868.HK", "auto", 90, 0.82, 0.66, 0.55, (250, 80)),
    Issuer("LI", "2015.HK", "auto", 70, 0.70, 0.66, 0.52, (250, 120)),
    Issuer("NIO", "9866.HK", "auto", 50, 0.80, 0.62, 0.58, (350, 15)),
    Issuer("ZTO", "2057.HK", "consumer", 125, 0.40, 0.63, 0.25, (80, 6), 0.025, (4, 9)),
    Issuer("CHL", "0941.HK", "state", 78, 0.23, 0.40, 0.50, (45, 165), 0.050, (5, 9), "telecom", 0.50),
    Issuer("", "0700.HK", "internet", 400, 0.39, 0.82, 0.32, (0, 1060), 0.006, (5,)),
    Issuer("", "3690.HK", "internet", 70, 0.58, 0.76, 0.36, (0, 590)),
    Issuer("", "1810.HK", "technology", 17, 0.47, 0.68, 0.30, (0, 235)),
    Issuer("", "0981.HK", "technology", 14, 0.55, 0.50, 0.45, (0, 110)),
    Issuer("", "1211.HK", "auto", 70, 0.52, 0.63, 0.32, (0, 205), 0.005, (6,)),
    Issuer("", "0939.HK", "state", 7, 0.23, 0.42, 0.52, (0, 200), 0.060, (7,), "banks", 0.61),
    Issuer("", "1398.HK", "state", 6, 0.23, 0.41, 0.52, (0, 130), 0.060, (7,), "banks", 0.61),
    Issuer("", "2318.HK", "state", 85, 0.38, 0.72, 0.48, (0, 230), 0.040, (6, 9)),
    Issuer("", "0388.HK", "consumer", 250, 0.35, 0.83, 0.15, (0, 195), 0.030, (3, 9)),
    Issuer("", "0762.HK", "state", 10, 0.34, 0.40, 0.42, (0, 27), 0.045, (6, 9), "telecom", 0.48),
    Issuer("", "0857.HK", "state", 5, 0.32, 0.39, 0.50, (0, 63), 0.070, (6, 9), "energy", 0.55),
    Issuer("", "0883.HK", "state", 11, 0.35, 0.41, 0.50, (0, 135), 0.080, (6, 9), "energy", 0.55),
    Issuer("", "1024.HK", "internet", 110, 0.62, 0.74, 0.32, (0, 185)),
    Issuer("", "0268.HK", "technology", 9, 0.60, 0.66, 0.34, (0, 40)),
    Issuer("", "3888.HK", "technology", 22, 0.50, 0.64, 0.30, (0, 18), 0.005, (6,)),
    Issuer("KWEB", "", "internet", 58, 0.42, 0.93, 0.31, (550, 0)),
    Issuer("FXI", "", "state", 46, 0.30, 0.94, 0.22, (900, 0)),
    Issuer("MCHI", "", "internet", 66, 0.295, 0.97, 0.15, (220, 0)),
    Issuer("ASHR", "", "state", 31, 0.25, 0.76, 0.32, (120, 0)),
    Issuer("CQQQ", "", "technology", 60, 0.36, 0.94, 0.20, (15, 0)),
    Issuer("CHIQ", "", "consumer", 18, 0.36, 0.95, 0.18, (4, 0)),
    Issuer("KARS", "", "auto", 25, 0.30, 0.72, 0.42, (2, 0)),
    Issuer("PGJ", "", "internet", 45, 0.41, 0.92, 0.35, (3, 0)),
    Issuer("", "2828.HK", "state", 115, 0.27, 0.94, 0.28, (0, 60)),
    Issuer("", "3033.HK", "internet", 5, 0.37, 0.93, 0.31, (0, 110)),
)
ISSUER_OF: Final = {symbol: issuer for issuer in ISSUERS for symbol in (issuer.adr, issuer.hk) if symbol}

# Hong Kong lines of companies that are listed on the mainland as well.
MAINLAND: Final = frozenset(
    {"0939.HK", "1398.HK", "2318.HK", "0857.HK", "0883.HK", "0941.HK", "0981.HK", "1211.HK"}
)
