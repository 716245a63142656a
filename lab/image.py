"""One image: made once, and kept in the cache under a name that follows from its inputs."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.places import cache, only_one

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from choreography.progress import Progress, Ticker
    from lab.docker import Docker


@dataclass(frozen=True)
class Image(ABC):
    """A source of an image that can be loaded into a cluster."""

    names: tuple[str, ...]

    def obtain(self, docker: Docker, progress: Progress) -> Path:
        """Return the file of the image; make it first if its inputs are new."""
        file = self.file
        if file.exists():
            return file
        with only_one(
            file.parent / f"{self._short}.lock",
            lambda: progress.note(f"another run is making the image {self._short} already; waiting for it"),
        ):
            if not file.exists():
                self._make(docker, progress, file)
        return file

    def give_to(self, docker: Docker, progress: Progress, ticker: Ticker) -> None:
        """Load the image into the engine, as a base for other images."""
        file = self.obtain(docker, progress)
        if not all(map(docker.has, self.names)):
            docker.do(["load", "--quiet", "--input", str(file)], ticker)

    @property
    def file(self) -> Path:
        """The file of the image; other inputs have another file."""
        return cache() / "images" / f"{self._short}-{self.digest()[:16]}.tar"

    @abstractmethod
    def digest(self) -> str:
        """A short digest of the image's inputs."""

    @abstractmethod
    def build(self, docker: Docker, progress: Progress, ticker: Ticker) -> None:
        """Make the image in the engine."""

    @property
    def _short(self) -> str:
        return self.names[0].rpartition("/")[2].partition(":")[0]

    def _make(self, docker: Docker, progress: Progress, file: Path) -> None:
        with progress.doing(f"making the image {self._short}, once") as ticker:
            self.build(docker, progress, ticker)
            unfinished = file.with_suffix(".unfinished")
            docker.do(["save", "--output", str(unfinished), *self.names], ticker)
        for older in file.parent.glob(f"{self._short}-{'?' * 16}.tar"):
            older.unlink()
        unfinished.rename(file)
        progress.done(f"image {self._short} made; kept in {file.parent}")


@dataclass(frozen=True)
class Built(Image):
    """An image made by a Dockerfile, on another image or from scratch."""

    dockerfile: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    """What the Dockerfile may copy, and where it is: files or whole folders."""
    base: Image | None = None

    def digest(self) -> str:
        """A digest of names, Dockerfile, files and base."""
        found = hashlib.sha256(repr((self.names, self.base and self.base.digest())).encode())
        found.update(self.dockerfile.read_bytes())
        for name, file in self._all_files():
            with file.open("rb") as content:
                found.update(f"{name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
        return found.hexdigest()

    def build(self, docker: Docker, progress: Progress, ticker: Ticker) -> None:
        """Give the engine the files that the Dockerfile may copy, and no other files of this machine."""
        arguments = []
        if self.base is not None:
            self.base.give_to(docker, progress, ticker)
            arguments = ["--build-arg", f"BASE={self.base.names[0]}"]
        tags = [word for name in self.names for word in ("--tag", name)]
        with self._context() as folder:
            docker.do(["build", "--network", "host", *arguments, *tags, "--file", str(self.dockerfile), folder], ticker)

    @contextmanager
    def _context(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=cache()) as folder:
            for name, file in self._all_files():
                target = Path(folder) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, target)
            yield folder

    def _all_files(self) -> Iterator[tuple[str, Path]]:
        for name, path in sorted(self.files.items()):
            if path.is_dir():
                for inner in sorted(path.rglob("*")):
                    if inner.is_file() and "__pycache__" not in inner.parts:
                        yield f"{name}/{inner.relative_to(path)}", inner
            else:
                yield name, path
