"""`python -m tests.chaos.soak`."""

import sys

from .soak import main

sys.exit(main())
