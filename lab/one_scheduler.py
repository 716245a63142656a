"""The last change to the manifests of Dapr's chart: one scheduler instead of three.

The chart accepts no other number. Three schedulers vote on every job, which proves nothing on a single node: it only
costs time, and on a busy machine they lose contact and start anew.
"""

from __future__ import annotations

import sys

import yaml

_NAME = "dapr-scheduler-server"
_MEMBERS = "--etcd-initial-cluster"


def with_one_scheduler(manifests: str) -> str:
    """Return the manifests of Dapr's chart with its scheduler as the only member of its cluster."""
    found = [one for one in yaml.safe_load_all(manifests) if one]
    for one in found:
        if (one["kind"], one["metadata"]["name"]) == ("StatefulSet", _NAME):
            one["spec"]["replicas"] = 1
            arguments = one["spec"]["template"]["spec"]["containers"][0]["args"]
            members = arguments.index(_MEMBERS) + 1
            arguments[members] = arguments[members].partition(",")[0]
    return yaml.safe_dump_all(found)


if __name__ == "__main__":
    sys.stdout.write(with_one_scheduler(sys.stdin.read()))
