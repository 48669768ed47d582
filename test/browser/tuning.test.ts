// The page of a model that was compiled with alternatives, in a real Chromium: it is tuned for the device, remembers that over a reload and for no other
// plan, forgets it, and says in words what goes wrong. What is faster is known: what stands there runs several times (test/slowed.ts).
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeArtifacts } from "../../compiler/cli/artifacts.ts";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import { compile } from "../../compiler/compile.ts";
import { slowed } from "../slowed.ts";
import { newPage, openBrowser, type Looks } from "./chromium.ts";
import { expectAccessible } from "./panels.ts";
import { serve } from "./server.ts";

const examples = join(import.meta.dirname, "../../examples");
const root = mkdtempSync(join(tmpdir(), "dlm-tuning-"));
let browser: Browser;
let address: string;
let close: () => void;

const write = async (folder: string, alternatives: boolean, batch?: string): Promise<void> => {
  mkdirSync(join(root, folder), { recursive: true });
  cpSync(join(examples, "data/digits.csv"), join(root, folder, "data/digits.csv"));
  const { plan } = compile(readFileSync(join(examples, "digits.dlm"), "utf8"), {
    name: "digits.dlm",
    views: true,
    ...(alternatives ? { alternatives: { kernels: 5, ways: 1 } } : {}),
    ...(batch ? { set: { batch } } : {}),
  });
  const out = join(root, folder);
  await writeArtifacts([alternatives ? slowed(plan!) : plan!], { folder: out, data: out, parts: await trainerParts() });
};
beforeAll(async () => {
  await write("tuned", true);
  await write("plain", false);
  [browser, { address, close }] = await Promise.all([
    openBrowser(),
    serve(root, { "content-security-policy": "default-src 'self'" }),
  ]);
}, 300_000);
afterAll(async () => {
  await browser?.close();
  close?.();
  rmSync(root, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  readonly errors: readonly string[];
}
async function open(folder: string, options: Looks & { readonly before?: string } = {}): Promise<Opened> {
  const { page, errors } = await newPage(browser, options);
  if (options.before) await page.addInitScript(options.before);
  await page.goto(`${address}/${folder}/index.html`);
  await loaded(page);
  return { page, errors };
}
const loaded = async (page: Page): Promise<void> =>
  void (await page.waitForFunction(() => document.documentElement.dataset["model"] !== undefined, undefined, {
    timeout: 300_000,
  }));
/** Again where other programs took the device's time meanwhile. */
async function tune(page: Page, wanted: RegExp): Promise<string> {
  for (let n = 0; ; n++) {
    await page.click("#tune");
    await page.waitForFunction(() => !document.querySelector<HTMLButtonElement>("#tune")!.disabled, undefined, {
      timeout: 120_000,
    });
    const said = (await page.textContent("#tuned"))!;
    if (wanted.test(said) || n === 10) return said;
  }
}
/** For a person to look at: DLM_SCREENSHOTS=FOLDER keeps what the pages look like. */
async function look(page: Page, name: string): Promise<void> {
  const folder = process.env["DLM_SCREENSHOTS"];
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
const faster = /^[1-5] of 5 kernels are faster now: [\d.]+ ms, [\d.]+ ms before\./;

test("it is tuned, trains on, remembers that over a reload, and forgets it", { timeout: 600_000 }, async () => {
  const { page, errors } = await open("tuned");
  expect(await page.textContent("#tuned")).toBe("Kernels are those that the compiler chose.");
  expect(await page.isHidden("#forget")).toBe(true);
  await look(page, "tuning-before");
  await page.click("#step");
  await page.waitForFunction(() => /Continue from step 1/.test(document.getElementById("start")!.textContent!));
  const launches = async (): Promise<number> =>
    page.evaluate(() => {
      const at = [...document.querySelectorAll("#run dt")].find((dt) => dt.textContent === "launches per step")!;
      return Number(at.nextElementSibling!.textContent);
    });
  const before = await launches();
  expect(await tune(page, faster)).toMatch(faster);
  for (let n = 0; n < 10 && (await launches()) >= before; n++) await tune(page, faster); // it may be one that nothing is known of
  await look(page, "tuning-done");
  expect(await page.textContent("#start")).toBe("Continue from step 1");
  expect(await launches()).toBeLessThan(before);
  const tuned = await launches();
  await expectAccessible(page);
  await page.click("#step");
  await page.waitForFunction(() => /Continue from step 2/.test(document.getElementById("start")!.textContent!));
  await page.reload();
  await loaded(page);
  expect(await page.textContent("#tuned")).toBe("Tuned for this device on an earlier visit.");
  expect(await launches()).toBe(tuned);
  await look(page, "tuning-remembered");
  await page.click("#forget");
  expect(await page.textContent("#tuned")).toMatch(/^Forgotten: when the page is loaded anew/);
  expect(await page.isHidden("#forget")).toBe(true);
  await page.reload();
  await loaded(page);
  expect(await page.textContent("#tuned")).toBe("Kernels are those that the compiler chose.");
  expect(await launches()).toBe(before);
  // of another plan at the same address it is of no use
  await tune(page, faster);
  await write("tuned", true, "32");
  await page.reload();
  await loaded(page);
  expect(await page.textContent("#tuned")).toBe("Kernels are those that the compiler chose.");
  await write("tuned", true);
  expect(errors).toEqual([]);
  await page.context().close();
});
test("without alternatives there is nothing to press", async () => {
  const { page } = await open("plain");
  expect(await page.isHidden("#tuning")).toBe(true);
  await page.context().close();
});
test("a storage that refuses, one that holds nonsense, and a lost device are said", { timeout: 300_000 }, async () => {
  const refusing = await open("tuned", {
    before: `Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } });`,
  });
  expect(await tune(refusing.page, /remember/)).toMatch(/ The browser does not let this page remember it\.$/);
  expect(await refusing.page.isHidden("#forget")).toBe(true);
  expect(refusing.errors).toEqual([]);
  await refusing.page.context().close();
  for (const text of ["{", "7", '{"plan": 7}', '{"device": null, "taken": "all"}']) {
    const odd = await open("tuned", {
      before: `if (!sessionStorage.odd) { sessionStorage.odd = "yes"; const set = Storage.prototype.getItem;
        Storage.prototype.getItem = function (key) { return key.startsWith("dlm tuned") ? ${JSON.stringify(text)} : set.call(this, key); }; }`,
    });
    expect(await odd.page.textContent("#tuned")).toBe("Kernels are those that the compiler chose.");
    expect(odd.errors).toEqual([]);
    await odd.page.context().close();
  }
  const lost = await open("tuned", {
    before: `const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...a) { const d = await request.apply(this, a); (window.devices ??= []).push(d); return d; };
      const query = GPUDevice.prototype.createBindGroup; let count = 0;
      GPUDevice.prototype.createBindGroup = function (...a) { if (window.losing && ++count === 3) this.destroy(); return query.apply(this, a); };`,
  });
  await lost.page.evaluate("window.losing = true");
  await lost.page.click("#tune");
  await lost.page.waitForFunction(
    () =>
      /could not be measured|are|None/.test(document.getElementById("tuned")!.textContent!) &&
      !document.querySelector<HTMLButtonElement>("#tune")!.disabled,
    undefined,
    { timeout: 120_000 },
  );
  expect(await lost.page.textContent("#tuned")).toMatch(/could not be measured: the device is lost|kernels/);
  expect(lost.errors).toEqual([]);
  await lost.page.context().close();
});
test("on a phone and in the dark", { timeout: 120_000 }, async () => {
  for (const [name, options] of [
    ["tuning-phone", { width: 390 }],
    ["tuning-dark", { dark: true }],
    ["tuning-phone-dark", { width: 390, dark: true }],
  ] as const) {
    const { page } = await open("tuned", options);
    await tune(page, faster);
    await look(page, name);
    await expectAccessible(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    await page.context().close();
  }
});
