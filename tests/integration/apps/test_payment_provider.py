"""The stand-in payment provider, asked over HTTP as a service would ask it: the real process, a real file."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[3]


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: Any


class Provider:
    """The provider as a process of its own, which can be killed and started again on the same ledger."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._more = environment
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._database = folder / "provider.sqlite"
        self._log = folder / "provider.log"
        self.start()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        environment = {
            **os.environ,
            "APP_PORT": str(self.port),
            "PROVIDER_DATABASE": str(self._database),
            "PYTHONPATH": str(ROOT),
            **self._more,
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "apps.payment_provider"], env=environment, stdout=log, stderr=log
            )
        until = time.monotonic() + 30
        while True:
            try:
                self.ask("GET", "/ledger")
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < until, f"no answer in 30 s\n{self._log.read_text()}"
                time.sleep(0.05)
            else:
                return

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process by its id and wait until it is gone."""
        os.kill(self._process.pid, how)
        self._process.wait(20)

    def ask(self, method: str, path: str, body: object = None, key: str | None = None, patience: float = 10) -> Answer:
        """Send one request; a string is sent as it is, anything else as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience)
        headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
        try:
            connection.request(method, path, body if isinstance(body, str) else json.dumps(body), headers=headers)
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read()))
        finally:
            connection.close()

    def charge(self, key: str, order: str = "o-1", amount: int = 1_000, patience: float = 10) -> Answer:
        """Ask for a charge."""
        asked = {"order_id": order, "customer_id": "c-1", "amount": amount, "currency": "EUR"}
        return self.ask("POST", "/charges", asked, key, patience)

    def refund(self, key: str, charge_id: str, amount: int, order: str = "o-1") -> Answer:
        """Ask for a refund."""
        asked = {"order_id": order, "charge_id": charge_id, "amount": amount}
        return self.ask("POST", "/refunds", asked, key)

    def switch(self, **faults: object) -> None:
        """Switch faults on, all others off."""
        assert self.ask("PUT", "/faults", faults).status == 200

    def ledger(self) -> dict[str, int]:
        """Read the totals."""
        totals: dict[str, int] = self.ask("GET", "/ledger").body
        return totals


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    running = Provider(tmp_path_factory.mktemp("provider"))
    yield running
    running.end()


@pytest.fixture
def provider(_shared: Provider) -> Provider:
    """Hand out the shared process with every fault switched off; tests use keys and orders of their own."""
    _shared.switch()
    return _shared


def test_a_charge_is_answered_with_its_id_and_stands_in_the_ledger(provider: Provider) -> None:
    """This is the ordinary case."""
    status, body = provider.charge("plain", order="o-plain", amount=2_500)
    assert status == 201
    assert body == {
        "charge_id": body["charge_id"],
        "order_id": "o-plain",
        "amount": 2_500,
        "currency": "EUR",
        "status": "charged",
    }
    told = provider.ask("GET", "/ledger/o-plain").body
    assert told["charges"] == [body]
    assert told["refunds"] == []


def test_the_same_key_and_body_get_the_same_answer_and_one_charge(provider: Provider) -> None:
    """A retry must not take the money twice."""
    answers = [provider.charge("again", order="o-again") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(provider.ask("GET", "/ledger/o-again").body["charges"]) == 1


def test_many_callers_with_one_key_at_one_moment_make_one_charge(provider: Provider) -> None:
    """A redelivery may run beside the first delivery."""
    answers: list[Answer] = []
    callers = [
        threading.Thread(target=lambda: answers.append(provider.charge("together", order="o-together")))
        for _ in range(20)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["charge_id"] for answer in answers}) == 1
    assert len(provider.ask("GET", "/ledger/o-together").body["charges"]) == 1


def test_the_same_key_with_another_body_is_refused_and_changes_nothing(provider: Provider) -> None:
    """One key cannot stand for two requests, of one kind or of two."""
    first = provider.charge("reused", order="o-reused", amount=100)
    before = provider.ledger()
    status, body = provider.charge("reused", order="o-reused", amount=101)
    assert status == 422
    assert "was used before, for another request" in body["detail"]
    assert provider.refund("reused", first.body["charge_id"], 100, order="o-reused").status == 422
    assert provider.ledger() == before
    assert provider.charge("reused", order="o-reused", amount=100) == first


