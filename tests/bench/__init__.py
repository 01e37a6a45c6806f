"""The project's figures, by area: `./sampan bench [AREA...]`.

Each area is a module with `measure() -> Iterator[Figure]` and is listed in `__main__.AREAS`. A figure that has a floor
measures it in the same run. Bounds are never asserted in tests: speed belongs here.
"""
