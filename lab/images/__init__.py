"""The lab's container images: built from the distribution's packages, stored in the cache, pushed to the registry.

`recipes` says what is in each image, `packages` downloads and unpacks, `layer` writes reproducible tar files,
`builder` puts images together and keeps them, `push` brings it to a registry. No engine takes part.
"""
