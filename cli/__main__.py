"""`python -m cli`: how the lab starts master and agents without an installed script."""

import sys

from cli.main import main

sys.exit(main())
