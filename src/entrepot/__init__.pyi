# The public names: read by type checkers, and by lazy_loader at run time.
from .capacity import capacity as capacity
from .comparison import (
    Comparison as Comparison,
    compare_trades as compare_trades,
)
from .decisions import Decision as Decision
from .doubt.significance import Significance as Significance
from .doubt.walk_choice import WalkForwardChoice as WalkForwardChoice
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
from .export import (
    Export as Export,
    read_export as read_export,
)
from .hindsight import (
    LookAheadGap as LookAheadGap,
    draw_regimes as draw_regimes,
    look_ahead_gap as look_ahead_gap,
)
from .markets import (
    Effects as Effects,
    KnownSeries as KnownSeries,
    Listings as Listings,
    Market as Market,
    SectorMap as SectorMap,
    Truth as Truth,
    average_volume as average_volume,
    load_listings as load_listings,
    load_market as load_market,
    load_sectors as load_sectors,
    load_series as load_series,
    peg_stress as peg_stress,
    premium as premium,
    share_of_volume as share_of_volume,
    simulate_market as simulate_market,
)
from .markets.data_check import (
    DataCheck as DataCheck,
    check_data as check_data,
)
from .markets.download import download as download
from .monitor import (
    DiscountMonitor as DiscountMonitor,
    discount_monitor as discount_monitor,
)
from .regimes import (
    ChangePointDetector as ChangePointDetector,
    Detector as Detector,
    Events as Events,
    Hawkes as Hawkes,
    JumpDetector as JumpDetector,
    MarkovDetector as MarkovDetector,
    NewsIndex as NewsIndex,
    ProbabilityDetector as ProbabilityDetector,
    RegimeModel as RegimeModel,
    RegimePath as RegimePath,
    Schedule as Schedule,
    TariffLevels as TariffLevels,
    ThresholdDetector as ThresholdDetector,
    load_events as load_events,
    load_news_index as load_news_index,
    load_tariff_levels as load_tariff_levels,
)
from .reports.comparison import (
    SideBySide as SideBySide,
    compare_results as compare_results,
    comparison_report as comparison_report,
)
from .reports.fill_timing import fill_timing as fill_timing
from .reports.overfitting import (
    Overfitting as Overfitting,
    overfitting as overfitting,
)
from .reports.significance import (
    Moments as Moments,
    deflated_sharpe as deflated_sharpe,
    independent_trials as independent_trials,
    luckiest_sharpe as luckiest_sharpe,
    minimum_track_record as minimum_track_record,
    most_trials as most_trials,
    probabilistic_sharpe as probabilistic_sharpe,
    sharpe_odds as sharpe_odds,
)
from .reports.superiority import (
    Superiority as Superiority,
    superior_ability as superior_ability,
)
from .result import (
    Result as Result,
    backtest as backtest,
)
from .strategies import (
    PRESS_TRADES as PRESS_TRADES,
    AHDiscount as AHDiscount,
    CausalityReport as CausalityReport,
    CompiledStrategy as CompiledStrategy,
    CustodyShift as CustodyShift,
    IndexPair as IndexPair,
    ListingBreadth as ListingBreadth,
    LongHKShortADR as LongHKShortADR,
    LookAheadError as LookAheadError,
    PressTrade as PressTrade,
    RegimeSwitch as RegimeSwitch,
    SanctionsDiscount as SanctionsDiscount,
    SectorRotation as SectorRotation,
    SouthboundFlow as SouthboundFlow,
    StimulusBasket as StimulusBasket,
    Strategy as Strategy,
    Targets as Targets,
    TariffRotation as TariffRotation,
    ThemeRotation as ThemeRotation,
    ValuationGap as ValuationGap,
    blend as blend,
    cap as cap,
    check_causal as check_causal,
    limit_to_volume as limit_to_volume,
    load_themes as load_themes,
    neutralise as neutralise,
    press_trades as press_trades,
    scale_by_regime as scale_by_regime,
    scale_to_volatility as scale_to_volatility,
    strategy as strategy,
    switch as switch,
)
from .studies import (
    EventStudy as EventStudy,
    event_study as event_study,
)
from .sweeps import (
    Sweep as Sweep,
    sweep as sweep,
)
from .switching import (
    SwitchingValue as SwitchingValue,
    switching_value as switching_value,
)

__version__: str
