"""REST over HTTP: paths, bodies, selectors, responses, watches. It calls the pipeline, which knows nothing of HTTP."""
