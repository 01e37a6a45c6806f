"""A small valid object of each kind, for tests that hold for all kinds."""

from __future__ import annotations

from typing import Any, Final

from master.registry.resource import Resource

# A request in PKCS #10, in PEM and base64, and the certificate of an authority. Nobody has their keys.
_REQUEST: Final = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlISE1HNENBUUF3RERFS01BZ0dBMVVFQXd3QmVEQlpNQk1H"
    "QnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCSFJjVWx0TG1YUkpQT0VpSll5YTk5b2xrM2dFMmhXaWF0ejA4UzM3bCtD"
    "ZEtUd09HcmpwOGNOanlsZlBLTEFVCm5yRnlPQ2NqaDFMM0VKSUZWWk94SkJlZ0FEQUtCZ2dxaGtqT1BRUURBZ05KQURCR0Fp"
    "RUFpelIzaUNFSDRQK3EKVWNSOWg5VVQ3R212b2kwVDFib1JrVTZmdWRuQWExVUNJUURBZzdXdTNpMDVBNTFhTzliYTRJOE1H"
    "bG9LY0FUagora1pJVnR6NnhGWGtNQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo="
)
_AUTHORITY: Final = (
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBHTCBxKADAgECAgEBMAoGCCqGSM49BAMCMA0xCzAJBgNVBAMMAmNhMCAXDTI2\n"
    "MDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjANMQswCQYDVQQDDAJjYTBZMBMG\n"
    "ByqGSM49AgEGCCqGSM49AwEHA0IABHRcUltLmXRJPOEiJYya99olk3gE2hWiatz0\n"
    "8S37l+CdKTwOGrjp8cNjylfPKLAUnrFyOCcjh1L3EJIFVZOxJBejEzARMA8GA1Ud\n"
    "EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgTTEaw9qkk5BPfkXncBUO8ip9\n"
    "T6jZipiM3AlnHaiDFWACIQCzUkFtPkOZJKjGCqH98So1lUn1B5yGqH7w2mBGTSVA\n"
    "7Q==\n"
    "-----END CERTIFICATE-----\n"
)
_POD: Final = {"containers": [{"name": "c", "image": "i"}]}
_TEMPLATE: Final = {"metadata": {"labels": {"a": "b"}}, "spec": _POD}
_WORKLOAD: Final = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE}}
_JOB: Final = {"spec": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}}
_RULE: Final = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
_HOOK: Final = {
    "name": "a.b.c",
    "clientConfig": {"url": "https://x.example"},
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
}
_POLICY: Final = {"matchConstraints": {"resourceRules": [_RULE]}}
_STORAGE: Final = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_CLAIM: Final = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}

