"""`python -m netstack.dns`: the process of cluster DNS (process.py), without TLS.

asyncio goes without the module `ssl` if that cannot be imported. This process needs no TLS, and is 4 MB smaller without
OpenSSL.
"""

import sys

sys.modules["ssl"] = None  # type: ignore[assignment]

from netstack.dns.process import main  # noqa: E402

sys.exit(main())
