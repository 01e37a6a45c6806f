"""The project's figures, by area: `./sampan bench [AREA...]`.

Each area is a module with `measure() -> Iterator[Figure]` and is listed in `__main__.AREAS`. A figure's floor, if it
has one, is measured in the same run. Tests assert no speed; that is the task of these figures.
"""
