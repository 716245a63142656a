"""The explorer in a browser: the real command, real pages, and a real browser that clicks them."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from playwright.async_api import Page, async_playwright, expect
from rich.console import Console

from choreography.progress import Progress
from choreography.up.servers import can_install, install

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("choreography"))
TWIN = "tests.explore.twins.cancel_race:model"
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")
BUSY = 60_000
"""Milliseconds that a page may take while other tests keep the machine busy."""


@asynccontextmanager
async def serving(flow: str, *options: str) -> AsyncIterator[str]:
    """Run the command that serves the explorer, and return its address."""
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "explore", flow, "--serve", "--port", "0", *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found, line
        yield found[0]
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(scope="module")
async def address() -> AsyncIterator[str]:
    """The address of an explorer of checkout, where the customer may ask to be let out."""
    async with serving("apps.checkout", "--cancel") as found:
        yield found


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that requests pages without a browser."""
    async with aiohttp.ClientSession() as one:
        yield one


@asynccontextmanager
async def browser_page() -> AsyncIterator[Page]:
    """A page of a real browser, and a proof that nothing on it failed or was blocked."""
    if shutil.which("chromium") is None and can_install():
        install(Progress(Console(stderr=True)), "chromium")
    path = shutil.which("chromium")
    assert path, "Chromium is not installed (Debian: apt-get install chromium), so no page can be tried."
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *QUIET])
        context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = await context.new_page()
        page.set_default_timeout(BUSY)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        try:
            yield page
        finally:
            await browser.close()
        assert not problems


def run_in(url: str) -> str:
    """Return the run that an address names."""
    return parse_qs(urlsplit(url).query, keep_blank_values=True)["run"][0]


async def test_a_user_steps_through_a_flow_and_goes_back(address: str) -> None:
    """Given checkout, when steps are clicked, then the run, the state and the address follow; and back undoes them."""
    async with browser_page() as page:
        await page.goto(address)
        await page.get_by_role("link", name="hears OrderCreated").first.click()
        steps = page.locator("ol.run > li")
        await expect(steps).to_have_count(1, timeout=BUSY)
        billing = page.locator("article.service").filter(has=page.get_by_role("heading", name="billing", exact=True))
        await expect(billing.get_by_text("Payment order-1")).to_be_visible()
        await expect(billing.locator(".changed").first).to_be_visible()
        await billing.get_by_role("link", name="asks for Charge: payment-provider answers 402").click()
        await expect(steps).to_have_count(2, timeout=BUSY)
        after = run_in(page.url)
        await page.reload()
        await expect(steps).to_have_count(2, timeout=BUSY)
        assert run_in(page.url) == after
        await page.go_back()
        await expect(steps).to_have_count(1, timeout=BUSY)
        await page.locator("#back").click()
        await expect(steps).to_have_count(0, timeout=BUSY)


async def test_a_user_searches_opens_the_counterexample_and_copies_it_as_a_test(tmp_path: Path) -> None:
    """Given a flawed flow, then its shortest run is opened from the search, and its copied test fails as it should."""
    async with serving(TWIN, "--cancel") as found, browser_page() as page:
        await page.goto(found)
        await page.get_by_role("link", name="Search every run").click()
        await page.get_by_role("link", name="Open the run of 8 steps").click(timeout=BUSY)
        await expect(page.locator("ol.run > li")).to_have_count(8, timeout=BUSY)
        broken = page.locator(".properties .broken")
        await expect(broken).to_contain_text("What has left is not cancelled any more.")
        await expect(page.locator("svg .arrow")).to_have_count(8)
        await page.locator("#copy").click()
        await expect(page.locator("#copy")).to_have_text("Copied")
        text = await page.evaluate("() => navigator.clipboard.readText()")
    (tmp_path / "test_copied.py").write_text(text)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_copied.py")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 1
    assert b"What has left is not cancelled any more." in output


