"""Every name of the product that the tests of this folder use: when modules move, only this file changes."""

from __future__ import annotations

from agent.config import load as load_agent_config
from agent.desired import disk
from agent.desired.state import DesiredState
from agent.identity import files as identity_files
from agent.pods.interface import PodsConfig
from agent.pods.manager import PodManager
from agent.runtime.convert import record_from_inspect
from agent.runtime.fake import FakeRuntime
from agent.volumes.calls import VolumeCalls
from agent.volumes.manager import Volumes
from host import release
from host.errors import HostError
from host.installation.uninstall import Uninstaller
from host.installation.upgrade import Upgrader
from host.layout import HostLayout
from host.record import Record
from master import cluster_api, kinds
from master.api.identity import component
from master.api.resources import Resources
from master.api.server import ApiServer
from master.backup import restore
from master.cache import Cache
from master.component.events import EventRecorder
from master.config import MasterConfig
from master.config import load as load_master_config
from master.dispatch import authority
from master.dispatch.accounttokens import AccountTokens
from master.dispatch.agentstreams import AgentStreams
from master.dispatch.departures import Departures
from master.dispatch.desired import DesiredState as MasterDesired
from master.dispatch.identities import Identities
from master.dispatch.join import JoinService
from master.dispatch.logs import LogStreams
from master.dispatch.nodes import Nodes
from master.dispatch.reports import Reports
from master.dispatch.service import MasterService, Peer
from master.dispatch.sessions import Sessions
from master.dispatch.trust import Trust
from master.kinds.core.pod.logs import LogOptions
from master.pki import Pki
from master.store.sqlite import SqliteStore
from netstack.fake import FakeKernel
from netstack.node import NodeNetwork
from netstack.pods import host_link_name
from netstack.services.names import chain_names
from netstack.services.rules import ruleset
from netstack.services.writer import RuleWriter
from proto import contract
from proto.gen import session_pb2

__all__ = [
    "AccountTokens",
    "AgentStreams",
    "ApiServer",
    "Cache",
    "Departures",
    "DesiredState",
    "EventRecorder",
    "FakeKernel",
    "FakeRuntime",
    "HostError",
    "HostLayout",
    "Identities",
    "JoinService",
    "LogOptions",
    "LogStreams",
    "MasterConfig",
    "MasterDesired",
    "MasterService",
    "NodeNetwork",
    "Nodes",
    "Peer",
    "Pki",
    "PodManager",
    "PodsConfig",
    "Record",
    "Reports",
    "Resources",
    "RuleWriter",
    "Sessions",
    "SqliteStore",
    "Trust",
    "Uninstaller",
    "Upgrader",
    "VolumeCalls",
    "Volumes",
    "authority",
    "chain_names",
    "cluster_api",
    "component",
    "contract",
    "disk",
    "host_link_name",
    "identity_files",
    "kinds",
    "load_agent_config",
    "load_master_config",
    "record_from_inspect",
    "release",
    "restore",
    "ruleset",
    "session_pb2",
]
