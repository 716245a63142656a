"""The identities of a cluster: its own authority, the certificates, and the kubeconfig files that use them."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from choreography.up.errors import UpError
from lab.site import NODE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from lab.site import Site

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
# Kubernetes ties rights to these names.
_CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE_NAME}",
    "proxy": "/CN=system:kube-proxy",
}


def issue(site: Site) -> None:
    """Make the authority, all certificates and all kubeconfigs of a new cluster."""
    folder = site.certificates
    folder.mkdir(parents=True)
    _openssl(folder, "ca", "/CN=choreography lab", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _server(folder, "apiserver", _api_server_names(site))
    _server(folder, "node", [f"DNS:{NODE_NAME}", f"IP:{site.node}"])
    for who, subject in _CLIENTS.items():
        _signed(folder, who, subject, "-addext", "extendedKeyUsage=clientAuth")
        _write_kubeconfig(site, who)
    _run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(folder / "accounts.key")])


def _api_server_names(site: Site) -> list[str]:
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    return [*(f"DNS:{name}" for name in names), f"IP:{site.node}", f"IP:{site.first_service}", "IP:127.0.0.1"]


def _server(folder: Path, name: str, names: list[str]) -> None:
    _signed(folder, name, f"/CN={name}", "-addext", f"subjectAltName={','.join(names)}")


def _signed(folder: Path, name: str, subject: str, *more: str) -> None:
    authority = ("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"))
    _openssl(folder, name, subject, *authority, *more, "-addext", "basicConstraints=critical,CA:FALSE")


def _openssl(folder: Path, name: str, subject: str, *more: str) -> None:
    files = ("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"))
    _run(["openssl", "req", "-x509", *_KEY, *files, "-days", "30", "-subj", subject, *more])


def _run(command: list[str]) -> None:
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise UpError(
            f"openssl could not make a certificate, and no part of a cluster trusts another without one. "
            f"Version 3 or newer is needed. It says: {made.stderr.strip()[-400:]}"
        )


def _write_kubeconfig(site: Site, who: str) -> None:
    folder = site.certificates
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": who}}],
        "clusters": [
            {
                "name": "lab",
                "cluster": {
                    "server": f"https://{site.node}:6443",
                    "certificate-authority": str(folder / "ca.crt"),
                },
            }
        ],
        "users": [
            {
                "name": who,
                "user": {
                    "client-certificate": str(folder / f"{who}.crt"),
                    "client-key": str(folder / f"{who}.key"),
                },
            }
        ],
    }
    site.kubeconfig(who).write_text(json.dumps(config, indent=2))
    site.kubeconfig(who).chmod(0o600)
