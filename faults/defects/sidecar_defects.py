"""Defects between the engine and the sidecar, and in a service's own declarations."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import Change, Defect

_DRIVER: Final = ("tests/unit/runtime/test_driver.py",)
_CHECKOUT: Final = ("tests/unit/apps/checkout",)
_WEB: Final = ("tests/unit/runtime/test_deliveries.py", "tests/unit/runtime/test_batches.py")


def _driver(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    return Defect(name, rule, does, (Change(f"choreography.{module}", *text),), _DRIVER)


def _called(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    return Defect(name, rule, does, (Change(f"choreography.{module}", *text),), ("tests/unit/runtime/test_calling.py",))


def _started(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    return Defect(name, rule, does, (Change(f"choreography.{module}", *text),), ("tests/unit/runtime/test_start.py",))


def _delivered(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    return Defect(name, rule, does, (Change(f"choreography.runtime.{module}", *text),), _WEB)


def _declared(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    return Defect(name, rule, does, (Change(f"apps.checkout.{module}", *text),), _CHECKOUT)


def _closed(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    return Defect(name, rule, does, (Change(f"choreography.{module}", *text),), ("tests/unit/runtime/test_intake.py",))


SIDECAR: Final = (
    _driver(
        "answered-before-settled",
        0,
        "the sidecar hears SUCCESS as soon as a batch has arrived",
        "runtime.pipeline",
        "        settled = await self._commits.settle(deliveries)\n",
        "        import asyncio\n\n"
        "        async def later() -> None:\n"
        "            await self.release(await self._commits.settle(deliveries))\n\n"
        "        self._late = asyncio.create_task(later())\n        return [Fate.SETTLED] * len(deliveries)\n"
        "        settled = await self._commits.settle(deliveries)\n",
    ),
    _driver(
        "lost-answer-is-a-yes",
        7,
        "a connection that breaks during a commit is taken for a commit",
        "stores.through_sidecar",
        "        except TROUBLE as error:\n            return Unknown(words_of(error))\n        status, text =",
        "        except TROUBLE:\n            return Committed()\n        status, text =",
    ),
    _driver(
        "server-error-is-a-yes",
        7,
        "the status of a commit's answer is not looked at",
        "stores.through_sidecar",
        "        if status < 300:\n            return Committed()",
        "        if status:\n            return Committed()",
    ),
    _driver(
        "server-error-is-a-refusal",
        8,
        "a store in trouble is taken for one that refuses the event",
        "stores.through_sidecar",
        "        if 400 <= status < 500 and status not in (401, 403, 408, 429):",
        "        if 400 <= status:",
    ),
    _driver(
        "error-in-a-bulk-get-ignored",
        5,
        "a key that could not be read is missing from the answer, and nobody asks why",
        "stores.through_sidecar",
        '                    failed.add(part[item["key"]])',
        "                    pass",
    ),
    _driver(
        "failed-get-is-absence",
        5,
        "a single get that fails is taken for a missing key",
        "stores.through_sidecar",
        "                return Unknown(f\"{answered.status}: {answered.body[:300].decode(errors='replace')}\")",
        "                return None",
    ),
    _driver(
        "failed-publish-swallowed",
        0,
        "a publish without an answer is taken for one that was confirmed",
        "sidecar.client",
        "        except TROUBLE:\n            return frozenset(range(len(events)))",
        "        except TROUBLE:\n            return NOTHING_FAILED",
    ),
    _driver(
        "partly-failed-publish-swallowed",
        0,
        "entries that the broker did not take are not counted",
        "sidecar.client",
        '            return frozenset(int(entry["entryId"]) for entry in failed) or frozenset(range(len(events)))',
        "            return NOTHING_FAILED",
    ),
    _driver(
        "unscheduled-deadline-swallowed",
        20,
        "a deadline that no scheduler took counts as scheduled",
        "sidecar.client",
        "        return status < 300 or status == 409",
        "        return True",
    ),
    _driver(
        "provider-500-is-an-answer",
        18,
        "a provider that fails is heard as one that answers",
        "runtime.calling",
        "        if status >= 500 or status in _NO_ANSWER:",
        "        if False:",
    ),
    _called(
        "redirect-is-no-answer",
        29,
        "an outside that answers with a redirect is called again for ever",
        "runtime.calling",
        "            raise WrongAddressError(",
        "            raise OutsideUnavailableError(",
    ),
    _called(
        "reply-must-be-json",
        29,
        "an outside that answers with an empty body or text is called again for ever",
        "runtime.calling",
        "    text = _text(raw, charset)\n",
        "    text = _text(raw, charset)\n    raise OutsideUnavailableError(text)\n",
    ),
    _driver(
        "intent-dropped-when-unanswered",
        18,
        "an intent whose call failed counts as carried out",
        "runtime.effects",
        "reason=str(error))\n            return False",
        "reason=str(error))\n            return True",
    ),
    _driver(
        "hostile-job-is-done",
        20,
        "a job whose deadlines could not be settled is answered with 200",
        "runtime.deliveries",
        '        await _answer(send, 200 if all(done) else 500, {"fired": sum(done)})',
        '        await _answer(send, 200, {"fired": sum(done)})',
    ),
    _driver(
        "retry-said-as-success",
        0,
        "the answer per entry does not say what became of the entry",
        "runtime.deliveries",
        "            statuses.add(entry, done=delivery is None or next(done))",
        "            statuses.add(entry, done=bool(delivery is None or (next(done), True)))",
    ),
    _driver(
        "old-intent-called",
        19,
        "the outside is asked although it may have forgotten the key",
        "runtime.effects",
        "    if now - committed.at > effect.keeps_keys - timedelta(minutes=5):",
        "    if False:",
    ),
    _closed(
        "command-taken-while-closed",
        17,
        "a service whose intake is closed publishes to a broker that is about to be left",
        "web.commands",
        "        if not self._intake_open:",
        "        if False:",
    ),
    _closed(
        "deadline-fired-while-closed",
        20,
        "a service whose intake is closed lets its deadlines publish to a broker that is about to be left",
        "runtime.deliveries",
        "        if not self._intake_open:",
        "        if False:",
    ),
    _closed(
        "deadline-dropped-while-closed",
        20,
        "a service whose intake is closed tells the scheduler that a deadline is done",
        "runtime.deliveries",
        "await _answer(send, 503,",
        "await _answer(send, 404,",
    ),
    _started(
        "broker-not-probed",
        23,
        "a broker that forgets what was answered RETRY is good enough",
        "runtime.self_check",
        "        if self._seen[canary] < 2:",
        "        if False:",
    ),
    _started(
        "store-not-probed",
        23,
        "a store whose transactions overwrite what others wrote is good enough",
        "runtime.self_check",
        "        await self._check_store()",
        "        await asyncio.sleep(0)",
    ),
    _started(
        "held-until-the-canary-is-back",
        23,
        "what waited for a service takes the workers that would bring its canary, so it never starts",
        "runtime.lifetime",
        "            runtime.intake.open.set()\n"
        "            if self._settings.self_check:\n                await check.of_broker()",
        "            if self._settings.self_check:\n                await check.of_broker()\n"
        "            runtime.intake.open.set()",
    ),
    _declared(
        "two-deciders",
        22,
        "order cancels by itself when a customer asks, while shipping may already have sent the parcel",
        "order",
        '            return order.but(cancellation="asked for")',
        "            return _cancel(order, request.reason)",
    ),
    _declared(
        "late-cancellation-overlooked",
        18,
        "a charge that is answered after the cancellation is kept",
        "billing",
        "            if cancelled:",
        "            if False:",
    ),
    _declared(
        "compensation-not-idempotent",
        1,
        "stock goes back on the shelf with every cancellation that is heard",
        "inventory",
        '            return (reservation.but(status="released"), *back, StockReleased(order_id=cancelled.order_id))',
        "            return (reservation, *back, StockReleased(order_id=cancelled.order_id))",
    ),
    _delivered(
        "batch-judged-whole",
        25,
        "an entry that cannot be read spoils the batch it came in",
        "deliveries",
        "                # A batch of which only one entry is bad is split all the same.\n                pass\n",
        '                return await self._single("", bounded(beginning), scope, read)\n',
    ),
    _delivered(
        "large-entry-kept",
        25,
        "an entry of a batch is kept whole, however large it is",
        "bodies.batches",
        "    return raw if len(raw) <= LARGEST_READ else Overlong.of(raw)",
        "    return raw",
    ),
    _delivered(
        "topic-not-awaited",
        27,
        "a large batch is settled before it is known by which topic it came",
        "deliveries",
        "                    if message.topic is None:",
        "                    if False:",
    ),
)
