"""`python -m cli`: how the lab starts master and agents without an installed script."""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until `main` can tell it in a line, an interrupt just ends us.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from cli.main import main

sys.exit(main())
