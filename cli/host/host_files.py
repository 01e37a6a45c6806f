"""Where the first release asks for host files: `python -m cli.host.host_files ROLE…`; see host/host_files.py."""

import sys

from host.host_files import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
