"""The lab's container images: built from the distribution's packages, kept in the cache, served by the lab's registry.

`recipes` declares the images, `packages` downloads and unpacks packages, `layer` writes reproducible tar files,
`builder` assembles and caches images, `push` uploads them, `registry` runs the registry. No engine is needed.
"""
