"""REST over HTTP: paths, bodies, selectors, answers, watches. Knows the pipeline; the pipeline does not know it."""
