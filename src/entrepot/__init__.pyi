# The public names: read by type checkers, and by lazy_loader at run time.
from .engine import (
    Costs as Costs,
)
from .engine import (
    backtest_batch as backtest_batch,
)
from .errors import (
    DataError as DataError,
)
from .errors import (
    EntrepotError as EntrepotError,
)
from .errors import (
    ParameterError as ParameterError,
)
from .errors import (
    TargetError as TargetError,
)
from .markets import (
    Listings as Listings,
)
from .markets import (
    Market as Market,
)
from .markets import (
    load_listings as load_listings,
)
from .markets import (
    load_market as load_market,
)
from .markets import (
    premium as premium,
)
from .markets import (
    simulate_market as simulate_market,
)
from .regimes import (
    Events as Events,
)
from .regimes import (
    RegimeModel as RegimeModel,
)
from .regimes import (
    RegimePath as RegimePath,
)
from .regimes import (
    ThresholdDetector as ThresholdDetector,
)
from .regimes import (
    load_events as load_events,
)
from .result import (
    Result as Result,
)
from .result import (
    backtest as backtest,
)
from .strategies import (
    LongHKShortADR as LongHKShortADR,
)
from .strategies import (
    RegimeSwitch as RegimeSwitch,
)
from .strategies import (
    SectorRotation as SectorRotation,
)
from .strategies import (
    Strategy as Strategy,
)
from .strategies import (
    Targets as Targets,
)

__version__: str
