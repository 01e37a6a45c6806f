"""The objects of the tests."""

from __future__ import annotations

from typing import Final

DEPLOYMENT: Final = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {part: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "nginx:1", env: [{name: A, value: "1"}, {name: B, value: "2"}], ports: [{containerPort: 80}]}
"""
SERVICE: Final = """
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {part: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""
CONFIG: Final = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  labels: {part: web}
data: {color: blue, size: "1"}
"""
POD: Final = """
apiVersion: v1
kind: Pod
metadata:
  name: single
  labels: {app: single}
spec:
  containers: [{name: c, image: "busybox:1"}]
"""
NODE: Final = """
apiVersion: v1
kind: Node
metadata: {name: NAME}
"""


def together(*documents: str) -> str:
    return "---".join(documents)
