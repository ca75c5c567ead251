"""``python -m proofs_checks``."""

import sys

from proofs_checks.command import main

if __name__ == "__main__":
    sys.exit(main())
