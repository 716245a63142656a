"""The pages of the explorer. Each address contains the whole run, so the server keeps nothing but its searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.middleware.trustedhost import TrustedHostMiddleware

from choreography.explore.browser.course import Course
from choreography.explore.browser.pages import Beginning, page_of
from choreography.explore.browser.searches import Searches
from choreography.explore.model import Model
from choreography.explore.properties import ExploreError
from choreography.explore.result import SearchBounds

_HERE: Final = Path(__file__).parent
_SETTING: Final = "set-"
_DIGITS: Final = 6
_OWN: Final = ("127.0.0.1", "localhost", "[::1]")
"""Host names that a browser on this machine uses; a page elsewhere that has a name made to lead here has another."""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One setting of the scenario in the form: its name, its value, and its possible values (empty: any value)."""

    name: str
    value: str
    choices: tuple[str, ...]
    numeric: bool


def explorer(model: Model, first: Beginning, limits: SearchBounds) -> FastAPI:
    """Return the web app.

    Args:
        model: the flow.
        first: the scenario that is shown for an address without parameters.
        limits: where a search stops.
    """
    app = FastAPI(title=f"Explorer of {model.name}", openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(_OWN))
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    templates = Jinja2Templates(directory=_HERE / "templates")
    searches = Searches(model, limits)

    def asked(request: Request) -> tuple[Beginning, Course]:
        words = request.query_params
        course = Course.parse(words.get("run", ""))
        return (_beginning(model, words, first) if "scenario" in words else first), course

    @app.middleware("http")
    async def safe(request: Request, call_next: Any) -> Response:
        """Forbid every page to load anything from elsewhere, and to be embedded elsewhere."""
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.exception_handler(ExploreError)
    def refused(request: Request, error: ExploreError) -> Response:
        return templates.TemplateResponse(
            request, "refused.html", {"problem": str(error), "flow": model.name}, status_code=400
        )

    @app.get("/")
    def show(request: Request) -> Response:
        beginning, course = asked(request)
        page = page_of(model, beginning, course)
        form = _form(model, beginning, first)
        return templates.TemplateResponse(
            request, "explorer.html", {"page": page, "scenarios": tuple(model.makers), "form": form}
        )

    @app.get("/onward")
    def onward(request: Request) -> Response:
        beginning, course = asked(request)
        whole = course.to_the_end(model.beginning_with(beginning.scenario), beginning.scenario)
        return RedirectResponse(beginning.address(whole), status_code=303)

    @app.get("/search")
    def look(request: Request) -> Response:
        beginning, _ = asked(request)
        found = searches.of(beginning)
        again = beginning.address(Course(), "/search")
        shown = {"search": found, "again": again, "beginning": beginning, "begin": Course(), "flow": model.name}
        return templates.TemplateResponse(request, "search.html", shown)

    return app


def _beginning(model: Model, words: Mapping[str, str], first: Beginning) -> Beginning:
    """Read a scenario and its settings from an address.

    Raises:
        ExploreError: there is no such scenario or setting, a value does not fit, or it names code that would be
            imported.
    """
    name = words["scenario"]
    model.scenario(name)
    usual = {**model.makers[name].faults, **model.makers[name].settings}
    settings = {
        key.removeprefix(_SETTING): _value(key.removeprefix(_SETTING), text, usual.get(key.removeprefix(_SETTING)))
        for key, text in words.items()
        if key.startswith(_SETTING)
    }
    named, old = settings.get("old", ""), first.scenario.faults.old
    if "old" in model.makers[name].faults and named not in ("", old):
        # Any page on the web may link to this address, and a named module would be imported.
        raise ExploreError(
            f"The old release {named!r} is not the one that this explorer was started with, and code is imported from "
            f"no folder that an address names. Start it with that: choreography explore {model.name} --old {named}."
        )
    return Beginning(name, model.scenario(name, **settings))


def _value(name: str, text: str, usual: Any) -> Any:
    match usual:
        case bool():
            if text not in ("true", "false"):
                raise ExploreError(f"The setting {name} is {text!r}, and it can only be true or false.")
            return text == "true"
        case int():
            digits = text.removeprefix("-")
            if not (digits.isdecimal() and digits.isascii() and len(digits) <= _DIGITS):
                raise ExploreError(
                    f"The setting {name} is {text[:40]!r}, and it must be a whole number of at most {_DIGITS} digits, "
                    f"such as {usual}."
                )
            return int(text)
        case _:
            return text


def _form(model: Model, beginning: Beginning, first: Beginning) -> tuple[Chosen, ...]:
    maker, olds = model.makers[beginning.name], tuple(dict.fromkeys(("", first.scenario.faults.old)))

    def chosen(name: str, value: Any) -> Chosen:
        is_flag = isinstance(value, bool)
        text = str(value).lower() if is_flag else str(value)
        usual = maker.usual(name)
        is_number = isinstance(usual, int) and not is_flag
        choices = ("false", "true") if is_flag else olds if name == "old" and name in maker.faults else ()
        return Chosen(_SETTING + name, text, choices, is_number)

    return tuple(chosen(name, value) for name, value in {**maker.faults, **dict(beginning.scenario.settings)}.items())
