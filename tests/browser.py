"""Headless Chromium, spoken to through pipes: pages are loaded, keys pressed, and what the page says read back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run")

# The smallest contrast of any visible text to what is behind it, as WCAG 2 defines it, and where it is.
CONTRAST = """
(() => {
  const numbers = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const opacity = (colour) => colour.length > 3 ? colour[3] : 1;
  const over = (top, below) => below.map((b, i) => opacity(top) * top[i] + (1 - opacity(top)) * b);
  const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(numbers(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  let worst = { ratio: 99, text: "" };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    const hidden = ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName) || !element.getClientRects().length;
    if (!text || hidden) continue;
    const below = behind(element), style = getComputedStyle(element), ink = over(numbers(style.color), below);
    const [a, b] = [light(ink), light(below)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05) * (large ? 1.5 : 1);  // 3 is asked of large text, 4.5 of other
    if (ratio < worst.ratio) worst = { ratio, text: text.slice(0, 60) };
  }
  return worst;
})()
"""

# What has the focus, in words that tell elements apart, and whether a reader sees that it has.
FOCUS = """
(() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const label = element.type === "radio" ? document.querySelector(`label[for="${element.id}"]`) : element;
  const style = getComputedStyle(label);
  const visible = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const all = [...document.querySelectorAll("a[href], input, select, summary, canvas[tabindex]")];
  return { index: all.indexOf(element), name: element.tagName, visible, total: all.length };
})()
"""


class Page:
    """A page of a browser of its own; a context manager.

    Attributes:
        errors: every error that the page or the browser has logged.
    """

    def __init__(self, path: Path, *, width: int = 1000, dark: bool = False) -> None:
        down, self._send = os.pipe()
        self._receive, up = os.pipe()
        command = f'exec "$0" "$@" 3<&{down} 4>&{up}'
        assert CHROMIUM is not None
        self._process = subprocess.Popen(
            ["bash", "-c", command, CHROMIUM, *_OPTIONS, "about:blank"], pass_fds=(down, up),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(down)
        os.close(up)
        self.errors: list[str] = []
        self._events: list[dict[str, Any]] = []
        self._buffer, self._number, self._session = b"", 0, None
        targets = self._call("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self._call(f"{domain}.enable")
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", features=scheme)
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self._call("Page.navigate", url=path.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._read()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._send)
        os.close(self._receive)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key, as a reader presses it."""
        codes = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "ArrowUp": 38, "Enter": 13}
        options = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key], "modifiers": 8 if shift else 0}
        self._call("Input.dispatchKeyEvent", type="rawKeyDown", **options)
        if key == "Enter":
            self._call("Input.dispatchKeyEvent", type="char", text="\r", **options)
        self._call("Input.dispatchKeyEvent", type="keyUp", **options)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """The mouse, pressed at one point of the window and let go at another."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            received = os.read(self._receive, 1 << 16)
            assert received, "the browser has gone"
            self._buffer += received
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._events.append(message)
            self._note(message["method"], message.get("params", {}))
        return message

    def _note(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"].get("text")))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(str(parameters["entry"]["text"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(str(parameters["args"]))
