"""Recipes: what each image contains and runs, as data.

Contents come from Debian packages, which are downloaded and unpacked but not installed, and from the files in `files`.
The key of an image in the cache is a hash of its whole recipe.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class LayerRecipe:
    """One file system layer.

    packages:    Debian packages to unpack.
    take:        path in the image → path in the unpacked packages.
    keep:        globs of files in the packages that keep their paths in the image.
    files:       path in the image → name of a file in `files`; all are executable.
    directories: path in the image → mode.
    applets:     whether to make a link to busybox for each of its commands.
    check:       a command that must succeed inside the layer (chroot).
    """

    packages: tuple[str, ...]
    take: dict[str, str]
    keep: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    directories: dict[str, int] = field(default_factory=dict)
    applets: bool = False
    check: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """An image: one layer and its default command. Manifests use `name`; `ports` are documentation."""

    name: str
    layer: LayerRecipe
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    tag: str = "latest"
    ports: tuple[int, ...] = ()

    @property
    def repository(self) -> str:
        """The path in a registry: engines prepend `library/` to a name without a slash."""
        return self.name if "/" in self.name else f"library/{self.name}"

    @property
    def reference(self) -> str:
        return f"{self.name}:{self.tag}"


_SHELL = {"bin/busybox": "bin/busybox", "bin/catatonit": "usr/bin/catatonit"}
_DIRECTORIES = {"tmp": 0o1777, "etc": 0o755, "proc": 0o755, "sys": 0o755, "dev": 0o755, "var/run": 0o755}

_WEB_LAYER = LayerRecipe(
    packages=("busybox-static", "catatonit"),
    take=_SHELL,
    files={"web/start": "web-start", "web/root/cgi-bin/index.cgi": "web-index.cgi"},
    directories=_DIRECTORIES,
    applets=True,
    check=("/bin/busybox", "true"),
)

_GUESTBOOK_LAYER = replace(
    _WEB_LAYER, files={"web/start": "guestbook-start", "web/root/cgi-bin/index.cgi": "guestbook.cgi"}
)

_REDIS_LAYER = LayerRecipe(
    packages=(
        "busybox-static",
        "catatonit",
        "redis-tools",
        "libc6",
        # The libraries that the redis-server binary needs, directly or indirectly.
        "libatomic1",
        "libcap2",
        "libgcc-s1",
        "libgcrypt20",
        "libgpg-error0",
        "libjemalloc2",
        "liblz4-1",
        "liblzf1",
        "liblzma5",
        "libssl3",
        "libstdc++6",
        "libsystemd0",
        "libzstd1",
    ),
    take={
        **_SHELL,
        # The package's redis-server is a link to this binary, which checks its own name.
        "usr/bin/redis-server": "usr/bin/redis-check-rdb",
        "usr/bin/redis-cli": "usr/bin/redis-cli",
    },
    keep=(
        "lib64/ld-linux*",
        "lib/*-linux-gnu/ld-linux*",
        *(f"lib/*-linux-gnu/{name}.so.*" for name in ("libc", "libm", "libgcc_s", "libcap", "liblzma", "libgpg-error")),
        *(
            f"usr/lib/*-linux-gnu/{name}.so.*"
            for name in (
                "libatomic",
                "libgcrypt",
                "libjemalloc",
                "liblz4",
                "liblzf",
                "libssl",
                "libcrypto",
                "libstdc++",
                "libsystemd",
                "libzstd",
            )
        ),
    ),
    files={"redis/master": "redis-master", "redis/slave": "redis-slave"},
    directories={**_DIRECTORIES, "data": 0o755},
    applets=True,
    check=("/usr/bin/redis-server", "--version"),
)

_INIT = ("/bin/catatonit", "--")
"""Process 1 of an image: it forwards signals and reaps orphans, unlike a shell or httpd as process 1."""

IMAGES = (
    ImageRecipe(name="tomcat", layer=_WEB_LAYER, entrypoint=_INIT, command=("/web/start",), ports=(8080,)),
    ImageRecipe(
        name="kubeguide/redis-master", layer=_REDIS_LAYER, entrypoint=_INIT, command=("/redis/master",), ports=(6379,)
    ),
    ImageRecipe(
        name="kubeguide/guestbook-redis-slave",
        layer=_REDIS_LAYER,
        entrypoint=_INIT,
        command=("/redis/slave",),
        ports=(6379,),
    ),
    ImageRecipe(
        name="kubeguide/guestbook-php-frontend",
        layer=_GUESTBOOK_LAYER,
        entrypoint=_INIT,
        command=("/web/start",),
        ports=(80,),
    ),
)
