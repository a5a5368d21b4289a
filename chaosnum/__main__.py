"""``python -m chaosnum`` is the command ``chaosnum``."""

import sys

from chaosnum.cli import main

if __name__ == "__main__":
    sys.exit(main())
