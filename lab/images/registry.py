"""The lab's image registry: Debian's docker-registry on the underlay, which all engines use as their mirror.

All labs share its storage, which outlives them: an image is pushed once per machine.
"""

import http.client
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from hull import atomicfile, processes, sweep
from hull.errors import StartFailed
from hull.processes import ProcessRecord
from lab.environment import clean_environment
from lab.layout import CACHE_ROOT, NETNS_ROOT, Layout

PORT = 5000
_STORAGE = CACHE_ROOT / "registry"
_READY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry process in the underlay's namespace, listening on the bridge's address."""

    layout: Layout
    address: IPv4Address

    @property
    def endpoint(self) -> str:
        return f"{self.address}:{PORT}"

    def start(self) -> ProcessRecord:
        """Start it and return at once."""
        netns = NETNS_ROOT / self.layout.underlay_name
        sweep.end_unrecorded(netns, self._config)
        _STORAGE.mkdir(parents=True, exist_ok=True)
        self._config.parent.mkdir(parents=True, exist_ok=True)
        atomicfile.write(self._config, self._yaml(), durable=False)
        return processes.start(
            ["docker-registry", "serve", str(self._config)],
            log=self.log,
            env=clean_environment(OTEL_TRACES_EXPORTER="none"),
            netns=netns,
        )

    def wait_ready(self, running: ProcessRecord) -> None:
        """Return when the registry answers. Raises StartFailed."""
        for _ in processes.until(_READY_TIMEOUT_S):
            if self.answers():
                return
            if not processes.alive(running):
                raise StartFailed(f"the registry ended at start-up{processes.tail(self.log)}")
        raise StartFailed(f"the registry does not answer on {self.endpoint}{processes.tail(self.log)}")

    def answers(self) -> bool:
        """Whether the registry's API answers."""
        connection = http.client.HTTPConnection(str(self.address), PORT, timeout=2.0)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def log(self) -> Path:
        return self.layout.directory / "registry" / "registry.log"

    @property
    def _config(self) -> Path:
        return self.layout.directory / "registry" / "config.yml"

    def _yaml(self) -> str:
        """Without authentication and TLS: only the lab's hosts and this machine reach the underlay."""
        return "\n".join(
            [
                "version: 0.1",
                "log: {level: warn, accesslog: {disabled: true}}",
                "storage:",
                "  cache: {blobdescriptor: inmemory}",
                f"  filesystem: {{rootdirectory: {_STORAGE}}}",
                "  maintenance: {uploadpurging: {enabled: false}}",
                f"http: {{addr: '{self.endpoint}', secret: sampan}}",
                "",
            ]
        )