# The required fields of each kind. A kind without required fields needs no entry.
_REQUIRED: Final[dict[str, dict[str, Any]]] = {
    "APIService": {"spec": {"version": "v1", "group": "x", "groupPriorityMinimum": 1, "versionPriority": 1}},
    "CSIDriver": {"spec": {}},
    "CSINode": {"spec": {"drivers": []}},
    "CSIStorageCapacity": {"storageClassName": "s"},
    "CertificateSigningRequest": {
        "spec": {"request": _REQUEST, "signerName": "a.example/b", "usages": ["client auth"]}
    },
    "ClusterRoleBinding": {"roleRef": {"kind": "ClusterRole", "name": "r"}},
    "ClusterTrustBundle": {"spec": {"trustBundle": _AUTHORITY}},
    "ControllerRevision": {"data": {"a": "b"}},
    "CronJob": {"spec": {"schedule": "* * * * *", "jobTemplate": _JOB}},
    "CustomResourceDefinition": {
        "spec": {
            "group": "e.example",
            "scope": "Namespaced",
            "names": {"plural": "x", "kind": "X"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        }
    },
    "DaemonSet": _WORKLOAD,
    "Deployment": _WORKLOAD,
    "DeviceTaintRule": {"spec": {"taint": {"key": "a", "effect": "NoSchedule"}}},
    "EndpointSlice": {"addressType": "IPv4"},
    "Event": {"involvedObject": {"namespace": "default"}},
    "FlowSchema": {"spec": {"priorityLevelConfiguration": {"name": "p"}}},
    "HorizontalPodAutoscaler": {
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 3}
    },
    "IPAddress": {"spec": {"parentRef": {"resource": "services", "name": "s"}}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    "IngressClass": {"spec": {"controller": "a.example/b"}},
    "Job": _JOB,
    "MutatingAdmissionPolicy": {
        "spec": {
            **_POLICY,
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
            "reinvocationPolicy": "Never",
        }
    },
    "MutatingAdmissionPolicyBinding": {"spec": {"policyName": "p"}},
    "MutatingWebhookConfiguration": {"webhooks": [_HOOK]},
    "NetworkPolicy": {"spec": {"podSelector": {}}},
    "PersistentVolume": {
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": "d.example", "volumeHandle": "h"},
        }
    },
    "PersistentVolumeClaim": {"spec": _STORAGE},
    "Pod": {"spec": _POD},
    "PodCertificateRequest": {
        "spec": {
            "signerName": "a.example/b",
            **dict.fromkeys(("podName", "podUID", "serviceAccountName", "serviceAccountUID"), "n"),
            **dict.fromkeys(("nodeName", "nodeUID"), "n"),
            "stubPKCS10Request": "eA==",
        }
    },
    "PodTemplate": {"template": _TEMPLATE},
    "PriorityLevelConfiguration": {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}},
    "ReplicationController": {"spec": {"selector": {"a": "b"}, "template": _TEMPLATE}},
    "ReplicaSet": _WORKLOAD,
    "ResourceClaim": {"spec": _CLAIM},
    "ResourceClaimTemplate": {"spec": {"spec": _CLAIM}},
    "ResourceSlice": {
        "spec": {
            "driver": "d.example",
            "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            "nodeName": "n",
        }
    },
    "RoleBinding": {"roleRef": {"kind": "Role", "name": "r"}},
    "RuntimeClass": {"handler": "h"},
    "Service": {"spec": {"ports": [{"port": 80}]}},
    "ServiceCIDR": {"spec": {"cidrs": ["10.0.0.0/24"]}},
    "StatefulSet": _WORKLOAD,
    "StorageClass": {"provisioner": "example.com/p"},
    "StorageVersionMigration": {"spec": {"resource": {"resource": "pods"}}},
    "ValidatingAdmissionPolicy": {"spec": {**_POLICY, "validations": [{"expression": "true"}]}},
    "ValidatingAdmissionPolicyBinding": {"spec": {"policyName": "p", "validationActions": ["Deny"]}},
    "ValidatingWebhookConfiguration": {"webhooks": [_HOOK]},
    "VolumeAttachment": {"spec": {"attacher": "d.example", "nodeName": "n", "source": {"persistentVolumeName": "p"}}},
    "VolumeAttributesClass": {"driverName": "d.example", "parameters": {"a": "b"}},
}

# Names that follow from other fields, so that a test cannot choose them.
FIXED_NAMES: Final[dict[str, str]] = {
    "APIService": "v1.x",
    "CustomResourceDefinition": "x.e.example",
    "IPAddress": "10.0.0.1",
}


def example(kind: Resource[Any], name: str = "x") -> dict[str, Any]:
    """A small valid object of the kind. `name`: its name, unless that follows from other fields."""
    return {"metadata": {"name": FIXED_NAMES.get(kind.kind, name)}, **_REQUIRED.get(kind.kind, {})}


def collection(kind: Resource[Any], version: str = "") -> str:
    """The path of all objects of the kind, in the namespace default. `version`: empty for the stored one."""
    version = version or kind.version
    root = f"/apis/{kind.group}/{version}" if kind.group else f"/api/{version}"
    return f"{root}/namespaces/default/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