def test_a_charge_above_the_limit_is_declined_for_ever(provider: Provider) -> None:
    """A decline is a definite reply, so it stays when the limit is lifted."""
    provider.switch(decline_above=1_000)
    assert provider.charge("at-limit", order="o-limit", amount=1_000).status == 201
    declined = provider.charge("over-limit", order="o-limit", amount=1_001)
    assert declined == (402, {"reason": "the amount is above the card's limit"})
    provider.switch()
    assert provider.charge("over-limit", order="o-limit", amount=1_001) == declined
    told = provider.ask("GET", "/ledger/o-limit").body
    assert (len(told["charges"]), len(told["declines"])) == (1, 1)


def test_a_rate_declines_about_its_share(provider: Provider) -> None:
    """The share follows from the keys, so this count is the same in every run."""
    provider.switch(decline_rate=0.25)
    statuses = [provider.charge(f"share-{number}").status for number in range(200)]
    assert set(statuses) == {201, 402}
    assert 30 <= statuses.count(402) <= 70
    assert statuses == [provider.charge(f"share-{number}").status for number in range(200)]


def test_an_attempt_that_fails_changes_nothing_and_a_retry_succeeds(provider: Provider) -> None:
    """An error rate hits attempts, not keys, so that a caller who tries again gets through."""
    provider.switch(error_rate=0.5)
    before = provider.ledger()["charges"]
    failed = 0
    for number in range(40):
        for _ in range(30):
            status = provider.charge(f"shaky-{number}").status
            if status == 201:
                break
            assert status == 500
            failed += 1
    assert failed > 10
    assert provider.ledger()["charges"] == before + 40


def test_a_caller_that_timed_out_was_charged_and_learns_it_by_asking_again(provider: Provider) -> None:
    """This is the hardest case: the money is charged and no reply came."""
    provider.switch(hang_after_charge_rate=1, hang_ms=1_500)
    with pytest.raises(TimeoutError):
        provider.charge("hanging", order="o-hanging", patience=0.4)
    assert len(provider.ask("GET", "/ledger/o-hanging").body["charges"]) == 1
    started = time.monotonic()
    assert provider.charge("hanging", order="o-hanging").status == 201
    assert time.monotonic() - started < 1
    assert len(provider.ask("GET", "/ledger/o-hanging").body["charges"]) == 1


def test_delays_and_an_outage_can_be_switched_on_and_off(provider: Provider) -> None:
    """A user watches the flow wait, then catch up."""
    provider.switch(delay_ms=300)
    started = time.monotonic()
    assert provider.charge("slow").status == 201
    assert time.monotonic() - started >= 0.3
    provider.switch(down=True)
    status, body = provider.charge("outage")
    assert status == 503
    assert "ask again with the same key" in body["detail"]
    provider.switch()
    assert provider.charge("outage").status == 201


def test_refunds_never_exceed_the_charge(provider: Provider) -> None:
    """Partial refunds add up to at most the charge, and a refused refund stays refused."""
    charge_id = provider.charge("to-refund", order="o-refund", amount=1_000).body["charge_id"]
    first = provider.refund("part-1", charge_id, 600, order="o-refund")
    assert first.status == 201
    assert first == provider.refund("part-1", charge_id, 600, order="o-refund")
    refused = provider.refund("part-2", charge_id, 401, order="o-refund")
    assert refused.status == 409
    assert "Only 400" in refused.body["detail"]
    assert refused == provider.refund("part-2", charge_id, 401, order="o-refund")
    assert provider.refund("part-3", charge_id, 400, order="o-refund").status == 201
    assert provider.refund("part-4", charge_id, 1, order="o-refund").status == 409
    told = provider.ask("GET", "/ledger/o-refund").body
    assert sum(refund["amount"] for refund in told["refunds"]) == 1_000


def test_a_refund_of_an_unknown_charge_or_of_another_order_is_not_found(provider: Provider) -> None:
    """Money only goes back to the order it came from."""
    assert provider.refund("nowhere", "ch_unknown", 1).status == 404
    charge_id = provider.charge("someone", order="o-someone").body["charge_id"]
    assert provider.refund("elsewhere", charge_id, 1, order="o-else").status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": 2**53},
        {"amount": 1.5},
        {"amount": "100"},
        {"amount": True},
        {"currency": "EURO"},
        {"currency": "E1R"},
        {"order_id": ""},
        {"order_id": "x" * 129},
        {"order_id": "line\nbreak"},
        {"order_id": None},
        {"discount": 1},
    ],
    ids=str,
)
def test_bad_input_is_refused_with_a_sentence(provider: Provider, change: dict[str, object]) -> None:
    """Nothing doubtful reaches the ledger, and the caller learns which field is wrong."""
    before = provider.ledger()
    asked = {"order_id": "o-bad", "customer_id": "c-1", "amount": 1, "currency": "EUR"} | change
    status, body = provider.ask("POST", "/charges", asked, key="bad")
    assert status == 422
    assert next(iter(change)) in body["detail"]
    assert "Nothing happened" in body["detail"]
    assert provider.ledger() == before


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"amount": NaN}', '"\\ud800"'])
def test_a_body_that_is_no_request_is_refused(provider: Provider, body: str) -> None:
    """Neither broken JSON nor numbers that JSON does not have crash the provider."""
    assert provider.ask("POST", "/charges", body, key="no-request").status == 422


