"""`python -m cli`: the command without an installed script, as labs and bundles run it."""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until `main` can print a line about it, an interrupt just ends the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from cli.main import main

sys.exit(main())
