"""Places the chart with a real Helm, and reads the objects that Kubernetes would get."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.rendered_flow import rendered_chart

ROOT = Path(__file__).parents[3]
CHART = rendered_chart()
VERSION = "1.30.0"

Rendered = list[dict[str, Any]]


def helm() -> str | None:
    """Find Helm: the named one, the one on PATH, or the newest that this project downloaded."""
    obtained = sorted(Path.home().glob(".cache/choreography/helm-*/helm"))
    return os.environ.get("HELM") or shutil.which("helm") or (str(obtained[-1]) if obtained else None)


def template(*words: str, chart: Path = CHART) -> subprocess.CompletedProcess[str]:
    """Let Helm render the chart as for a new release."""
    program = helm()
    assert program, "Helm is not here. Install Helm 3, or name it in the variable HELM."
    command = [program, "template", "checkout", str(chart), "--namespace", "checkout", "--kube-version", VERSION]
    return subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def place(*words: str, chart: Path = CHART) -> Rendered:
    """Place the chart with some values."""
    told = template(*words, chart=chart)
    assert told.returncode == 0, told.stderr
    return [document for document in yaml.safe_load_all(told.stdout) if document]


def setting(**values: object) -> list[str]:
    """Write values as words of a command; two underscores stand for a dot."""
    return [
        word
        for name, value in values.items()
        for word in ("--set-json", f"{name.replace('__', '.')}={json.dumps(value)}")
    ]


def refusal(*words: str, chart: Path = CHART) -> str:
    """Return Helm's message about values that it must refuse."""
    told = template(*words, chart=chart)
    assert told.returncode != 0, f"{words} were accepted"
    return told.stderr


def of_kind(rendered: Rendered, kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of one kind by name; no two have the same."""
    found = [one for one in rendered if one["kind"] == kind]
    named = {one["metadata"]["name"]: one for one in found}
    assert len(named) == len(found)
    return named


def pods(rendered: Rendered) -> dict[str, dict[str, Any]]:
    """Return the specification of every pod, by kind and name."""
    found = {}
    for one in rendered:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            found[name] = one["spec"]
        elif "template" in one.get("spec", {}):
            found[name] = one["spec"]["template"]["spec"]
    return found


def restricted(pod: dict[str, Any]) -> list[str]:
    """Return how a pod violates Pod Security `restricted`."""
    wrong = []
    above = pod.get("securityContext", {})
    if above.get("runAsNonRoot") is not True or above.get("runAsUser", 0) == 0:
        wrong.append("may be root")
    if above.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        wrong.append("no seccomp profile")
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        wrong.append("shares with its host")
    kinds = {kind for volume in pod.get("volumes", []) for kind in volume if kind != "name"}
    if not kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}:
        wrong.append(f"volumes {kinds}")
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities") != {"drop": ["ALL"]}:
            wrong.append(f"{container['name']} keeps privileges")
    return wrong
