import { chromium } from "playwright-core";
const [file, scheme, width, height, out, open, media, ...ys] = process.argv.slice(2);
const b = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const c = await b.newContext({ viewport: { width: +width, height: +height }, colorScheme: scheme });
const t = await c.newPage(); await t.goto("file://" + file);
if (media === "print") await t.emulateMedia({ media: "print" });
if (open === "1") await t.locator("#tasks .arm:visible details.trace").first().evaluate((e) => (e.open = true));
const h = await t.evaluate(() => document.documentElement.scrollHeight); console.log("height", h);
for (const y of ys) { const yy = y.startsWith("#") ? await t.locator(y).evaluate((e) => e.getBoundingClientRect().top + scrollY - 20) : +y;
  await t.evaluate((y) => window.scrollTo(0, y), yy); await t.waitForTimeout(150); await t.screenshot({ path: `${out}-${y.replace("#", "")}.png` }); }
await b.close();
