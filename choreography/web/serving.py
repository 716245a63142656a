"""Running one service as a process: ``choreography serve apps.checkout.order``."""

from __future__ import annotations

import gc
import resource
import sys
from dataclasses import replace

import uvicorn

from choreography.authored import import_authored
from choreography.errors import ChoreographyError
from choreography.service import Service
from choreography.settings import Settings
from choreography.stores.opening import refuse_homeless_tables
from choreography.telemetry import set_up_logging
from choreography.topics import TopicNaming, prefix_of
from choreography.web.app import Front, build_app
from choreography.web.http_limits import LimitedHttp

_STOPPING_SECONDS = 20
_OBJECTS_PER_COLLECTION = 50_000
_OPEN_FILES = 65_536
_TURN_SECONDS = 0.0005
"""Seconds for which the thread that sends spans may keep other threads waiting. With Python's 5 ms, and Zipkin
competing for the processors, the slowest of a hundred orders took 52 ms at 20 a second; now 46, and 39 without
traces."""


def service_in(module_name: str) -> Service:
    """Import a module and return the one service it declares.

    Raises:
        ChoreographyError: there is no such module, it cannot be imported, or it declares none or several.
    """
    try:
        module = import_authored(module_name)
    except ModuleNotFoundError as error:
        raise ChoreographyError(
            f"There is no module {error.name!r}, so no service can be served from {module_name!r}. "
            "Name the module as Python would import it from here: apps.checkout.order."
        ) from error
    found = {id(value): value for value in vars(module).values() if isinstance(value, Service)}
    if len(found) != 1:
        names = ", ".join(service.name for service in found.values()) or "none"
        raise ChoreographyError(
            f"{module_name} declares {names}; a process serves exactly one service. "
            "Name the module that declares it, such as apps.checkout.order."
        )
    service = next(iter(found.values()))
    service.check()
    return service


def allow_connections() -> None:
    """Allow this process more open files than the usual 1024 of a shell: each slow client needs one for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def configuration(app: Front, settings: Settings, http: type[LimitedHttp] = LimitedHttp) -> uvicorn.Config:
    """Return the uvicorn configuration of a service's web app."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=http,
        # A message's metadata may ask to upgrade to another protocol. The request is a delivery all the same.
        ws="none",
        log_config=None,
        access_log=False,
        # No part of the service uses the client's address, so the headers of proxies about it need not be trusted.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_STOPPING_SECONDS,
        timeout_keep_alive=75,
    )


def settings_for(module_name: str) -> Settings:
    """Return the settings of the service that a module declares: its topics begin with the name of its flow by default.

    Raises:
        ChoreographyError: a value in the environment cannot be understood.
    """
    settings = Settings.from_environment()
    prefix = settings.topic_prefix or prefix_of(module_name.rpartition(".")[0])
    return replace(settings, topic_prefix=TopicNaming(prefix).prefix)


def serve(module_name: str) -> None:
    """Serve the service that a module declares, until a signal ends it. Exits with 2 if it must not run."""
    service = service_in(module_name)
    settings = settings_for(module_name)
    refuse_homeless_tables(service, settings)
    set_up_logging(service.name, settings.log_level)
    for name, within in settings.deadlines.items():
        service.delay(name, within)
    refused: list[str] = []

    def refuse(sentence: str) -> None:
        refused.append(sentence)
        sys.stderr.write(sentence + "\n")
        server.should_exit = True

    allow_connections()
    server = uvicorn.Server(configuration(build_app(service, settings, refuse), settings))
    # Objects made until here live as long as the process, and events leave next to no reference cycles: searching for
    # cycles after every 700 new objects took a tenth of a service's time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    sys.setswitchinterval(_TURN_SECONDS)
    server.run()
    if refused:
        raise SystemExit(2)