@pytest.mark.parametrize("key", [None, "", "two words", "x" * 257])
def test_a_missing_or_unusable_key_is_refused(provider: Provider, key: str | None) -> None:
    """Without a key a retry could not be told from a second purchase."""
    status, body = provider.charge(key) if key is not None else provider.ask("POST", "/charges", {})
    assert status == 422
    assert "Idempotency-Key" in body["detail"]


def test_a_body_beyond_all_need_is_refused(provider: Provider) -> None:
    """A caller must not fill the memory."""
    status, body = provider.ask("POST", "/charges", " " * 20_000, key="huge")
    assert status == 413
    assert "16384 bytes" in body["detail"]


def test_an_auditor_can_page_through_everything(provider: Provider) -> None:
    """The pages together are the ledger, each entry once, and they add up to the totals."""
    for number in range(7):
        provider.charge(f"paged-{number}", amount=10)
    entries: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = provider.ask("GET", f"/ledger/entries?after={after}&limit=5").body
        entries += page["entries"]
        after = page["next"]
    numbers = [entry["number"] for entry in entries]
    assert numbers == sorted(set(numbers))
    charged = [entry["amount"] for entry in entries if entry["kind"] == "charge"]
    totals = provider.ledger()
    assert (len(charged), sum(charged)) == (totals["charges"], totals["charged"])


def test_the_api_page_describes_every_route(provider: Provider) -> None:
    """Users try the switches from that page."""
    described = provider.ask("GET", "/openapi.json").body["paths"]
    assert set(described) == {
        "/charges",
        "/refunds",
        "/ledger",
        "/ledger/entries",
        "/ledger/{order_id}",
        "/faults",
    }


def test_answered_charges_and_the_switches_survive_a_kill(tmp_path: Path) -> None:
    """The provider is killed while twenty callers charge; what was answered stands, and a retry finds it."""
    provider = Provider(tmp_path)
    provider.switch(decline_above=5_000)
    answered: dict[str, Answer] = {}
    stopped = threading.Event()

    def keep_charging(caller: int) -> None:
        for number in range(10_000):
            if stopped.is_set():
                return
            key = f"{caller}-{number}"
            try:
                answered[key] = provider.charge(key, order=key, amount=1 + number)
            except (OSError, http.client.HTTPException):
                return

    callers = [threading.Thread(target=keep_charging, args=(caller,)) for caller in range(20)]
    for caller in callers:
        caller.start()
    time.sleep(1.5)
    provider.end(signal.SIGKILL)
    stopped.set()
    for caller in callers:
        caller.join()
    provider.start()
    try:
        assert len(answered) > 50
        totals = provider.ledger()
        # One charge per caller may be committed although its reply was lost.
        assert len(answered) <= totals["charges"] <= len(answered) + 20
        for key, answer in answered.items():
            assert provider.charge(key, order=key, amount=1 + int(key.split("-")[1])) == answer
        assert provider.ledger() == totals
        assert provider.ask("GET", "/faults").body["decline_above"] == 5_000
    finally:
        provider.end()


def test_the_switches_that_it_is_deployed_with_replace_those_that_were_kept(tmp_path: Path) -> None:
    """Faults that the chart sets must win over those that somebody switched earlier."""
    provider = Provider(tmp_path, PROVIDER_FAULTS='{"decline_above": 5}')
    try:
        assert provider.ask("GET", "/faults").body["decline_above"] == 5
        provider.switch(down=True)
        provider.end()
        provider.start()
        faults = provider.ask("GET", "/faults").body
        assert (faults["decline_above"], faults["down"]) == (5, False)
        assert provider.charge("deployed", amount=6).status == 402
    finally:
        provider.end()


def test_switches_that_cannot_be_understood_end_it_with_a_sentence(tmp_path: Path) -> None:
    """Otherwise it would misbehave in another way than was asked."""
    environment = {**os.environ, "PROVIDER_DATABASE": str(tmp_path / "p.sqlite"), "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-m", "apps.payment_provider"],
        env=environment | {"PROVIDER_FAULTS": '{"declines": 5}'},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 1
    assert "Write what PUT /faults takes" in told.stderr
