"""Backtests of long-Hong-Kong/short-ADR pairs and China sectors, switched by tariff and delisting risk."""

import lazy_loader

# The one place of the version: distribution, provenance and reports take it from here; see docs/versions.md.
__version__ = "0.1.0.dev0"

# The public names are listed in __init__.pyi and loaded when first used: pandas and numba take a second.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
