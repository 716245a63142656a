"""How a service's process is set up before it serves anybody."""

from __future__ import annotations

import resource

import pytest

from choreography.web.serving import allow_connections


@pytest.mark.parametrize("soft", [256, 1024])
def test_slow_clients_find_more_connections_than_a_shell_allows(soft: int) -> None:
    """What nobody may have stays as it is."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
        allow_connections()
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert allowed[1] == before[1]
    assert allowed[0] == (65_536 if before[1] == resource.RLIM_INFINITY else min(before[1], 65_536))
