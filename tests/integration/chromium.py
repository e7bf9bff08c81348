"""A real Chromium for tests, and what it finds wrong with a page."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Frame, Page, Request, expect, sync_playwright

# As long as a busy machine may take: what is expected is waited for, and no test is about how long.
expect.set_options(timeout=30_000)

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

# What a page must be for everybody to use it: said in the browser's own words, since only it knows colours and names.
FAULTS = """() => {
  const faults = [], shown = (e) => e.checkVisibility({opacityProperty: true, visibilityProperty: true});
  const name = (e) => (e.getAttribute('aria-label') || (e.labels && [...e.labels].map((l) => l.textContent).join(' '))
    || e.textContent || '').trim();
  if (!document.documentElement.lang) faults.push('no language');
  if (!document.title.trim()) faults.push('no title');
  for (const mark of ['header', 'main', 'footer'])
    if (document.querySelectorAll(mark).length !== 1) faults.push('not one ' + mark);
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  let level = 0;
  for (const h of document.querySelectorAll('h1,h2,h3,h4')) {
    const own = Number(h.tagName[1]);
    if (own > level + 1) faults.push('heading skips a level: ' + h.textContent);
    level = own;
  }
  for (const e of document.querySelectorAll('a[href],button,input:not([type=hidden]),select,progress,summary'))
    if (!name(e)) faults.push('no name: ' + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll('svg'))
    if (!e.closest('[aria-hidden]') && !e.getAttribute('aria-label') && e.getAttribute('aria-hidden') !== 'true')
      faults.push('no name: an svg');
  for (const e of document.querySelectorAll('thead th')) if (!e.scope) faults.push('no scope: ' + e.textContent);
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of ids) if (ids.filter((other) => other === id).length > 1) faults.push('id twice: ' + id);
  for (const e of document.querySelectorAll('[aria-labelledby]'))
    for (const id of e.getAttribute('aria-labelledby').split(' '))
      if (!document.getElementById(id)) faults.push('labelled by nothing: ' + id);
  for (const e of document.querySelectorAll('[style],style,[onclick],script:not([src])'))
    faults.push('inline: ' + e.tagName);
  const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > .99) return c; } return numbers(getComputedStyle(document.body).backgroundColor); };
  for (const e of document.querySelectorAll('body *')) {
    const words = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!words || !shown(e) || e.closest('noscript')) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const ink = numbers(e instanceof SVGElement ? style.fill : style.color);
    const [high, low] = [light(ink), light(ground(e))].sort((a, b) => b - a), ratio = (high + .05) / (low + .05);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed) faults.push('contrast ' + ratio.toFixed(2) + ': ' + e.textContent.trim().slice(0, 40));
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) faults.push('wider than the window');
  return faults;
}"""

# Only what is wrong: the whole answer of axe-core is a hundred times as long.
VIOLATIONS = """() => axe.run({resultTypes: ['violations']}).then((results) => results.violations.flatMap(
  (each) => each.nodes.map((node) => `axe: ${each.id}: ${node.html.slice(0, 120)}`)))"""

WIDE, NARROW = 1200, 390

REPORT_VIOLATIONS = """document.addEventListener('securitypolicyviolation', (e) =>
  console.error('policy violated: ' + e.violatedDirective + ' ' + e.blockedURI));"""


@dataclass
class Watch:
    """Everything that went wrong in a context's pages, and where their requests went."""

    problems: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch every page of the context."""
        context.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        context.on("weberror", lambda e: self.problems.append(str(e.error)))
        context.on("request", self._note)

    def _note(self, request: Request) -> None:
        self.urls.append(request.url)


def program() -> str:
    """Return the Chromium of this machine; skips, and says so, where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on PATH")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the Chromium of this machine."""
    executable = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def chromium_profile(
    arguments: Sequence[str], preferences: Mapping[str, object], **options: Any
) -> Iterator[BrowserContext]:
    """Run Chromium with a new profile that has these preferences; `options` are Playwright's, such as `viewport`."""
    executable = program()
    with tempfile.TemporaryDirectory(prefix="passback-", ignore_cleanup_errors=True) as folder:
        file = Path(folder, "Default", "Preferences")
        file.parent.mkdir()
        file.write_text(json.dumps(preferences))
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                folder, executable_path=executable, args=[*ARGUMENTS, *arguments], **options
            )
            yield context
            context.close()


def faults_of(page: Page | Frame) -> list[str]:
    """Return what is wrong with a page, or with that of a frame, by our own rules and by axe-core's.

    They are about people who use it by keyboard, screen reader or poor eyes.
    """
    page.evaluate(Axe().axe_script)
    violations: list[str] = page.evaluate(VIOLATIONS)
    return _own_faults(page) + violations


def _own_faults(page: Page | Frame) -> list[str]:
    found: list[str] = page.evaluate(FAULTS)
    return found


LOOKS = (
    (WIDE, "light", faults_of),
    (WIDE, "dark", _own_faults),
    (NARROW, "light", _own_faults),
    (NARROW, "dark", faults_of),
)


def faults_in_all_looks(page: Page) -> list[str]:
    """Return what is wrong with a page: wide and on a phone, light and dark.

    Our own rules look at all four, axe-core, which takes longer, at a wide light and a narrow dark page.
    """
    found = []
    for width, scheme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [f"{width} {scheme}: {fault}" for fault in rules(page)]
    return found
