// How long the playground takes from a key to what is wrong, in a real Chromium: medians of 21 keys in digits and the GPT, in milliseconds.
// node bench/playground.mjs
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveFolder } from "../compiler/cli/static.ts";
import { openBrowser } from "../test/browser/chromium.ts";

const [builder] = process.argv.slice(2);
const { buildPlayground } = (await import(builder!)) as typeof import("../playground/build.mjs");
const folder = mkdtempSync(join(tmpdir(), "dlm-playground-"));
await buildPlayground(folder);
const server = await serveFolder(folder, { port: 0 });
const browser = await openBrowser();
const page = await browser.newPage();
await page.goto(server.address);
for (const name of ["digits", "gpt chars"]) {
  await page.waitForFunction(() => document.documentElement.dataset["checked"] !== undefined);
  await page.click("#gallery-open");
  await page.fill("dialog input", name.replace(" ", "_") + ".dlm");
  await page
    .locator("dialog .example", { hasText: new RegExp(`^${name}`) })
    .first()
    .click();
  await page.waitForTimeout(8000);
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+End");
  const times: number[] = [];
  for (let i = 0; i < 21; i++) {
    await page.evaluate(() => delete document.documentElement.dataset["checked"]);
    await page.keyboard.type(i % 2 ? "\n" : "#");
    await page.waitForFunction(() => document.documentElement.dataset["checked"] !== undefined);
    times.push(Number(await page.evaluate(() => document.documentElement.dataset["checked"])));
    await page.waitForTimeout(1500); // the compiler has rest, as with somebody who looks up
  }
  times.sort((a, b) => a - b);
  console.log(`${name}: median ${times[10]} ms, ${times[0]} to ${times[20]}`);
}
await browser.close();
server.close();
rmSync(folder, { recursive: true, force: true });
