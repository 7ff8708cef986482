"""`python -m reference_impl`: run the reference engine."""

import sys

from reference_impl.server import main

if __name__ == "__main__":
    sys.exit(main())
