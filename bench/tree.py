"""This tree and the commits of its repository, as git knows them."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from bench.flow_files import ROOT

_PROVIDER: Final = "apps/payment_provider"


def extracted(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder, and return it."""
    made = _git("archive", "--format=tar", commit)
    if made.returncode:
        raise SystemExit(f"git knows no commit {commit!r}, so nothing can be compared: {made.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(emptied(folder), filter="data")
    return folder


def same_provider(commit: str) -> bool:
    """Tell whether a commit has the same payment provider as this tree, which makes its CPU usable as a unit."""
    return _git("diff", "--quiet", commit, "--", _PROVIDER).returncode == 0


def checked_out() -> str:
    """Return the current commit, with a plus if files were changed; an empty text without git."""
    if shutil.which("git") is None or (head := _git("rev-parse", "--short=12", "HEAD")).returncode:
        return ""
    changed = _git("diff", "--quiet", "HEAD", "--", ".", ":!docs").returncode
    return head.stdout.decode().strip() + ("+" if changed else "")


def emptied(folder: Path) -> Path:
    """Make an empty folder, or empty an existing one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    git = shutil.which("git")
    if git is None:
        raise SystemExit("There is no git here, so no other commit can be run. Install it.")
    return subprocess.run(  # noqa: S603 - git, with a name that the caller gave
        [git, "-C", str(ROOT), *arguments], capture_output=True, check=False
    )
