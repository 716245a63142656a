"""A contradiction in a declaration fails at import, with a message that says what to do about it."""

# ruff: noqa: ARG001 - what is tested here are signatures; nothing behind them is run.

import re
import types
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest

from choreography import (
    Answer,
    ChoreographyError,
    Deadline,
    Decision,
    Entity,
    Event,
    Id,
    Intent,
    NewId,
    Outside,
    Request,
    Service,
    Value,
    named_by,
    nothing,
)
from choreography.errors import DeclarationError


class Planted(Event, owner="garden", subject="plot", type="tree.planted.v1"):
    """A tree was planted."""

    plot: Id


class Felled(Event, owner="garden", subject="plot", type="tree.felled.v1"):
    """A tree was felled."""

    plot: Id


class Watered(Event, owner="weather", subject="plot", type="plot.watered.v1"):
    """It rained."""

    plot: Id


class Plot(Entity, key="plot"):
    """A place for one tree."""

    plot: Id
    status: Literal["empty", "planted"] = "empty"


class Deed(Entity, key="plot"):
    """Who owns a plot; there is none before somebody does."""

    plot: Id
    owner: Id


class Order(Intent):
    """Ask the nursery for a tree."""

    plot: Id


class Delivered(Answer, type="tree.delivered.v1"):
    """The nursery sent it."""

    plot: Id


class Wish(Request):
    """What a gardener sends."""

    plot: Id


@pytest.fixture
def garden() -> Service:
    """Return a service that owns Planted and may publish it."""
    return Service("garden", publishes=[Planted])


def refused(*words: str) -> Any:
    """Expect a refusal whose message holds these words, in this order."""
    return pytest.raises(DeclarationError, match="(?s)" + ".*".join(re.escape(word) for word in words))


@pytest.mark.parametrize("name", ["", "Garden", "my garden", "garden.v1", "9lives", "g" * 64])
def test_a_service_needs_a_name_that_can_be_an_app_id(name: str) -> None:
    """It becomes a host name."""
    with refused("cannot be a Dapr app id", "Use lower-case letters, digits and hyphens"):
        Service(name)


def test_an_event_is_published_by_its_owner_only() -> None:
    """Every consumer would refuse it from another service."""
    with refused("publishes Watered", "'weather'", "let weather publish it", 'owner="garden"'):
        Service("garden", publishes=[Watered])


def test_an_event_inherits_its_owner_and_a_family_shares_a_topic() -> None:
    """All versions of an event are on one topic, named by the wire type without the version."""

    class Grafted(Planted, type="tree.grafted.v1"):
        pass

    class GraftedTwice(Planted, type="tree.grafted.v12"):
        pass

    assert (Grafted.owned_by, Grafted.topic, GraftedTwice.topic) == ("garden", "tree.grafted", "tree.grafted")
    assert Service("garden", publishes=[Planted, Grafted, GraftedTwice]).topics == ("tree.grafted", "tree.planted")


def test_an_event_may_leave_its_owner_open() -> None:
    """Then the service that publishes it in its flow is the owner."""

    class Rained(Event, subject="plot", type="plot.rained.v1"):
        plot: Id

    assert Rained.owned_by == ""
    assert Service("weather", publishes=[Rained]).topics == ("plot.rained",)


def test_a_topic_that_an_older_program_names_is_ignored_and_a_warning_says_what_to_write() -> None:
    """Programs from the time of one topic for each service still run."""
    with pytest.warns(DeprecationWarning, match=r'Old names a topic, which is ignored.*owner="order"'):

        class Old(Event, topic="trees", subject="plot", type="tree.old.v1"):
            plot: Id

    with pytest.warns(DeprecationWarning, match=r"The service forest names a topic, which is ignored.*Remove it"):
        forest = Service("forest", topic="trees", publishes=[Old])
    assert forest.topics == (Old.topic,) == ("tree.old",)


def test_an_event_may_say_who_owns_what_it_is_about() -> None:
    """A deed has an `owner` field of its own; the owner of the event has another name."""

    class Written(Event, owner="garden", subject="plot", type="deed.written.v1"):
        plot: Id
        owner: str

    assert (Written.topic, Written.owned_by) == ("deed.written", "garden")
    assert Written(plot="p", owner="me").owner == "me"


