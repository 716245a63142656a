"""The configuration files of the node's programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab.site import NODE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.site import Site

CONTAINERD = "/run/containerd/containerd.sock"  # on the node, whose /run is its own
PAUSE = "choreography/pause:1"
_CNI = "/usr/lib/cni"
_NEVER = "0s"
_DISKS_AND_MEMORY = ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available")


def write(site: Site) -> None:
    """Write every file that a program of the node is started with."""
    folder = site.state
    (folder / "cni").mkdir()
    _write(folder / "cni" / "10-lab.conflist", _network(site))
    _write(folder / "kubelet.json", _kubelet(site))
    _write(folder / "proxy.json", _proxy(site))
    (folder / "containerd.toml").write_text(_containerd(site))
    (folder / "registry.yaml").write_text(_registry(site))
    # No program of ours sends reports home.
    (folder / "skaffold.yaml").write_text(json.dumps({"global": {"collect-metrics": False, "update-check": False}}))
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{site.node} {NODE_NAME}\n")
    # Pods are in a network of their own, so no name server of the world can be reached.
    (folder / "resolv.conf").write_text("")


def _write(file: Path, content: Mapping[str, object]) -> None:
    file.write_text(json.dumps(content, indent=2))


def _network(site: Site) -> dict[str, object]:
    """Each pod has its own cable: unlike behind a bridge, replies to a service's address pass the node as well."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": site.pods}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {
        "cniVersion": "1.0.0",
        "name": "lab",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(site: Site) -> dict[str, object]:
    certificates = site.certificates
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificates / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificates / "node.crt"),
        "tlsPrivateKeyFile": str(certificates / "node.key"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{site.cgroup}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [site.dns],
        "clusterDomain": "cluster.local",
        "resolvConf": str(site.state / "resolv.conf"),
        "podLogsDir": str(site.logs / "pods"),
        "volumePluginDir": str(site.state / "volume-plugins"),
        # How soon pods see changes of Secrets and ConfigMaps; Dapr's own programs wait for each other that way.
        "syncFrequency": "5s",
        # Images cannot be downloaded again, and a disk that other programs filled is no reason to end pods.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": dict.fromkeys(
            ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available"), "1%"
        ),
    }


def _proxy(site: Site) -> dict[str, object]:
    # The limits of connection tracking belong to the whole machine.
    kept = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": _NEVER, "tcpCloseWaitTimeout": _NEVER}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(site.kubeconfig("proxy"))},
        "clusterCIDR": site.pods,
        "mode": "iptables",
        "hostnameOverride": NODE_NAME,
        "bindAddress": site.node,
        "conntrack": kept,
    }


def _containerd(site: Site) -> str:
    # restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE cannot start a sandbox otherwise.
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""
version = 2
root = "{site.state}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", \
"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
address = "{CONTAINERD}"

[{cri}]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true

[{cri}.cni]
bin_dir = "{_CNI}"
conf_dir = "{site.state}/cni"

[{cri}.registry.mirrors."{site.registry}"]
endpoint = ["http://{site.registry}"]
"""


def _registry(site: Site) -> str:
    return json.dumps(
        {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(site.state / "registry")}},
            "http": {"addr": f"{site.node}:5000"},
            "log": {"accesslog": {"disabled": True}, "level": "warn"},
        }
    )
