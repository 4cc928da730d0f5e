"""A headless Chrome for tests of pages: opens files, clicks and types, and keeps all complaints."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from choreographer import Browser
from choreographer.browsers.chromium import Chromium

SECONDS = 30.0  # until a page must have done what is waited for


def chrome() -> str:
    """Path of a Chrome or Chromium; skips the test, with the reason, where there is none."""
    path = Chromium.find_browser(skip_local=False)
    if path is None:
        pytest.skip("no Chrome or Chromium was found: install one, or set BROWSER_PATH")
    return str(path)


class Window:
    """One tab. ``complaints`` are console messages of level error and uncaught exceptions."""

    def __init__(self, runner: asyncio.Runner, browser: Browser) -> None:
        self._run, self._browser = runner.run, browser
        self.complaints: list[str] = []
        self._tab = self._run(self._open())

    async def _open(self) -> Any:
        tab = await self._browser.create_tab("about:blank")
        for event, read in (
            ("Runtime.consoleAPICalled", self._console),
            ("Runtime.exceptionThrown", self._exception),
            ("Log.entryAdded", self._entry),
        ):
            tab.subscribe(event, _listener(read), repeating=True)
        for domain in ("Runtime", "Log", "Page"):
            await tab.send_command(f"{domain}.enable")
        return tab

    def _console(self, params: dict[str, Any]) -> None:
        if params["type"] in ("error", "assert"):
            self.complaints.append(json.dumps(params["args"]))

    def _exception(self, params: dict[str, Any]) -> None:
        self.complaints.append(json.dumps(params["exceptionDetails"]))

    def _entry(self, params: dict[str, Any]) -> None:
        if params["entry"]["level"] == "error":
            self.complaints.append(json.dumps(params["entry"]))

    def command(self, name: str, **params: Any) -> dict[str, Any]:
        """Answer of a command of the devtools protocol; AssertionError for an error."""
        answer = self._run(self._tab.send_command(name, params or None))
        assert "error" not in answer, answer
        return answer.get("result", {})

    def open(self, path: Path, fragment: str = "") -> None:
        """Load a file afresh and wait until the page has drawn."""
        self.command("Page.navigate", url="about:blank")
        self.wait("location.href === 'about:blank'")
        self.command("Page.navigate", url=path.resolve().as_uri() + fragment)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")
        self.settle()

    def settle(self) -> None:
        """Wait until the page has drawn what was chosen."""
        self.wait("document.body.dataset.ready === 'yes'")

    def js(self, code: str) -> Any:
        """Value of an expression, of a promise when it settles."""
        result = self.command(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + SECONDS
        while not self.js(condition):
            assert time.monotonic() < until, f"never true: {condition}; {self.complaints}"
            self._run(asyncio.sleep(0.05))

    def text(self, selector: str) -> str:
        """Text that can be read in an element."""
        return self.js(f"document.querySelector({json.dumps(selector)}).innerText")

    def choose(self, selector: str, value: str) -> None:
        """Take an option of a select as a user does."""
        self.js(
            f"{{ const box = document.querySelector({json.dumps(selector)}); "
            f"box.value = {json.dumps(value)}; "
            "box.dispatchEvent(new Event('input', {bubbles: true})); "
            "box.dispatchEvent(new Event('change', {bubbles: true})); }"
        )
        self.settle()

    def type(self, selector: str, text: str) -> None:
        """Type into a field, key by key."""
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        for letter in text:
            self.command("Input.insertText", text=letter)

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        code = {"Tab": 9, "Enter": 13, "ArrowDown": 40}[key]
        extra = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.command(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code=key, windowsVirtualKeyCode=code, **extra,
            )  # fmt: skip

    def resize(self, width: int, height: int) -> None:
        """Size of the window in CSS pixels; below 600 it is a phone."""
        is_phone = width < 600
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=is_phone,
        )  # fmt: skip

    def screenshot(self, path: Path) -> None:
        """Picture of the whole page as PNG."""
        found = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


def _listener(read: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    async def listen(message: Any) -> None:
        read(message["params"])

    return listen


@contextmanager
def open_window() -> Iterator[Window]:
    """A tab of a headless Chrome that is closed at the end."""
    path = chrome()
    with asyncio.Runner() as runner:
        browser = runner.run(_start(path))
        try:
            yield Window(runner, browser)
        finally:
            runner.run(browser.close())


async def _start(path: str) -> Browser:
    return await Browser(path, headless=True)
