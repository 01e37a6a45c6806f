"""The code of passive kinds: what the files in `data` cannot say, by the plural of the kind with its group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from master.kinds.admissionregistration.policies import BINDING, MUTATINGPOLICY, VALIDATINGPOLICY, WEBHOOKS
from master.kinds.apiextensions.definition import CUSTOMRESOURCEDEFINITION
from master.kinds.apiregistration.apiservice import APISERVICE
from master.kinds.autoscaling.horizontalpodautoscaler import HORIZONTALPODAUTOSCALER
from master.kinds.certificates.signingrequest import CERTIFICATESIGNINGREQUEST
from master.kinds.certificates.trust import CLUSTERTRUSTBUNDLE, PODCERTIFICATEREQUEST
from master.kinds.coordination.lease import LEASE
from master.kinds.core.componentstatus import COMPONENTSTATUS
from master.kinds.core.limitrange import LIMITRANGE
from master.kinds.core.persistentvolume import PERSISTENTVOLUME
from master.kinds.core.persistentvolumeclaim import PERSISTENTVOLUMECLAIM
from master.kinds.core.resourcequota import RESOURCEQUOTA
from master.kinds.flowcontrol.levels import FLOWSCHEMA, PRIORITYLEVELCONFIGURATION
from master.kinds.networking.ingress import INGRESS
from master.kinds.networking.ingressclass import INGRESSCLASS
from master.kinds.networking.networkpolicy import NETWORKPOLICY
from master.kinds.networking.servicecidr import IPADDRESS, SERVICECIDR
from master.kinds.policy.poddisruptionbudget import PODDISRUPTIONBUDGET
from master.kinds.rbac.roles import CLUSTERROLE, CLUSTERROLEBINDING, ROLE, ROLEBINDING
from master.kinds.resource.claims import DEVICETAINTRULE, RESOURCECLAIM, RESOURCECLAIMTEMPLATE, RESOURCESLICE
from master.kinds.storage.attachments import (
    CSIDRIVER,
    CSINODE,
    STORAGECLASS,
    VOLUMEATTACHMENT,
    VOLUMEATTRIBUTESCLASS,
)
from master.kinds.storagemigration.storageversionmigration import STORAGEVERSIONMIGRATION
from master.registry.passive import Supplement

SUPPLEMENTS: Final[Mapping[str, Supplement]] = {
    "apiservices.apiregistration.k8s.io": APISERVICE,
    "certificatesigningrequests.certificates.k8s.io": CERTIFICATESIGNINGREQUEST,
    "clusterrolebindings.rbac.authorization.k8s.io": CLUSTERROLEBINDING,
    "clusterroles.rbac.authorization.k8s.io": CLUSTERROLE,
    "clustertrustbundles.certificates.k8s.io": CLUSTERTRUSTBUNDLE,
    "componentstatuses": COMPONENTSTATUS,
    "csidrivers.storage.k8s.io": CSIDRIVER,
    "csinodes.storage.k8s.io": CSINODE,
    "customresourcedefinitions.apiextensions.k8s.io": CUSTOMRESOURCEDEFINITION,
    "devicetaintrules.resource.k8s.io": DEVICETAINTRULE,
    "flowschemas.flowcontrol.apiserver.k8s.io": FLOWSCHEMA,
    "horizontalpodautoscalers.autoscaling": HORIZONTALPODAUTOSCALER,
    "ingressclasses.networking.k8s.io": INGRESSCLASS,
    "ingresses.networking.k8s.io": INGRESS,
    "ipaddresses.networking.k8s.io": IPADDRESS,
    "leases.coordination.k8s.io": LEASE,
    "limitranges": LIMITRANGE,
    "mutatingadmissionpolicies.admissionregistration.k8s.io": MUTATINGPOLICY,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": BINDING,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": WEBHOOKS,
    "networkpolicies.networking.k8s.io": NETWORKPOLICY,
    "persistentvolumeclaims": PERSISTENTVOLUMECLAIM,
    "persistentvolumes": PERSISTENTVOLUME,
    "podcertificaterequests.certificates.k8s.io": PODCERTIFICATEREQUEST,
    "poddisruptionbudgets.policy": PODDISRUPTIONBUDGET,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": PRIORITYLEVELCONFIGURATION,
    "resourceclaims.resource.k8s.io": RESOURCECLAIM,
    "resourceclaimtemplates.resource.k8s.io": RESOURCECLAIMTEMPLATE,
    "resourcequotas": RESOURCEQUOTA,
    "resourceslices.resource.k8s.io": RESOURCESLICE,
    "rolebindings.rbac.authorization.k8s.io": ROLEBINDING,
    "roles.rbac.authorization.k8s.io": ROLE,
    "servicecidrs.networking.k8s.io": SERVICECIDR,
    "storageclasses.storage.k8s.io": STORAGECLASS,
    "storageversionmigrations.storagemigration.k8s.io": STORAGEVERSIONMIGRATION,
    "validatingadmissionpolicies.admissionregistration.k8s.io": VALIDATINGPOLICY,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": BINDING,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": WEBHOOKS,
    "volumeattachments.storage.k8s.io": VOLUMEATTACHMENT,
    "volumeattributesclasses.storage.k8s.io": VOLUMEATTRIBUTESCLASS,
}
