"""Full disks. Each is a small tmpfs whose limit is lowered to its current content.

They are mounted in a mount namespace of this process and its children: no other process sees them, and they disappear
with the last of these processes, however it ends.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from pathlib import Path
from typing import Final

from faults.crashes import Harm
from faults.replicated_flow import SkippedError, Stage

_ROOMY: Final = 1024
_ALMOST_NOTHING: Final = 64 * 1024
_CLONE_NEWNS: Final = 0x00020000
_MS_REMOUNT: Final = 0x20
_MS_REC_PRIVATE: Final = 0x4000 | 0x40000
_MNT_DETACH: Final = 2
_SECONDS: Final = 8.0


def mount_small_disks(folders: list[Path]) -> None:
    """Mount a separate tmpfs on each folder.

    Raises:
        SkippedError: this process may not mount.
    """
    if sys.platform != "linux":
        raise SkippedError("Full disks need Linux's tmpfs, so they are left out on this machine.")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None):
        reason = os.strerror(ctypes.get_errno())
        raise SkippedError(f"Full disks need the right to mount (root), so they are left out here ({reason}).")
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        _mount(folder, 0, f"{_ROOMY}m")


def unmount_small_disks(folders: list[Path]) -> None:
    """Unmount the small disks, with everything on them."""
    libc = ctypes.CDLL(None, use_errno=True)
    for folder in folders:
        libc.umount2(os.fsencode(folder), _MNT_DETACH)


def _mount(folder: Path, flags: int, size: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, f"size={size}".encode()):
        raise SkippedError(f"{folder} could not be mounted: {os.strerror(ctypes.get_errno())}.")


def fill(folder: Path) -> None:
    """Lower the limit of a small disk to little more than its current content."""
    room = os.statvfs(folder)
    used = (room.f_blocks - room.f_bfree) * room.f_frsize
    _mount(folder, _MS_REMOUNT, f"{(used + _ALMOST_NOTHING) // 1024}k")


def make_room(folder: Path) -> None:
    """Give a small disk its size back."""
    _mount(folder, _MS_REMOUNT, f"{_ROOMY}m")


def full(server: str) -> Harm:
    """A server can write nothing more for a while; it may wait, fail or die."""

    async def harm(stage: Stage) -> None:
        folder = stage.flow.run_folder / server
        if not folder.is_mount():
            raise SkippedError(f"{folder} is no disk of its own, so filling it would hurt others.")
        stage.down.add(server)
        fill(folder)
        try:
            await asyncio.sleep(_SECONDS)
        finally:
            make_room(folder)
        await asyncio.sleep(1)
        await stage.bring_back(server)

    return harm