async def test_the_rest_happens_in_order_until_an_end(address: str, session: aiohttp.ClientSession) -> None:
    """When the rest is let happen, then the page shows an end, and every property of ends is judged."""
    async with session.get(f"{address}onward") as answer:
        text = await answer.text()
    assert "this is an end of the flow" in text
    assert "judged when nothing is on its way any more" not in text


async def test_a_join_that_waits_says_for_what(address: str, session: aiohttp.ClientSession) -> None:
    """Given that shipping has heard of the payment only, then the page says what it has and what it waits for."""
    place = "/"
    for step in ("hears OrderCreated", "payment-provider answers 201", "gets the answer CardCharged", "PaymentCharged"):
        async with session.get(address.rstrip("/") + place) as answer:
            text = await answer.text()
        link = re.search(rf'<a class="step [a-z]+" href="([^"]+)"[^>]*>[^<]*{step}<', text)
        assert link, step
        place = link[1].replace("&amp;", "&")
    async with session.get(address.rstrip("/") + place) as answer:
        text = await answer.text()
    assert "has PaymentCharged, waits for StockReserved, which only inventory.reserve says" in text


async def test_a_search_says_what_no_run_reached(address: str, session: aiohttp.ClientSession) -> None:
    """Given checkout with stock for everybody, then the search says that nothing was ever rejected."""
    for _ in range(100):
        async with session.get(f"{address}search?scenario=orders&set-cancel=false") as answer:
            text = await answer.text()
        if "states and" in text:
            break
        await asyncio.sleep(0.2)
    assert "Every property holds in every state." in text
    assert "no Reservation of inventory ever had status &#39;rejected&#39;" in text


async def test_pages_work_without_a_script(address: str, session: aiohttp.ClientSession) -> None:
    """Every step, the search and the way back are plain links."""
    async with session.get(address) as answer:
        text = await answer.text()
    links = re.findall(r'href="([^"]+run=[^"]*)"', text)
    assert len(links) > 4
    for link in links:
        async with session.get(address.rstrip("/") + link.replace("&amp;", "&")) as answer:
            assert answer.status == 200, link


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("run=0.x", "is no run"),
        ("run=0..1", "is no run"),
        ("run=-1", "is no run"),
        ("run=99", "The flow or the scenario has changed since"),
        ("run=" + ".".join(["0"] * 600), "a page shows runs of up to 500"),
        ("scenario=nothing", "has no scenario"),
        ("scenario=orders&set-oders=2", "has no setting oders"),
        ("scenario=orders&set-orders=two", "it must be a whole number"),
        ("scenario=orders&set-orders=" + "9" * 5000, "it must be a whole number"),
        ("scenario=orders&set-cancel=perhaps", "it can only be true or false"),
    ],
)
async def test_an_address_that_means_nothing_is_refused_with_a_sentence(
    address: str, session: aiohttp.ClientSession, words: str, problem: str
) -> None:
    """Every invalid address gets 400 and a message."""
    for page in ("", "onward", *(["search"] if words.startswith("scenario") else [])):
        async with session.get(f"{address}{page}?{words}") as answer:
            text = await answer.text()
            assert (answer.status, problem in text) == (400, True), page


async def test_no_page_loads_or_may_be_loaded_from_elsewhere(address: str, session: aiohttp.ClientSession) -> None:
    """The pages work offline, run no inline script, and are not shown under the name of another host."""
    async with session.get(address) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)
    async with session.get(address, headers={"Host": "elsewhere.example"}) as answer:
        assert answer.status == 400


async def test_a_taken_port_is_refused_with_a_sentence(address: str) -> None:
    """Given a port that somebody listens on, then the command names it and says what to do."""
    port = str(urlsplit(address).port)
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "explore", "apps.checkout", "--serve", "--port", port),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode != 0
    assert b"Choose another port with --port" in said
    assert b"Traceback" not in said
