"""A base image for machines without a registry: a small Debian, made from its packages."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.errors import UpError
from choreography.up.places import cache
from choreography.up.running_tools import ask, work
from lab.image import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choreography.progress import Progress, Ticker
    from lab.docker import Docker

_RELEASE = "bookworm"
_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
_OWN_AUTHORITIES = "usr/local/share/ca-certificates"
_WHY = "Every image of the lab that needs more than one program stands on it."


@dataclass(frozen=True)
class Debian(Image):
    """A small Debian with Python, like the official base images."""

    packages: tuple[str, ...] = ("python3", "python3-venv", "ca-certificates")

    def digest(self) -> str:
        """A digest of names, packages and this code. Newer packages of the same release make no new image."""
        return hashlib.sha256(repr((self.names, self.packages)).encode() + Path(__file__).read_bytes()).hexdigest()

    def build(self, docker: Docker, progress: Progress, ticker: Ticker) -> None:
        """Make a root file system with debootstrap, from the package source of this machine."""
        del progress
        with tempfile.TemporaryDirectory(dir=cache()) as scratch:
            root, archive = Path(scratch) / "root", Path(scratch) / "root.tar"
            _debootstrap(root, self.packages, ticker)
            _trust_as_this_machine_does(root, ticker)
            with tarfile.open(archive, "w") as tar:
                tar.add(root, arcname=".", filter=_without_devices)
            changes = [
                f"ENV PIP_CERT={_TRUSTED}",
                "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ]
            words = [word for change in changes for word in ("--change", change)]
            docker.do(["import", *words, str(archive), self.names[0]], ticker)
            for name in self.names[1:]:
                docker.do(["tag", self.names[0], name], ticker)


def _debootstrap(root: Path, packages: Sequence[str], ticker: Ticker) -> None:
    # In its own mount namespace: after an interruption, nothing stays mounted in a folder that is removed later.
    own = ["unshare", "--mount", "debootstrap"]
    wanted = ["--variant=minbase", f"--include={','.join(packages)}"]
    work([*own, *wanted, _RELEASE, str(root), _mirror()], why=_WHY, ticker=ticker)
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / folder)
        (root / folder / "partial").mkdir(parents=True)


def _mirror() -> str:
    """Return the package source of this machine."""
    told = ask(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]) or ""
    if not told.strip():
        raise UpError(
            "apt-get names no place that it has packages from, so no base for images can be made. "
            "Add one to /etc/apt/sources.list, run `apt-get update`, then start again."
        )
    return told.split()[0]


def _trust_as_this_machine_does(root: Path, ticker: Ticker) -> None:
    """Trust the same authorities as this machine: one of them may stand between a build and the packages."""
    for authority in Path("/", _OWN_AUTHORITIES).glob("*.crt"):
        shutil.copy(authority, root / _OWN_AUTHORITIES)
    work(["chroot", str(root), "update-ca-certificates"], why=_WHY, ticker=ticker)


def _without_devices(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.isdev() else member
