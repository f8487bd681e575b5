"""``python -m entrepot``."""

import sys

from entrepot.cli import main

sys.exit(main())
