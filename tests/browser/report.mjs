// Opens a report in Chromium as people do: from a file, by keyboard, in light and dark, on a phone and on paper.
//
//   node report.mjs REPORT.html [FOLDER FOR SCREENSHOTS]
//
// The browser is Debian's; $CHROMIUM names another.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, shots] = process.argv.slice(2);
assert(file, "usage: node report.mjs REPORT.html [FOLDER FOR SCREENSHOTS]");
const page = pathToFileURL(resolve(file)).href;
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

// Every request but that for the page itself, and whatever the console says, is a failure. The policy of the page
// is in force; axe is run through the debugger, which it does not bind.
const open = async (settings) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...settings });
  const tab = await context.newPage();
  const told = [];
  tab.on("console", (message) => told.push(`console: ${message.text()}`));
  tab.on("pageerror", (error) => told.push(`error: ${error.message}`));
  tab.on("request", (request) => request.url() !== page && told.push(`request: ${request.url()}`));
  await tab.goto(page);
  return { tab, done: async () => (assert.deepEqual(told, []), context.close()) };
};

const shoot = async (tab, name, options = {}) => {
  if (!shots) return;
  await mkdir(shots, { recursive: true });
  await tab.screenshot({ path: join(shots, `${name}.png`), fullPage: true, ...options });
};

const violations = async (tab) => {
  await tab.evaluate(axe);
  const found = await tab.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  return serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
};

const shown = (tab) => tab.locator("#tasks .arm:visible");
const column = (tab, at) =>
  shown(tab).locator("tbody > tr:first-child").evaluateAll((rows, at) => rows.map((row) => row.cells[at].dataset.v), at);

for (const colorScheme of ["light", "dark"]) {
  const { tab, done } = await open({ colorScheme });
  assert((await tab.locator("h1").innerText()).length > 20, "the answer is on top");
  await shoot(tab, colorScheme);

  // One arm at a time, switched by keyboard.
  const arms = await tab.locator(".switch input").count();
  if (arms > 1) {
    assert.equal(await shown(tab).count(), 1);
    const before = await shown(tab).getAttribute("class");
    await tab.locator(".switch input:checked").focus();
    await tab.keyboard.press("ArrowRight");
    assert.equal(await shown(tab).count(), 1);
    assert.notEqual(await shown(tab).getAttribute("class"), before, "another arm is shown");
  }

  // A table sorts, both ways, and says so.
  const heading = shown(tab).locator("th.n[data-sort]").first();
  const at = await heading.evaluate((cell) => cell.cellIndex);
  const down = (values) => [...values].sort((a, b) => b - a);
  await heading.getByRole("button").press("Enter");
  assert.equal(await heading.getAttribute("aria-sort"), "descending");
  assert.deepEqual(await column(tab, at), down(await column(tab, at)));
  await heading.getByRole("button").press("Enter");
  assert.equal(await heading.getAttribute("aria-sort"), "ascending");
  assert.deepEqual(await column(tab, at), down(await column(tab, at)).reverse());

  // A run opens, with passages side by side and marked words.
  const runs = shown(tab).locator("details.trace");
  await runs.first().locator("> summary").press("Enter");
  assert(await runs.first().locator("ol").isVisible(), "the run is told");
  assert((await tab.locator(".pair mark").count()) > 0, "differing words are marked");
  await shoot(tab, `${colorScheme}-open`);

  await tab.locator("details").evaluateAll((all) => all.forEach((details) => (details.open = true)));
  assert.deepEqual(await violations(tab), [], `axe, ${colorScheme}`);
  await done();
}

// On a phone nothing is wider than the screen, but for what scrolls by itself.
{
  const { tab, done } = await open({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 });
  await shown(tab).locator("details.trace > summary").first().click();
  const wide = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert(wide <= 0, `the page is ${wide} px wider than a phone`);
  assert.deepEqual(await violations(tab), [], "axe, narrow");
  await shoot(tab, "narrow");
  await done();
}

// On paper, and without scripts.
{
  const { tab, done } = await open({ javaScriptEnabled: false, colorScheme: "dark" });
  await tab.locator("details.trace > summary").locator("visible=true").first().click();
  assert(await tab.locator("details[open] ol").first().isVisible(), "a run opens without scripts");
  await tab.emulateMedia({ media: "print" });
  if (shots) await tab.pdf({ path: join(shots, "print.pdf"), format: "A4", margin: { top: "15mm", bottom: "15mm", left: "14mm", right: "14mm" } });
  await done();
}

await browser.close();
console.log(`${file}: opens, switches, sorts, tells; no request, no console message, no serious violation`);
