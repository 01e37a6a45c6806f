"""A recipe as a Dockerfile, for people who have Docker but no debootstrap: the same packages, init and set-up.

Scripts are encoded in base64, as the quoting of Dockerfiles differs between Docker's builders.
"""

import base64

from lab.machine.recipe import INIT, Recipe


def text(recipe: Recipe) -> str:
    """The Dockerfile, to be built in an empty directory."""
    lines = [
        f"FROM debian:{recipe.suite}",
        f"RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "
        f"{' '.join(recipe.packages)} && rm -rf /var/lib/apt/lists/*",
        *(f"RUN {_decoded(content)} > {path} && chmod 0755 {path}" for path, content in recipe.files.items()),
        f"RUN {_decoded(recipe.setup)} | sh -eu",
        # Each machine makes its own id at its first boot.
        "RUN : > /etc/machine-id && rm -f /var/lib/dbus/machine-id",
        f'CMD ["{INIT}"]',
    ]
    return "\n".join(lines) + "\n"


def _decoded(content: str) -> str:
    return f"echo {base64.b64encode(content.encode()).decode()} | base64 -d"
