# The public names: read by type checkers, and by lazy_loader at run time.
from .decisions import Decision as Decision
from .engine import (
    Costs as Costs,
    Fee as Fee,
    Margin as Margin,
    backtest_batch as backtest_batch,
)
from .errors import (
    DataError as DataError,
    EntrepotError as EntrepotError,
    ParameterError as ParameterError,
    TargetError as TargetError,
)
from .hindsight import (
    LookAheadGap as LookAheadGap,
    draw_regimes as draw_regimes,
    look_ahead_gap as look_ahead_gap,
)
from .markets import (
    Listings as Listings,
    Market as Market,
    load_listings as load_listings,
    load_market as load_market,
    peg_stress as peg_stress,
    premium as premium,
    simulate_market as simulate_market,
)
from .regimes import (
    ChangePointDetector as ChangePointDetector,
    Detector as Detector,
    Events as Events,
    Hawkes as Hawkes,
    JumpDetector as JumpDetector,
    MarkovDetector as MarkovDetector,
    NewsIndex as NewsIndex,
    RegimeModel as RegimeModel,
    RegimePath as RegimePath,
    Schedule as Schedule,
    TariffLevels as TariffLevels,
    ThresholdDetector as ThresholdDetector,
    load_events as load_events,
    load_news_index as load_news_index,
    load_tariff_levels as load_tariff_levels,
)
from .result import (
    Result as Result,
    backtest as backtest,
)
from .strategies import (
    CompiledStrategy as CompiledStrategy,
    LongHKShortADR as LongHKShortADR,
    RegimeSwitch as RegimeSwitch,
    SectorRotation as SectorRotation,
    Strategy as Strategy,
    Targets as Targets,
)
from .sweeps import (
    Sweep as Sweep,
    sweep as sweep,
)

__version__: str
