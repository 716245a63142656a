"""The information that a person needs first when something in a cluster does not start."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from lab import Cluster

_LINES = "30"


def told(cluster: Cluster) -> str:
    """The state of every pod, recent warnings, and the last words of every container that is not well."""
    parts = [
        _ask(cluster, "get", "pods", "--all-namespaces", "--output", "wide"),
        _ask(cluster, "get", "events", "--all-namespaces", "--field-selector", "type=Warning")[-4000:],
    ]
    try:
        pods = json.loads(_ask(cluster, "get", "pods", "--all-namespaces", "--output", "json"))["items"]
    except (ValueError, KeyError):
        pods = []
    parts += [_last_words(cluster, pod, status) for pod in pods for status in _unwell(pod)]
    return "\n".join(parts)


def _unwell(pod: dict[str, Any]) -> list[dict[str, Any]]:
    if pod["status"].get("phase") == "Succeeded":
        return []
    return [
        status for status in pod["status"].get("containerStatuses", []) if not status["ready"] or status["restartCount"]
    ]


def _last_words(cluster: Cluster, pod: dict[str, Any], status: dict[str, Any]) -> str:
    name, namespace, container = pod["metadata"]["name"], pod["metadata"]["namespace"], status["name"]
    words = ["logs", name, "--namespace", namespace, "--container", container, "--tail", _LINES]
    said = _ask(cluster, *words)
    if status["restartCount"]:
        said = f"{_ask(cluster, *words, '--previous')}\n-- started {status['restartCount']} times again --\n{said}"
    return f"--- {namespace}/{name}, {container}: {json.dumps(status['state'])}\n{said}"


def _ask(cluster: Cluster, *words: str) -> str:
    try:
        answer = subprocess.run(
            [cluster.kubectl_program, *words],
            env={**os.environ, **cluster.environment},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"kubectl did not answer: {error}"
    return answer.stdout or answer.stderr
