"""The lab changes Dapr's chart before it installs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from lab import one_scheduler

CHART = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: dapr-scheduler}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: dapr-scheduler-server}
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: dapr-scheduler-server
          args: [--id, $(ID), --etcd-initial-cluster, "s-0=https://s-0:2380,s-1=https://s-1:2380", --etcd-embed=true]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: dapr-placement-server}
spec: {replicas: 3}
"""


def installed(name: str) -> dict[str, Any]:
    """Return an object of the chart as Helm installs it after the lab's last look."""
    program = Path(one_scheduler.__file__)
    said = subprocess.run([sys.executable, program], input=CHART, capture_output=True, text=True, check=True)
    (found,) = [one for one in yaml.safe_load_all(said.stdout) if one["metadata"]["name"] == name]
    return dict(found)


def test_the_scheduler_of_the_lab_is_the_only_member_of_its_cluster() -> None:
    """It waits for no others, and all its other arguments stay."""
    spec = installed("dapr-scheduler-server")["spec"]
    assert spec["replicas"] == 1
    (container,) = spec["template"]["spec"]["containers"]
    assert container["args"] == ["--id", "$(ID)", "--etcd-initial-cluster", "s-0=https://s-0:2380", "--etcd-embed=true"]


def test_everything_else_of_the_chart_stays_as_it_is() -> None:
    """Other objects with the same number of replicas stay as well."""
    assert installed("dapr-placement-server")["spec"] == {"replicas": 3}
    assert installed("dapr-scheduler")["kind"] == "ServiceAccount"
