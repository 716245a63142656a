"""Disks for pods: folders of the node that wait to be claimed.

Kubernetes' own provisioner for tests makes folders that only root can write, and no pod of ours runs as root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.site import Site

_HOW_MANY = 64
_CLASS = "standard"


def make_folders(site: Site) -> None:
    """Make the folders before any pod needs one; any user may write to them."""
    for number in range(_HOW_MANY):
        folder = site.volumes / f"{number}"
        folder.mkdir(parents=True)
        folder.chmod(0o777)


def objects(site: Site) -> Mapping[str, object]:
    """Return the default storage class and its volumes; the claimed size has no effect on the disk."""
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": _CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
    }
    volumes = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"volume-{number}"},
            "spec": {
                "storageClassName": _CLASS,
                "capacity": {"storage": "1Ti"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": str(site.volumes / f"{number}"), "type": "Directory"},
            },
        }
        for number in range(_HOW_MANY)
    ]
    return {"apiVersion": "v1", "kind": "List", "items": [storage_class, *volumes]}
