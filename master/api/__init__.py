"""The Kubernetes API: kinds, the pipeline that every request goes through, and the REST server in front of it."""
