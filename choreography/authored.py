"""Code that the author of a flow wrote: importing it, and reporting its errors with file and line."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

from choreography.errors import ChoreographyError

_OURS: Final = str(Path(__file__).parent)
_PACKAGES: Final = tuple(f"{sysconfig.get_paths()[place]}{os.sep}" for place in ("purelib", "platlib"))
_FRAME: Final = re.compile(r'^ *File "(?P<file>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE)
_INSTALLED: Final = (f"{sysconfig.get_paths()['stdlib']}{os.sep}", *_PACKAGES)


class AuthoredError(ChoreographyError):
    """Code that the author of a flow wrote cannot be imported, or failed."""


def import_authored(name: str) -> ModuleType:
    """Import a module that the author of a flow wrote.

    Raises:
        ModuleNotFoundError: there is no such module.
        AuthoredError: it failed during its import.
        ChoreographyError: a declaration in it contradicts itself.
    """
    try:
        return importlib.import_module(name)
    except ChoreographyError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise
        raise _not_importable(name, error) from error
    # A module may also end the process (SystemExit): the import cannot go on, and the reader must know where it ended.
    except (Exception, SystemExit) as error:
        raise _not_importable(name, error) from error


def reach(name: str) -> None:
    """Make modules in the working directory and above it importable, as they are for every command.

    Test runners often look for modules only in the folder of the test.
    """
    top = name.partition(".")[0]
    if not top.isidentifier() or importlib.util.find_spec(top) is not None:
        return
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / top).is_dir() or (folder / f"{top}.py").is_file():
            sys.path.append(str(folder))
            importlib.invalidate_caches()
            return


def modules_behind(functions: Iterable[object]) -> list[ModuleType]:
    """Return the author's modules that define these functions, and the author's modules that they import."""
    waiting, found = list(functions), dict[str, ModuleType]()
    while waiting:
        one = waiting.pop()
        module = one if isinstance(one, ModuleType) else sys.modules.get(str(getattr(one, "__module__", "")))
        file = getattr(module, "__file__", None)
        if module is not None and module.__name__ not in found and isinstance(file, str) and is_authored(file):
            found[module.__name__] = module
            waiting += vars(module).values()
    return list(found.values())


def is_authored(file: str) -> bool:
    """Tell whether a file belongs neither to this library nor to an installed package."""
    return not file.startswith((_OURS + os.sep, *_INSTALLED, "<"))


def is_of_a_library(file: str) -> bool:
    """Tell whether a file belongs to this library or an installed package, and not to Python itself."""
    return file.startswith((_OURS + os.sep, *_PACKAGES))


def _not_importable(name: str, error: BaseException) -> AuthoredError:
    return AuthoredError(
        f"{name} cannot be imported, so nothing is known about its flow: {told(error)}. Mend it, and try again."
    )


def told(error: BaseException) -> str:
    """Return an exception in one line, with the last line of the author's code that it went through."""
    words = " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__} in {_shown(error.filename)}, line {error.lineno}: {error.msg}"
    place = place_of(error)
    return f"{type(error).__name__}{f' in {place}' if place else ''}{f': {words}' if words else ''}".rstrip(".")


def stack_of(error: BaseException) -> str:
    """Return the author's frames of an exception's stack and its message, without the frames of libraries."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if is_authored(one.filename)]
    return "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)])


def place_of(error: BaseException) -> str:
    """Return the file and line of the author's code; of our code if the error did not pass through the author's."""
    frames = [(one.filename, one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    return _place(frames)


def place_in(stack: str) -> str:
    """Return the file and line of the author's code in the text of a traceback; empty if the text names no file."""
    return _place([(found["file"], int(found["line"])) for found in _FRAME.finditer(stack)])


def _place(frames: Iterable[tuple[str, int | None]]) -> str:
    real = [one for one in frames if not one[0].startswith("<")]
    authored = [one for one in real if is_authored(one[0])]
    chosen = (authored or real)[-1:]
    return f"{_shown(chosen[0][0])}, line {chosen[0][1]}" if chosen else ""


def _shown(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
