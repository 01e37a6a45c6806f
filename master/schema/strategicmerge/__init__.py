"""Strategic merge patches: `patch` in maps.py. The facts of the Kubernetes API say which lists are merged, and by what.

Rules: "Strategic merge patch" in the API conventions of Kubernetes. Works on JSON values and knows no requests.
"""
