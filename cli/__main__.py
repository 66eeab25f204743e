"""`python -m cli` runs the command `ordained`."""

import sys

from cli.app import main

sys.exit(main())
