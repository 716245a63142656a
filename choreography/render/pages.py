"""Pages for people: one of the whole flow, one of each service."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence

from choreography.analysis.wiring import Wiring, about, reactions_of
from choreography.contracts import Event
from choreography.declaration import Reaction
from choreography.listing import ListView
from choreography.render.diagram import event_diagram, spoken
from choreography.render.source import Files, RenderSource
from choreography.render.state_diagram import state_diagram
from choreography.service import Service


def flow_page(source: RenderSource) -> Files:
    """Render the page of the flow, with its event diagram."""
    pages = " · ".join(f"[{service.name}](docs/{service.name}.md)" for service in source.services)
    return {"FLOW.md": f"```mermaid\n{event_diagram(source.services)}```\n\nA page for each service: {pages}\n"}


def service_pages(source: RenderSource) -> Files:
    """Render the page of each service."""
    wiring = Wiring(source.services)
    return {f"docs/{service.name}.md": _page(wiring, service) for service in source.services}


def _page(wiring: Wiring, service: Service) -> str:
    parts = [f"# {service.name}", about(service)]
    for title, section in _SECTIONS:
        lines = list(section(wiring, service))
        if lines:
            parts.append(f"## {title}\n\n" + "\n".join(lines).rstrip())
    parts.append("[The whole flow](../FLOW.md)")
    return "\n\n".join(part for part in parts if part) + "\n"


def _commands(_: Wiring, service: Service) -> Iterator[str]:
    rows = [
        (f"`{command.method} {command.path}`", f"`{command.event.__name__}`", _first_line(command.function))
        for command in service.commands
    ]
    rows += [(f"`GET {view.path}`", "", f"Shows {_article(view.entity.__name__)}.") for view in service.views]
    rows += [(f"`GET {one.path}`", "", _listed(one)) for one in service.lists]
    return _table(("request", "becomes", ""), rows)


def _listed(view: ListView) -> str:
    by = f" by {', '.join(f'`{name}`' for name in view.filters)}" if view.filters else ""
    return f"Lists every {view.entity.__name__}{by}, {'newest' if view.newest_first else 'oldest'} first."


def _publishes(wiring: Wiring, service: Service) -> Iterator[str]:
    rows = []
    for event in service.publishes:
        heard_in = [f"[{one.name}]({one.name}.md)" for one, _ in wiring.consumers(event.wire_type)]
        rows.append(
            (f"`{event.__name__}`", f"`{event.wire_type}`", ", ".join(heard_in) or "nobody", _event_note(event))
        )
    return _table(("event", "wire type", "heard by", ""), rows)


def _event_note(event: type[Event]) -> str:
    notes = [(inspect.getdoc(event) or "").splitlines()[0] if event.__doc__ else ""]
    if event.undoes is not None:
        notes.append(f"Undoes `{event.undoes.__name__}`.")
    return " ".join(note for note in notes if note)


def _consumes(wiring: Wiring, service: Service) -> Iterator[str]:
    rows = []
    for reaction in reactions_of(service):
        if reaction.style in ("event", "join") and all(issubclass(one, Event) for one in reaction.hears):
            publishers = dict.fromkeys(_publisher(wiring, one.wire_type) for one in reaction.hears)
            heard = " and ".join(f"`{one.__name__}`" for one in reaction.hears)
            rows.append(
                (heard, ", ".join(publishers), f"`{reaction.name}`", _said(reaction), _first_line(reaction.function))
            )
        elif reaction.style == "undo":
            undone = reaction.hears[0]
            told = f"Empties its slot in the wait of `{reaction.name}`, as long as that has not run."
            rows.append((f"`{undone.__name__}`", _publisher(wiring, undone.wire_type), "", "", told))
    return _table(("event", "from", "reaction", "says", ""), rows)


def _publisher(wiring: Wiring, wire_type: str) -> str:
    found = wiring.publisher(wire_type)
    return f"[{found[0].name}]({found[0].name}.md)" if found else "elsewhere"


def _said(reaction: Reaction) -> str:
    return ", ".join(f"`{one.__name__}`" for one in sorted(reaction.said, key=lambda one: one.__name__))


def _deadlines(_: Wiring, service: Service) -> Iterator[str]:
    rows = [
        (
            f"`{reaction.name}`",
            f"{spoken(reaction.within)} after `{reaction.hears[0].__name__}`" if reaction.within else "",
            _said(reaction),
            _first_line(reaction.function),
        )
        for wire_type in sorted(service.deadlines)
        for reaction in service.deadlines[wire_type]
    ]
    return _table(("deadline", "comes", "says", ""), rows)


def _effects(_: Wiring, service: Service) -> Iterator[str]:
    rows = []
    for effect in service.effects.values():
        answers = ", ".join(
            f"`{answer.__name__}` (`{reaction.name}`)"
            for answer in effect.answers
            for reaction in service.subjects[answer.wire_type].reactions
        )
        limits = (
            f"{spoken(effect.timeout)} a try, {effect.at_once} at once, the key is kept for {spoken(effect.keeps_keys)}"
        )
        rows.append((f"`{effect.intent.__name__}`", f"`{effect.name}` calls {effect.outside}", answers, limits))
    return _table(("intent", "effect", "answers, and what hears them", "limits"), rows)


def _owns(_: Wiring, service: Service) -> Iterator[str]:
    for entity in sorted(service.entities, key=lambda one: one.__name__):
        yield from (f"### {entity.__name__}", "", inspect.getdoc(entity) or "", "")
        yield f"Kept as `{entity.kind}`, found by `{entity.key_field}`."
        diagram = state_diagram(service, entity)
        if diagram.mermaid:
            yield from ("", f"```mermaid\n{diagram.mermaid}```")
        if diagram.staying:
            yield from ("", "What is heard, and said, without another state:", "")
            yield from (f"- {state}: {told}" for state, told in diagram.staying)
        yield ""


_SECTIONS: tuple[tuple[str, Callable[[Wiring, Service], Iterator[str]]], ...] = (
    ("Requests", _commands),
    ("Publishes", _publishes),
    ("Reacts to", _consumes),
    ("Deadlines", _deadlines),
    ("Effects", _effects),
    ("Owns", _owns),
)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    rows = list(rows)
    if rows:
        yield f"| {' | '.join(head)} |"
        yield f"| {' | '.join('---' for _ in head)} |"
        for row in rows:
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _first_line(function: object) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
