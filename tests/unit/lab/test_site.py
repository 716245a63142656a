"""Clusters on one machine disturb neither each other nor the network around them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import combinations
from pathlib import Path

from lab.site import MOST, Site

TESTS_ONLY = ip_network("198.18.0.0/15")
SITES = [Site(Path("/somewhere"), number) for number in range(MOST)]


def test_no_two_clusters_share_an_address() -> None:
    """They may run at the same time."""
    networks = [ip_network(network) for site in SITES for network in (f"{site.host}/30", site.services, site.pods)
                if network != f"{site.host}/30"]  # fmt: skip
    networks += [ip_network(f"{site.host}/30", strict=False) for site in SITES]
    assert not [pair for pair in combinations(networks, 2) if pair[0].overlaps(pair[1])]
    assert len({site.interface for site in SITES} | {site.cgroup for site in SITES}) == 2 * MOST


def test_every_address_is_set_aside_for_tests() -> None:
    """A machine in a company's network must still reach all of it."""
    for site in SITES:
        for network in (site.services, site.pods):
            assert ip_network(network).subnet_of(TESTS_ONLY)  # type: ignore[arg-type]
        assert {ip_address(site.host), ip_address(site.node)} <= set(
            ip_network(f"{site.host}/30", strict=False).hosts()
        )


def test_names_and_the_api_server_are_found_among_the_services() -> None:
    """Kubernetes takes the first address; the address of the name server stays free."""
    for site in SITES:
        services = ip_network(site.services)
        assert ip_address(site.first_service) == services[1]
        assert ip_address(site.dns) in services