def test_one_wire_type_is_one_event() -> None:
    """Consumers could not distinguish two models of one wire type."""

    class Replanted(Event, owner="garden", subject="plot", type="tree.planted.v1"):
        plot: Id

    with refused("tree.planted.v1 twice", "Keep one"):
        Service("garden", publishes=[Planted, Replanted])


@pytest.mark.parametrize(
    ("annotation", "word", "advice"),
    [
        (float, "float", "Money"),
        (float | None, "float", "Money"),
        (tuple[float, ...], "float", "Money"),
        (list[str], "list", "tuple"),
        (dict[int, str], "dict", "Use a str as the key"),
        (dict[str, float], "dict", "Money"),
        (set[str], "set", "tuple"),
        (bytes, "bytes", "Use str, int"),
        (Any, "Any", "Use str, int"),
        (tuple, "tuple", "Use str, int"),
        (Literal[b"raw"], "bytes", "Use str, int"),
        (Mapping, "Mapping", "dict[str, int]"),
    ],
)
@pytest.mark.parametrize(
    ("base", "arguments"),
    [
        (Value, {}),
        (Event, {"topic": "garden", "subject": "bad", "type": "tree.sick.v1"}),
        (Entity, {"key": "bad"}),
        (Intent, {}),
        (Request, {}),
        (Answer, {"type": "tree.sick.v1"}),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_a_field_that_loses_something_is_refused(
    base: type[Value], arguments: dict[str, str], annotation: object, word: str, advice: str
) -> None:
    """Money as a float, a list that can change, or bytes that JSON cannot carry."""
    with refused("Bad.bad is", word, advice):
        types.new_class("Bad", (base,), arguments, lambda body: body.update(__annotations__={"bad": annotation}))


def no_version() -> None:
    """Leave out the version."""

    class Bad(Event, owner="garden", subject="plot", type="tree.planted"):
        plot: Id


def no_dots() -> None:
    """Write the wire type like a class."""

    class Bad(Event, owner="garden", subject="plot", type="TreePlanted.v1"):
        plot: Id


def strange_owner() -> None:
    """Name an owner that cannot be a service."""

    class Bad(Event, owner="The Garden", subject="plot", type="tree.sick.v1"):
        plot: Id


def no_subject() -> None:
    """Leave out what it is about."""

    class Bad(Event, owner="garden", type="tree.sick.v1"):
        plot: Id


def strange_subject() -> None:
    """Name a subject that is no field."""

    class Bad(Event, owner="garden", subject="tree", type="tree.sick.v1"):
        plot: Id


def no_key() -> None:
    """Leave out the key."""

    class Bad(Entity):
        plot: Id


def strange_key() -> None:
    """Name a key that is no field."""

    class Bad(Entity, key="tree"):
        plot: Id


def reserved_kind() -> None:
    """Take a name that the library keeps."""

    class Outcome(Entity, key="plot"):
        plot: Id


def answer_without_type() -> None:
    """Leave out the wire type."""

    class Bad(Answer):
        plot: Id


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (no_version, ("'tree.planted'", "cannot version", '"order.created.v1"')),
        (no_dots, ("'TreePlanted.v1'", "dotted lower-case words")),
        (strange_owner, ("has the owner 'The Garden'", "cannot be a Dapr app id", "lower-case letters")),
        (no_subject, ("names '' as its subject", "plot", 'Add subject="<field>"')),
        (strange_subject, ("names 'tree' as its subject", "plot", 'Add subject="<field>"')),
        (no_key, ("needs a key", "plot", 'key="order_id"')),
        (strange_key, ("needs a key", "plot", 'key="order_id"')),
        (reserved_kind, ("'outcome'", "keeps for itself", "another kind")),
        (answer_without_type, ("needs a frozen wire type", 'class Bad(Answer, type="card.charged.v1")')),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_class_line_that_leaves_something_out_is_refused(declare: Callable[[], None], words: tuple[str, ...]) -> None:
    """The subject, the owner and the wire type of an event stand once, on its class line."""
    with refused(*words):
        declare()


def fits(plot: Plot, planted: Planted) -> Decision[Planted]:
    """Decide nothing: a reaction that contradicts nothing."""
    return nothing


def takes_a_clock(plot: Plot, planted: Planted, clock: int) -> Decision:
    """Take what nothing can fill."""
    return nothing


def takes_another_event(plot: Plot, felled: Felled) -> Decision:
    """Take an event that is not heard."""
    return nothing


def says_undeclared(plot: Plot, planted: Planted) -> Decision[Felled]:
    """Say what the service does not publish."""
    return nothing


def takes_what_cannot_be_blank(deed: Deed, planted: Planted) -> Decision:
    """Take an entity that need not exist."""
    return nothing


def takes_what_may_be_missing(deed: Deed | None, planted: Planted) -> Decision:
    """Take an entity that need not exist, and say so."""
    return nothing


def takes_a_strange_path(plots: Annotated[Mapping[str, Plot], named_by("trees.plot")], planted: Planted) -> Decision:
    """Look for ids where there are none."""
    return nothing


async def waits(plot: Plot, planted: Planted) -> Decision:
    """Wait, which no reaction may."""
    return nothing


def says_nothing_about_itself(plot: Plot, planted: Planted):  # type: ignore[no-untyped-def] # noqa: ANN201, D103
    return nothing


def says_none(plot: Plot, planted: Planted) -> None:
    """Fall off the end."""


@pytest.mark.parametrize(
    ("reaction", "words"),
    [
        (takes_a_clock, ("'clock'", "nothing can fill", "what is heard (Planted)")),
        (takes_another_event, ("'felled'", "nothing can fill", "what is heard (Planted)")),
        (says_undeclared, ("says Felled", "does not declare", "publishes=[Felled")),
        (takes_what_cannot_be_blank, ("Deed", "no blank form", "`deed: Deed | None`")),
        (takes_a_strange_path, ("'trees.plot'", "Planted has no such field", "named_by")),
        (waits, ("async def", "Call out in an effect")),
        (says_nothing_about_itself, ("no return annotation", "Add -> Decision")),
        (says_none, ("no return annotation", "Add -> Decision")),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_reaction_that_could_not_run_is_refused(
    garden: Service, reaction: Callable[..., Any], words: tuple[str, ...]
) -> None:
    """Its signature is its declaration, so it is read when it is written."""
    with refused(*words):
        garden.on(Planted)(reaction)


@pytest.mark.parametrize("kind", ["a||b", "Order", "order line", "9"])
def test_a_kind_of_entity_is_a_name_that_stores_do_not_confuse(kind: str) -> None:
    """It is a part of every key."""
    with refused("would be kept as", "lower-case letters"):

        class Bad(Entity, key="plot", kind=kind):
            plot: Id


@pytest.mark.parametrize("path", ["/events", "/undelivered", "/job/x", "/healthz", "/metrics", "/docs", "/dapr/config"])
def test_a_command_leaves_the_paths_of_the_sidecar_alone(path: str) -> None:
    """Otherwise the route would get deliveries, or hide the service's health."""
    garden = Service("garden", publishes=[Planted])
    with refused("which every service keeps", "a path of its own"):

        @garden.command(f"POST {path}")
        def plant(plot: NewId) -> Planted:
            return Planted(plot=plot)


@pytest.mark.filterwarnings("ignore:Field name")
def test_an_entity_has_no_field_named_key() -> None:
    """It would hide the key that identifies every entity."""
    with refused("has a field named 'key'", "Call it by what it is"):

        class Bad(Entity, key="key"):
            key: str


@pytest.mark.parametrize("reaction", [fits, takes_what_may_be_missing])
def test_a_reaction_that_contradicts_nothing_is_taken_as_it_is(garden: Service, reaction: Callable[..., Any]) -> None:
    """It stays the function it was, so that it can be called and read."""
    assert garden.on(Planted)(reaction) is reaction


def test_two_reactions_of_one_name_to_one_event_are_refused(garden: Service) -> None:
    """The second would be taken for a repeat of the first."""
    garden.on(Planted)(fits)
    with refused("two reactions named 'fits'", "taken for a repeat", "Rename one"):
        garden.on(Planted)(fits)
    garden.on(Planted, name="fits_as_well")(fits)


def test_an_event_without_a_wire_type_cannot_be_heard(garden: Service) -> None:
    """An abstract base is never sent."""

    class Garden(Event, owner="garden", subject="plot"):
        plot: Id

    def reaction(plot: Plot, heard: Garden) -> Decision:
        return nothing

    reaction.__annotations__["heard"] = Garden
    with refused("Garden has no wire type", 'Add type="order.created.v1"'):
        garden.on(Garden)(reaction)


def test_two_entities_of_one_kind_are_refused(garden: Service) -> None:
    """One would overwrite the other in the store."""

    class Bed(Entity, key="plot", kind="plot"):
        plot: Id

    def reaction(bed: Bed, planted: Planted) -> Decision:
        return nothing

    reaction.__annotations__["bed"] = Bed
    garden.on(Planted)(fits)
    with refused("both Plot and Bed as 'plot'", "overwrite", "its own kind"):
        garden.on(Planted)(reaction)


def joins(plot: Plot, planted: Planted, watered: Watered) -> Decision:
    """Wait for both."""
    return nothing


def joins_without_remembering(planted: Planted, watered: Watered) -> Decision:
    """Wait without a place to remember what came."""
    return nothing


def joins_half(plot: Plot, planted: Planted) -> Decision:
    """Wait for both and take one."""
    return nothing


def joins_what_may_be_missing(deed: Deed | None, planted: Planted, watered: Watered) -> Decision:
    """Remember by something that need not exist."""
    return nothing


@pytest.mark.parametrize("heard", [(), (Planted,), (Planted, Planted)])
def test_a_join_waits_for_more_than_one(garden: Service, heard: tuple[type[Event], ...]) -> None:
    """Waiting for one is hearing it."""
    with refused("at least two different events", "use on() for one"):
        garden.when_all(*heard)


@pytest.mark.parametrize(
    ("reaction", "words"),
    [
        (joins_without_remembering, ("exactly one entity to remember by", "names 0")),
        (joins_half, ("waits for all of Planted, Watered", "as a parameter")),
        (joins_what_may_be_missing, ("may not exist when the first event comes", "a default")),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_join_that_could_not_wait_is_refused(
    garden: Service, reaction: Callable[..., Any], words: tuple[str, ...]
) -> None:
    """It needs one entity that holds its slots, and takes all events that it waits for."""
    with refused(*words):
        garden.when_all(Planted, Watered)(reaction)


def test_a_join_declared_before_what_undoes_it_is_refused(garden: Service) -> None:
    """Otherwise it would run on an event that was undone."""

    class Sown(Event, owner="garden", subject="plot", type="plot.sown.v1"):
        plot: Id

    def reaction(plot: Plot, sown: Sown, watered: Watered) -> Decision:
        return nothing

    reaction.__annotations__["sown"] = Sown
    garden.when_all(Sown, Watered)(reaction)
    garden.check()

    class Eaten(Event, owner="garden", subject="plot", type="plot.eaten.v1", undoes=Sown):
        plot: Id

    with refused("declared before Eaten", "Sown was undone", "Import Eaten above the join"):
        garden.check()


def reminds(plot: Plot, deadline: Deadline) -> Decision:
    """Be reminded."""
    return nothing


def test_a_deadline_starts_at_an_event_that_is_heard(garden: Service) -> None:
    """Nothing else could start it."""
    with refused("starts at Planted", "does not react", "above the deadline"):
        garden.deadline(after=Planted, within=timedelta(minutes=1))(reminds)


@pytest.mark.parametrize("within", [timedelta(0), timedelta(seconds=-1)])
def test_a_deadline_lies_ahead(garden: Service, within: timedelta) -> None:
    """A reaction handles what is due at once."""
    garden.on(Planted)(fits)
    with refused("reminds is due", "must lie ahead"):
        garden.deadline(after=Planted, within=within)(reminds)


def test_two_deadlines_of_one_name_are_refused_whatever_they_start_at(garden: Service) -> None:
    """A due deadline names itself and not the event that started it."""
    garden.on(Planted)(fits)
    garden.on(Watered, name="drinks")(drinks)
    garden.deadline(after=Planted, within=timedelta(minutes=1))(reminds)
    for start in (Planted, Watered):
        with refused("two deadlines named 'reminds'", "Rename one"):
            garden.deadline(after=start, within=timedelta(minutes=2))(reminds)


def drinks(plot: Plot, watered: Watered) -> Decision:
    """Hear the rain."""
    return nothing


def test_only_a_declared_deadline_can_be_delayed(garden: Service) -> None:
    """An unknown name lists the known ones."""
    garden.on(Planted)(fits)
    garden.deadline(after=Planted, within=timedelta(minutes=1))(reminds)
    with refused("no deadline 'remind'", "it has reminds"):
        garden.delay("remind", timedelta(minutes=2))


async def buy(order: Order, nursery: Outside) -> Delivered:
    """Buy a tree."""
    raise NotImplementedError


def buy_at_once(order: Order, nursery: Outside) -> Delivered:
    """Call the outside without waiting for it."""
    raise NotImplementedError


async def buy_alone(order: Order) -> Delivered:
    """Call the outside by another way than the one that carries the key."""
    raise NotImplementedError


async def buy_silently(order: Order, nursery: Outside) -> None:
    """Answer nothing."""


async def buy_backwards(nursery: Outside, order: Order) -> Delivered:
    """Take the two in the wrong order."""
    raise NotImplementedError


def plan(plot: Plot, planted: Planted) -> Decision[Order]:
    """Decide to ask for a tree."""
    return nothing


def plant(plot: Plot, delivered: Delivered) -> Decision:
    """Hear the answer."""
    return nothing


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (buy_at_once, ("calls the outside", "must be an async def")),
        (buy_alone, ("one Intent and the Outside", "Answers only")),
        (buy_silently, ("one Intent and the Outside", "Answers only")),
        (buy_backwards, ("one Intent and the Outside, in this order", "Answers only")),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_an_effect_that_could_not_be_carried_out_is_refused(
    garden: Service, effect: Callable[..., Any], words: tuple[str, ...]
) -> None:
    """It takes the intent and its outside, and a reaction consumes its answer."""
    with refused(*words):
        garden.effect(outside="nursery")(effect)


def test_an_intent_is_carried_out_in_one_place(garden: Service) -> None:
    """Two effects for one intent would call twice."""
    garden.effect(outside="nursery")(buy)
    with refused("carries out Order twice", "Keep one"):
        garden.effect(outside="nursery")(buy)


def test_an_intent_that_nobody_carries_out_is_refused(garden: Service) -> None:
    """It would be decided and forgotten."""
    garden.on(Planted)(plan)
    with refused("decides Order", "no effect carries it out", "@garden.effect"):
        garden.check()


def test_an_answer_that_nobody_hears_is_refused(garden: Service) -> None:
    """The outside would have acted, and no reaction would know."""
    garden.on(Planted)(plan)
    garden.effect(outside="nursery")(buy)
    with refused("may answer Delivered", "nothing reacts", "@garden.on(Delivered)"):
        garden.check()
    garden.on(Delivered)(plant)
    garden.check()


def ask(committed: Wish) -> Planted:
    """Become an event."""
    return Planted(plot=committed.plot)


def ask_for_undeclared(committed: Wish) -> Felled:
    """Become an event that the service does not publish."""
    return Felled(plot=committed.plot)


def ask_for_anything(committed: Wish) -> Event:
    """Become who knows what."""
    return Planted(plot=committed.plot)


def ask_twice(committed: Wish, other: Wish) -> Planted:
    """Take two bodies."""
    return Planted(plot=committed.plot)


def ask_beside_the_path(committed: Wish, plot: Id) -> Planted:
    """Take what the path does not hold."""
    return Planted(plot=plot)


def ask_with_a_new_id(committed: Wish, plot: NewId) -> Planted:
    """Take a new id, which no path holds."""
    return Planted(plot=plot)


@pytest.mark.parametrize(
    ("command", "route", "words"),
    [
        (ask_for_undeclared, "POST /trees", ("says Felled", "publishes=[Felled")),
        (ask_for_anything, "POST /trees", ("exactly one kind of event", "-> OrderCreated")),
        (ask_twice, "POST /trees", ("two bodies, 'committed' and 'other'", "a request has one")),
        (ask_beside_the_path, "POST /trees", ("'plot'", "not in its path '/trees'", "stands in the path")),
        (ask, "POST /trees/{tree}", ("{tree}", "no parameter takes", "Add the parameter tree: Id")),
        (ask, "GET /trees", ("'GET /trees'", "Write a method and a path")),
        (ask, "/trees", ("'/trees'", "Write a method and a path")),
    ],
)
def test_a_command_that_could_not_be_called_is_refused(
    garden: Service, command: Callable[..., Event], route: str, words: tuple[str, ...]
) -> None:
    """Everything it takes comes from the request, and it becomes one declared event."""
    with refused(*words):
        garden.command(route)(command)


def test_two_commands_at_one_route_are_refused(garden: Service) -> None:
    """The second would never be reached."""
    garden.command("POST /trees")(ask)
    with refused("two commands at 'POST /trees'", "only the first would be reached"):
        garden.command("POST /trees")(ask_with_a_new_id)


def test_a_command_nobody_reacts_to_is_refused(garden: Service) -> None:
    """A command that was accepted with 202 would be forgotten."""
    garden.command("POST /trees")(ask)
    with refused("accepts Planted at /trees", "forget", "@garden.on(Planted)"):
        garden.check()
    garden.on(Planted)(fits)
    garden.check()


def test_a_view_names_the_key_of_what_it_shows(garden: Service) -> None:
    """Otherwise the path would not say which entity to show."""
    with refused("'/plots/{id}'", "must contain {plot}", "the key of Plot"):
        garden.view("/plots/{id}", Plot)


def test_a_view_of_what_is_never_kept_is_refused(garden: Service) -> None:
    """It would answer 404 for ever."""
    garden.view("/plots/{plot}", Plot)
    with refused("shows Plot at /plots/{plot}", "no reaction takes it", "drop the view"):
        garden.check()
    garden.on(Planted)(fits)
    garden.check()


@pytest.mark.parametrize("kind", ["canary", "not-yet", "outcome", "probe", "replica"])
def test_the_librarys_own_kinds_of_records_are_taken(kind: str) -> None:
    """They stand in the same store, and an entity could be mistaken for one of them."""
    with refused(f"kept as {kind!r}", "another kind"):
        types.new_class("Mine", (Plot,), {"kind": kind})


def test_every_contradiction_is_an_error_of_this_library() -> None:
    """One base class catches them all."""
    assert issubclass(DeclarationError, ChoreographyError)


class Bed(Entity, key="bed"):
    """Has fields that a list can be asked for, and others."""

    bed: Id
    colour: str = ""
    limit: int = 0
    rows: tuple[int, ...] = ()
    either: Literal["a"] | int = 1


@pytest.mark.parametrize(
    ("path", "by", "words"),
    [
        ("/beds", ("rows",), ("Bed.rows", "cannot be asked for by that", "A filter is a str, an int")),
        ("/beds", ("either",), ("Bed.either", "cannot be asked for by that")),
        ("/beds", ("color",), ("'color'", "no such field", "Did you mean colour?", "It has bed, colour")),
        ("/beds", (("colour", "x"),), ("'x'", "no such field", "It has bed, colour")),
        ("/beds", ("limit",), ("'limit'", "every list has", "limit, after, null", "Field(alias=...)")),
        ("/beds", "colour", ("one text", 'by=("colour",)')),
        ("/beds/{bed}", ("colour",), ("fixed path", "filters in the query")),
        ("beds", (), ("fixed path",)),
        ("/healthz", (), ("every service keeps",)),
    ],
)
def test_a_list_that_nobody_could_ask_is_refused(
    garden: Service, path: str, by: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """It is refused at its declaration, with the valid choices."""
    with refused(*words):
        garden.view(path, Bed, by=by)


def test_a_list_of_what_is_never_kept_and_two_at_one_path_are_refused(garden: Service) -> None:
    """One would be empty for ever, the other never reached; and what shows one thing has no order."""
    garden.view("/plots", Plot, by=())
    with refused("shows Plot at /plots", "no reaction takes it"):
        garden.check()
    garden.on(Planted)(fits)
    garden.check()
    garden.view("/plots", Plot, by=())
    with refused("two lists at '/plots'", "only the first would be reached"):
        garden.check()
    with refused("shows one Plot", "no order", "by=()"):
        garden.view("/plots/{plot}", Plot, newest_first=True)
