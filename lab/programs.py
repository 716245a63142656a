"""The command of each program of the node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.probes import listening, listening_at, succeeds
from choreography.up.processes import Program
from lab.settings import CONTAINERD
from lab.site import NODE_NAME

if TYPE_CHECKING:
    from lab.site import Site


class Programs:
    """The programs of one node, in the order in which they need each other."""

    def __init__(self, site: Site, kubernetes: Path) -> None:
        self._site = site
        self._kubernetes = kubernetes

    def waves(self) -> list[list[Program]]:
        """The programs that may start together, wave by wave; they stop in the reverse order."""
        return [
            [self._etcd(), self._containerd(), self._registry()],
            [self._api_server()],
            [self._controller_manager(), self._scheduler()],
            [self._kubelet(), self._proxy()],
        ]

    def _etcd(self) -> Program:
        return Program(
            name="etcd",
            # Its data lives no longer than the run, so it need not survive a power failure.
            command=["etcd", "--data-dir", str(self._site.state / "etcd"), "--unsafe-no-fsync"],
            log=self._log("etcd"),
            ready=lambda: listening(2379),
        )

    def _containerd(self) -> Program:
        return Program(
            name="containerd",
            command=["containerd", "--config", str(self._site.state / "containerd.toml")],
            log=self._log("containerd"),
            ready=lambda: listening_at(Path(CONTAINERD)),
        )

    def _registry(self) -> Program:
        return Program(
            name="registry",
            command=["docker-registry", "serve", str(self._site.state / "registry.yaml")],
            log=self._log("registry"),
        )

    def _api_server(self) -> Program:
        site, certificates = self._site, self._site.certificates
        flags = {
            "etcd-servers": "http://127.0.0.1:2379",
            "advertise-address": site.node,
            "service-cluster-ip-range": site.services,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "client-ca-file": certificates / "ca.crt",
            "tls-cert-file": certificates / "apiserver.crt",
            "tls-private-key-file": certificates / "apiserver.key",
            "kubelet-certificate-authority": certificates / "ca.crt",
            "kubelet-client-certificate": certificates / "admin.crt",
            "kubelet-client-key": certificates / "admin.key",
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": certificates / "accounts.key",
            "service-account-signing-key-file": certificates / "accounts.key",
        }
        kubectl = [str(self._kubernetes / "kubectl"), "--kubeconfig", str(site.kubeconfig("admin"))]
        return self._part("kube-apiserver", flags, ready=[*kubectl, "get", "--raw", "/readyz"])

    def _controller_manager(self) -> Program:
        certificates = self._site.certificates
        flags = {
            "kubeconfig": self._site.kubeconfig("controller-manager"),
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "root-ca-file": certificates / "ca.crt",
            "service-account-private-key-file": certificates / "accounts.key",
            "use-service-account-credentials": "true",
        }
        return self._part("kube-controller-manager", flags)

    def _scheduler(self) -> Program:
        flags = {
            "kubeconfig": self._site.kubeconfig("scheduler"),
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
        }
        return self._part("kube-scheduler", flags)

    def _kubelet(self) -> Program:
        site = self._site
        flags = {
            "config": site.state / "kubelet.json",
            "kubeconfig": site.kubeconfig("kubelet"),
            "root-dir": site.state / "kubelet",
            "hostname-override": NODE_NAME,
            "node-ip": site.node,
        }
        return self._part("kubelet", flags)

    def _proxy(self) -> Program:
        return self._part("kube-proxy", {"config": self._site.state / "proxy.json"})

    def _part(self, name: str, flags: dict[str, object], ready: list[str] | None = None) -> Program:
        command = [str(self._kubernetes / name), *(f"--{flag}={value}" for flag, value in flags.items())]
        if ready is None:
            return Program(name=name, command=command, log=self._log(name))
        return Program(name=name, command=command, log=self._log(name), ready=succeeds(ready))

    def _log(self, name: str) -> Path:
        return self._site.logs / f"{name}.log"
