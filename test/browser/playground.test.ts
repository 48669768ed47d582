// The playground in a real Chromium: what is wrong is told and mended, one selection lights up everywhere, models train, a link holds a model.
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { unzipSync } from "fflate";
import type { Browser, BrowserContext, FrameLocator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveFolder, type StaticServer } from "../../compiler/cli/static.ts";
import { buildPlayground } from "../../playground/build.mjs";
import { newPage, openBrowser, type Looks } from "./chromium.ts";
import { expectAccessible, look } from "./panels.ts";

const folder = mkdtempSync(join(tmpdir(), "dlm-playground-"));
let browser: Browser;
let server: StaticServer;
beforeAll(async () => {
  await buildPlayground(folder);
  [browser, server] = await Promise.all([openBrowser(), serveFolder(folder, { port: 0 })]);
}, 300_000);
afterAll(async () => {
  await browser?.close();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly errors: readonly string[];
}
async function open(options: Looks & { readonly fragment?: string } = {}): Promise<Opened> {
  const { page, context, errors } = await newPage(browser, { ...options, height: 820 });
  await page.goto(server.address + (options.fragment ?? ""));
  await told(page, "compiled", "yes");
  return { page, context, errors };
}
/** Waits for what the page says of itself. */
const told = (page: Page, name: string, value: string): Promise<unknown> =>
  page.waitForFunction(([key, wanted]) => document.documentElement.dataset[key!] === wanted, [name, value], {
    timeout: 90_000,
  });
/** Waits until a text with these words is compiled: the page keeps the text when it says that it is not. */
const compiledWith = (page: Page, words: string): Promise<unknown> =>
  page.waitForFunction(
    (wanted) =>
      sessionStorage.getItem("dlm text")!.includes(wanted) && document.documentElement.dataset["compiled"] === "yes",
    words,
    { timeout: 90_000 },
  );
const tab = (page: Page, title: string): Promise<void> => page.getByRole("tab", { name: title, exact: true }).click();
const line = (page: Page, text: string) => page.locator(".cm-line", { hasText: text }).first();
/** The whole text becomes another one, by a paste. */
async function write(page: Page, text: string): Promise<void> {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+a");
  await page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    const content = document.querySelector("#editor")!.shadowRoot!.querySelector(".cm-content")!;
    content.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
}
/** An example of the gallery, by its path. */
async function choose(page: Page, path: string): Promise<void> {
  await page.click("#gallery-open");
  await page.fill("dialog input", path);
  const name = path.replace(/^.*\/|\.dlm$/g, "").replaceAll("_", " ");
  await page
    .locator("dialog .example")
    .filter({ has: page.getByText(name, { exact: true }) })
    .click();
  await page.waitForFunction((wanted) => document.querySelector("#model-name")?.textContent === wanted, name);
  await told(page, "compiled", "yes");
}
const run = (page: Page): FrameLocator => page.frameLocator(".run iframe");
async function begin(page: Page): Promise<FrameLocator> {
  await tab(page, "Run");
  await run(page).locator('html[data-model="loaded"]').waitFor({ timeout: 90_000 });
  return run(page);
}

test("a mistake is told with its place, and its hint mends it", async () => {
  const { page, errors } = await open();
  await page.locator(".cm-content").click();
  await line(page, "softmax(net").click();
  await page.keyboard.press("End");
  await page.keyboard.type("\nexport fn other(x: f32[B, 64]) = rellu(x)");
  // the text while it was typed, `rell`, is told before
  const problem = page.locator("#problems li", { hasText: "did you mean `relu`?" }).filter({ hasText: "rellu(x)" });
  await problem.waitFor();
  expect(await problem.locator("code").textContent()).toMatch(/rellu\(x\)\n +\^{5}$/);
  expect(await page.locator(".cm-lintRange-error").textContent()).toBe("rellu");
  await problem.getByRole("button", { name: "write `relu`" }).click();
  await told(page, "errors", "0");
  await told(page, "compiled", "yes");
  expect(await line(page, "export fn other").textContent()).toContain("= relu(x)");
  expect(errors).toEqual([]);
  await page.context().close();
}, 120_000);

test("what a call takes is told while it is written", async () => {
  const { page, errors } = await open();
  await line(page, "export fn predict").click();
  await page.keyboard.press("End");
  await page.keyboard.type("\nexport fn other(x: f32[B]) = clamp(x, ");
  const shown = page.locator(".cm-signature");
  await shown.locator("strong", { hasText: "lo" }).waitFor();
  expect(await shown.locator("code").textContent()).toMatch(/^clamp\(x.*, lo.*, hi.*\)/);
  await page.keyboard.type("0, ");
  await shown.locator("strong", { hasText: "hi" }).waitFor();
  await look(page, "playground-signature");
  // a key right behind a picture may be lost
  const escaped = async (): Promise<number> => {
    await page.keyboard.press("Escape");
    return shown.count();
  };
  await expect.poll(escaped, { timeout: 10_000 }).toBe(0);
  await page.keyboard.press("Control+Shift+Space");
  await shown.waitFor();
  await page.keyboard.type("1)");
  await page.keyboard.press("Home");
  await shown.waitFor({ state: "detached" });
  expect(errors).toEqual([]);
  await page.context().close();
}, 120_000);

test("a line lights up its calls, formulas, kernels and memory, and each of them its line", async () => {
  const { page, errors } = await open();
  await line(page, "Dropout(0.2)").click({ position: { x: 78, y: 10 } });
  const chosen = page.locator(".cm-lit");
  expect(await chosen.allTextContents()).toEqual(["Linear(128, act: relu)"]);
  expect(await page.locator(".call.lit strong").first().textContent()).toBe("Linear");
  for (const [title, selector] of [
    ["Derivative", ".option.lit:visible"],
    ["Fused", ".option.lit:visible"],
    ["Schedule", ".option.lit:visible"],
    ["WGSL", ".option.lit:visible"],
    ["Plan", ".launch.lit"],
    ["Graph", ".node.lit"],
  ] as const) {
    await tab(page, title);
    await page.locator(selector).first().waitFor();
    for (const text of await page.locator(selector).allTextContents())
      expect(text, title).not.toMatch(/^\d+ *accuracy_forward/);
    await look(page, `playground-${title.toLowerCase()}`);
  }
  await tab(page, "Plan");
  expect(await page.locator(".tensor.lit").count()).toBeGreaterThan(0);
  await page.locator(".launch", { hasText: "accuracy_forward" }).first().click();
  expect(await chosen.allTextContents()).toContain("accuracy(logits, y)");
  await page
    .locator(".tensor")
    .first()
    .click({ position: { x: 30, y: 8 } });
  expect(await chosen.count()).toBeGreaterThan(0);
  await tab(page, "WGSL");
  await page.locator(".view:visible").getByLabel("Part").selectOption("net_linear_w_grad");
  await page
    .locator(".view:visible .option")
    .first()
    .click({ position: { x: 60, y: 12 } });
  expect(await chosen.allTextContents()).toEqual(["Linear(128, act: relu)"]);
  await page.keyboard.press("Escape");
  expect(await chosen.count()).toBe(0);
  expect(errors).toEqual([]);
  await page.context().close();
}, 120_000);

test("a stage beside the one before it, and against the version before", async () => {
  const { page, errors } = await open();
  await tab(page, "Schedule");
  await page.locator(".view:visible").getByLabel("Compare with").selectOption("stage");
  await page.locator(".column").nth(1).waitFor();
  expect(await page.locator(".column").count()).toBe(2);
  await tab(page, "Fused");
  await page.waitForTimeout(2200); // a version is one that stood for a while
  await write(
    page,
    (await page.evaluate(() => sessionStorage.getItem("dlm text")!)).replace("Linear(128", "Linear(96"),
  );
  await compiledWith(page, "Linear(96");
  await page.locator(".view:visible").getByLabel("Compare with").selectOption("version");
  await page.locator(".diff.added", { hasText: "j < 96" }).first().waitFor({ timeout: 30_000 });
  expect(await page.locator(".diff.removed", { hasText: "j < 128" }).count()).toBeGreaterThan(0);
  await look(page, "playground-difference");
  expect(errors).toEqual([]);
  await page.context().close();
}, 120_000);

test("a link holds the model, also in a browser that was never here", async () => {
  const { page } = await open();
  const text = "# Théo's <b>model</b>\nexport fn twice(x: f32[B]) -> f32[B] = 2 * x\n";
  await write(page, text);
  await told(page, "compiled", "yes");
  await page.click("#share");
  await page.waitForFunction(() => location.hash.startsWith("#model="));
  const fragment = await page.evaluate(() => location.hash);
  const fresh = await open({ fragment });
  expect(await fresh.page.locator(".cm-line").allTextContents()).toEqual(text.split("\n"));
  expect(await fresh.page.locator("#editor b").count()).toBe(0);
  expect(fresh.errors).toEqual([]);
  await Promise.all([page.context().close(), fresh.context.close()]);
}, 120_000);

test("several files: made, edited, renamed, shared, downloaded, deleted", async () => {
  const { page, errors } = await open();
  await write(
    page,
    `import "parts/blocks.dlm"
data d { rows: 8
  field x: f32[4] = normal(0, 1)[4] }
model net(x: f32[B, 4]) -> f32[B, 2] = x |> Block(2)
train fit on d(batch: 4) {
  minimize mean(net(x)^2) by sgd(lr: 0.1)
  steps: 5 }\n`,
  );
  await page.locator("#problems li", { hasText: 'cannot import "parts/blocks.dlm"' }).waitFor();
  await page.click("#new-file"); // the one that lacks is proposed
  expect(await page.getByLabel("File name").inputValue()).toBe("parts/blocks.dlm");
  await page.keyboard.press("Enter");
  const files = page.getByRole("group", { name: "Files" });
  await files.getByRole("button", { name: "parts/blocks.dlm", pressed: true }).waitFor();
  await page.waitForFunction(() => document.querySelector("#said")?.textContent === "1 error in digits.dlm");
  await write(page, "layer Block(out: int)(x: f32[B, D]) -> f32[B, out] = x |> Linear(8, act: rellu) |> Linear(out)\n");
  const problem = page.locator("#problems li", { hasText: "did you mean `relu`?" });
  await problem.waitFor();
  await files.getByRole("button", { name: "digits.dlm" }).click();
  await page.locator("#problems li", { hasText: "parts/blocks.dlm:1:" }).getByRole("button").first().click();
  await files.getByRole("button", { name: "parts/blocks.dlm", pressed: true }).waitFor();
  expect(await page.locator(".cm-line").first().textContent()).toContain("layer Block");
  await problem.getByRole("button", { name: "write `relu`" }).click();
  await told(page, "compiled", "yes");
  await look(page, "playground-files");

  await page.getByRole("button", { name: "Rename file" }).click();
  await page.getByLabel("File name").fill("layers");
  await page.keyboard.press("Enter");
  await files.getByRole("button", { name: "layers.dlm", pressed: true }).waitFor();
  await told(page, "compiled", "yes");
  // F12 leads from the call to the declaration
  await files.getByRole("button", { name: "digits.dlm" }).click();
  expect(await page.locator(".cm-line").first().textContent()).toBe('import "layers.dlm"');
  await line(page, "Block(2)").getByText("Block", { exact: true }).click();
  await page.keyboard.press("F12");
  await files.getByRole("button", { name: "layers.dlm", pressed: true }).waitFor();
  await tab(page, "Calls");
  await page.locator(".call strong", { hasText: "Block" }).first().click();
  await files.getByRole("button", { name: "digits.dlm", pressed: true }).waitFor(); // what lights up is there
  expect(await page.locator(".cm-lit").allTextContents()).toEqual(["Block(2)"]);
  const frame = await begin(page);
  await frame.locator("#start").click();
  await frame.locator('html[data-state="finished"]').waitFor({ timeout: 60_000 });

  await page.reload();
  await told(page, "compiled", "yes");
  expect(await files.getByRole("button").allTextContents()).toEqual(["digits.dlm", "layers.dlm"]);
  await page.click("#share");
  await page.waitForFunction(() => location.hash.startsWith("#model="));
  const fresh = await open({ fragment: await page.evaluate(() => location.hash) });
  await fresh.page.getByRole("button", { name: "layers.dlm" }).click();
  expect(await fresh.page.locator(".cm-line").first().textContent()).toContain("act: relu");
  await fresh.context.close();
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  const zip = unzipSync(readFileSync(await download.path()));
  for (const [path, wanted] of [
    ["digits.dlm", 'import "layers.dlm"'],
    ["layers.dlm", "layer Block"],
  ])
    expect(new TextDecoder().decode(zip[`digits/${path}`])).toContain(wanted);
  await files.getByRole("button", { name: "layers.dlm" }).click();
  await page.getByRole("button", { name: "Delete file" }).click();
  await page.locator("#problems li", { hasText: 'cannot import "layers.dlm"' }).waitFor();
  expect(await files.isVisible()).toBe(false);
  expect(errors).toEqual([]);
  await page.context().close();
}, 240_000);

test("an example of two files comes with both, and so does its link", async () => {
  const { page, errors } = await open();
  await choose(page, "depth/highway.dlm");
  const files = page.getByRole("group", { name: "Files" });
  expect(await files.getByRole("button").allTextContents()).toEqual(["highway.dlm", "blocks.dlm"]);
  await tab(page, "Calls");
  await page.locator(".call strong", { hasText: "Highway" }).first().waitFor();
  await look(page, "playground-two-files");
  const frame = await begin(page);
  await frame.locator("#step").click();
  await frame.locator("#state", { hasText: "Paused at step 1 of 225" }).waitFor({ timeout: 90_000 });
  await page.click("#share");
  await page.waitForFunction(() => location.hash.startsWith("#model="));
  const fresh = await open({ fragment: await page.evaluate(() => location.hash) });
  await fresh.page.getByRole("button", { name: "blocks.dlm" }).click();
  expect(await line(fresh.page, "layer Highway").count()).toBe(1);
  await fresh.page.getByRole("button", { name: "highway.dlm" }).click();
  expect(await fresh.page.locator(".cm-line", { hasText: /^import "blocks.dlm"$/ }).count()).toBe(1);
  expect([...errors, ...fresh.errors]).toEqual([]);
  await Promise.all([page.context().close(), fresh.context.close()]);
}, 180_000);

test("a model trains step by step", async () => {
  const { page, errors } = await open();
  await choose(page, "xor.dlm");
  const frame = await begin(page);
  expect(await frame.locator("#software").isVisible()).toBe(true); // the tests' browser computes on a program, and says so
  await frame.locator("#step").click();
  await frame.locator("#state", { hasText: "Paused at step 1 of 500" }).waitFor();
  await frame.locator("#step").click();
  await frame.locator("#state", { hasText: "Paused at step 2 of 500" }).waitFor();
  await look(page, "playground-run");
  expect(errors).toEqual([]);
  await page.context().close();
}, 180_000);

/** What the table of the gallery says that a model reached: "test: loss 0.0616, acc 0.9916". */
function reached(path: string): { readonly split: string; readonly figures: ReadonlyMap<string, number> } {
  const readme = readFileSync(join(import.meta.dirname, "../../examples/README.md"), "utf8");
  const row = readme.split("\n").find((text) => text.startsWith(`| [${path}](`))!;
  const [, split, list] = /\| (\w+): ([^|;]*) \|[^|]*\|[^|]*\|$/.exec(row)!;
  return { split: split!, figures: new Map(list!.split(", ").map((x) => [x.split(" ")[0]!, Number(x.split(" ")[1])])) };
}
test.each([
  "xor.dlm",
  "digits.dlm",
  "depth/deep_linear.dlm",
  "energy/pca.dlm",
  "regularisation/lasso.dlm",
  "depth/highway.dlm",
])(
  "%s of the gallery trains to its figures",
  async (path) => {
    const { page, errors } = await open();
    await choose(page, path);
    const frame = await begin(page);
    await frame.locator("#start").click();
    await frame.locator('html[data-state="finished"]').waitFor({ timeout: 100_000 });
    const { split, figures } = reached(path);
    expect(figures.size).toBeGreaterThan(0);
    const heads = await frame.locator("#figures thead th").allTextContents();
    for (const [name, figure] of figures) {
      const row = frame
        .locator("#figures tbody tr")
        .filter({ has: frame.getByRole("rowheader", { name, exact: true }) });
      const shown = Number((await row.locator("td").allTextContents())[heads.indexOf(split) - 1]);
      // devices round otherwise, and what is small after long training differs by more than its digits
      if (figure > 0.01) expect(Math.abs(shown / figure - 1), `${name} ${shown}, not ${figure}`).toBeLessThan(0.03);
      else expect(shown).toBeLessThan(0.02);
    }
    expect(errors).toEqual([]);
    await page.context().close();
  },
  180_000,
);

test("kernels are tuned for the device, and the training goes on", async () => {
  const { page, errors } = await open();
  await choose(page, "xor.dlm");
  expect(await (await begin(page)).locator("#tuning").isHidden()).toBe(true); // one launch does the whole step
  await choose(page, "digits.dlm");
  const frame = await begin(page);
  await frame.locator("#tune").click({ timeout: 90_000 });
  await frame.locator("#tuned", { hasText: /^(\d|None) of 8 kernels/ }).waitFor({ timeout: 60_000 });
  await frame.locator("#step").click();
  await frame.locator("#state", { hasText: "Paused at step 1 of" }).waitFor();
  expect(errors).toEqual([]);
  await page.context().close();
}, 180_000);

test("two tabs: each has its text and its training, and of one model one keeps what it trains", async () => {
  const { page: one, context, errors } = await open();
  const two = await context.newPage();
  two.on("pageerror", (error) => void (errors as string[]).push(error.message));
  await two.goto(server.address);
  await told(two, "compiled", "yes");
  await choose(two, "iris.dlm");
  await line(two, "train fit").click();
  await two.keyboard.press("Home");
  await two.keyboard.type("# of tab two");
  await two.keyboard.press("Enter");
  await compiledWith(two, "# of tab two\n");
  const [first, second] = [await begin(one), await begin(two)];
  await Promise.all([first.locator("#start").click(), second.locator("#start").click()]);
  for (const frame of [first, second]) await frame.locator('html[data-state="finished"]').waitFor({ timeout: 120_000 });
  await Promise.all([one.reload(), two.reload()]);
  for (const page of [one, two]) await told(page, "compiled", "yes");
  expect(await one.locator(".cm-line", { hasText: "of tab two" }).count()).toBe(0);
  expect(await one.locator("#model-name").textContent()).toBe("digits");
  expect(await two.locator(".cm-line", { hasText: "# of tab two" }).count()).toBe(1);
  expect(await two.locator("#model-name").textContent()).toBe("iris");
  // each goes on from what it trained
  for (const page of [one, two])
    await run(page).locator("#state", { hasText: "Finished after" }).waitFor({ timeout: 60_000 });

  await choose(two, "digits.dlm");
  await run(two).getByText("Another tab trains this model").waitFor({ timeout: 60_000 });
  await one.close();
  await run(two)
    .locator("#kept", { hasText: "Another tab trains this model" })
    .waitFor({ state: "hidden", timeout: 60_000 });
  expect(errors).toEqual([]);
  await context.close();
}, 300_000);

test("layers are watched: gradients, weights, values, units that are dead; a layer is shown in the text", async () => {
  const { page, errors } = await open();
  await write(
    page,
    (await page.evaluate(() => sessionStorage.getItem("dlm text")!)).replace(
      "Linear(128, act: relu)",
      "Linear(128, act: |z| relu(z - 100))",
    ),
  );
  await compiledWith(page, "relu(z - 100)");
  await tab(page, "Run");
  await page.getByLabel("Watch the layers").check();
  await run(page).locator('html[data-model="loaded"]').waitFor({ timeout: 90_000 });
  await run(page).locator("#step").click();
  const row = (layer: string) =>
    run(page)
      .locator("#watched tr")
      .filter({ has: run(page).getByRole("button", { name: layer, exact: true }) });
  for (const layer of ["net.linear", "net.linear2", "net.linear3"]) await row(layer).waitFor({ timeout: 60_000 });
  const cells = await row("net.linear").locator("td").allTextContents();
  expect(cells.slice(0, 2)).toEqual([expect.stringMatching(/e-\d$/), expect.stringMatching(/^\d/)]); // that of l2 alone
  expect(cells.slice(2)).toEqual(["0.00", "100 %", "100 %"]);
  expect((await row("net.linear3").locator("td").allTextContents()).slice(3)).toEqual(["–", "–"]);
  expect(await row("net.linear").locator(".sign").allTextContents()).toEqual(["dead units", "saturated"]);
  expect(await row("net.linear3").locator(".sign").count()).toBe(0);
  expect(await run(page).locator("#figures th").allTextContents()).toEqual(["metric", "batch", "loss", "acc"]);
  await run(page).locator("#watched select").selectOption("dead");
  await look(page, "playground-layers");
  await row("net.linear2").getByRole("button").click();
  await page.locator(".cm-lit", { hasText: /^Linear\(64, act: relu\)$/ }).waitFor();
  expect(errors).toEqual([]);
  await page.context().close();
}, 180_000);

test.each([
  ["launch by launch", 64, 6],
  ["whole steps in one launch", 4, 6],
] as const)(
  "a NaN is told with what made it, and its line is shown: %s",
  async (_, width, at) => {
    const { page } = await open();
    await write(
      page,
      `data d { rows: 64
  field x: f32[4] = uniform(0.5, 1)[4] }
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(${width}, act: tanh) |> Linear(1)
train fit on d(batch: 4, seed: 1) {
  let out = tanh(net(x))
  minimize mean(sqrt(out * 0.25 + 5.5 - f32(step))) by sgd(lr: 1e-3)
  steps: 2000 }\n`,
    );
    await page.waitForTimeout(500);
    await told(page, "compiled", "yes");
    const frame = await begin(page);
    await frame.locator("#start").click();
    await frame.locator("#problem-text", { hasText: "is NaN at step 6" }).waitFor({ timeout: 60_000 });
    const card = frame.locator("#origin");
    await card.getByText("NaN is first in").waitFor({ timeout: 60_000 });
    expect(await card.locator("pre").textContent()).toContain("sqrt");
    await look(page, `playground-nan-${width}`);
    await card.getByRole("button", { name: `line ${at}`, exact: true }).click();
    await page.locator(".cm-lit", { hasText: /^minimize mean\(sqrt\(.*\)\) by sgd\(lr: 1e-3\)$/ }).waitFor();
    await page.context().close();
  },
  180_000,
);

test("a reload in the middle of training goes on where it was", async () => {
  const { page } = await open();
  const frame = await begin(page);
  await frame.locator("#start").click();
  await frame.locator("#state", { hasText: /step [1-9]\d+ of/ }).waitFor({ timeout: 60_000 });
  await page.reload();
  await run(page).locator("#kept", { hasText: "Going on from step" }).waitFor({ timeout: 90_000 });
  await run(page).locator('html[data-state="finished"]').waitFor({ timeout: 120_000 });
  await page.context().close();
}, 300_000);

test("20,000 lines do not freeze the page", async () => {
  const { page } = await open();
  const declaration = (i: number): string => `fn f${i}(x: f32[B, 4]) -> f32[B, 4] =\n  x * ${i} + 1\n`;
  const text = Array.from({ length: 10_000 }, (_, i) => declaration(i)).join("");
  await page.evaluate(() => {
    const seen = { last: performance.now(), worst: 0 };
    Object.assign(globalThis, { seen });
    setInterval(() => {
      const now = performance.now();
      seen.worst = Math.max(seen.worst, now - seen.last);
      seen.last = now;
    }, 20);
  });
  await page.waitForTimeout(500);
  await page.evaluate(() => Object.assign((globalThis as never as { seen: { worst: number } }).seen, { worst: 0 }));
  await write(page, text);
  await page.waitForTimeout(3000);
  const worst = await page.evaluate(() => (globalThis as never as { seen: { worst: number } }).seen.worst);
  expect(worst).toBeLessThan(2000);
  await write(page, "export fn half(x: f32[B]) = relu(x / 2)\n"); // what is typed meanwhile is looked at, not the long text before it
  await told(page, "compiled", "yes");
  expect(await page.locator(".call strong").first().textContent()).toBe("half");
  await page.context().close();
}, 180_000);

test("a model can be downloaded with all that it needs", async () => {
  const { page } = await open();
  await choose(page, "regression/logistic_regression.dlm");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  expect(download.suggestedFilename()).toBe("logistic_regression.zip");
  const files = unzipSync(readFileSync(await download.path()));
  const names = Object.keys(files);
  for (const name of ["trainer.mjs", "trainer.d.ts", "plan.json", "index.html", "shaders/INDEX.md", "data/iris.csv"])
    expect(names).toContain(`logistic_regression/${name}`);
  await page.context().close();
}, 120_000);

test("own data are taken by their names", async () => {
  const { page } = await open();
  await write(
    page,
    `data own { field x: f32 = csv("own.csv", column: 0) }
model net(x: f32[B]) -> f32[B] {
  param w: f32 ~ normal(0, 1)
  return w * x
}
train fit on own(batch: all) {
  minimize mse(net(x), 2 * x) by sgd(lr: 0.1)
  epochs: 5
}\n`,
  );
  await page.waitForTimeout(500);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["1\n2\n3\n"], "own.csv"));
    dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
  });
  await told(page, "compiled", "yes");
  const frame = await begin(page);
  await frame.locator("#facts summary").click();
  expect(await frame.locator("#run").textContent()).toContain("3 rows");
  await page.context().close();
}, 120_000);

test.each([
  ["wide and light", {}],
  ["wide and dark", { dark: true }],
  ["on a phone, dark", { width: 390, dark: true }],
  ["on a phone, light", { width: 390 }],
] as const)(
  "nobody is kept out: %s",
  async (name, options) => {
    const { page, errors } = await open(options);
    for (const title of ["Calls", "Graph", "Derivative", "Fused", "WGSL", "Plan", "Trainer"]) {
      await tab(page, title);
      await page.waitForTimeout(400);
      await expectAccessible(page);
      await look(page, `playground-${title.toLowerCase()}-${name.replaceAll(/\W+/g, "-")}`);
    }
    const frame = await begin(page);
    await expectAccessible(page);
    await page.getByLabel("Watch the layers").check();
    await frame.locator('html[data-model="loaded"]').waitFor({ timeout: 90_000 });
    await frame.locator("#step").click();
    await frame.locator("#watched summary").click({ timeout: 60_000 });
    await expectAccessible(page);
    await look(page, `playground-run-${name.replaceAll(/\W+/g, "-")}`);
    for (const [id, part] of [
      ["#gallery-open", "dialog.gallery"],
      ["#rename", "dialog.ask"],
    ] as const) {
      await page.click(id);
      await page.locator(part).waitFor();
      await expectAccessible(page, part);
      await look(page, `playground${id.replace("#", "-")}-${name.replaceAll(/\W+/g, "-")}`);
      await page.keyboard.press("Escape");
    }
    for (const [id, part] of [
      ["#share", "#message"],
      ["#tour-open", "[aria-label=Tour]"],
    ] as const) {
      await page.click(id);
      await page.locator(part).waitFor();
      await expectAccessible(page, part);
    }
    expect(errors).toEqual([]);
    await page.context().close();
  },
  180_000,
);

test("the tour goes through ten steps", async () => {
  const { page, errors } = await open();
  await page.click("#tour-open");
  for (let i = 1; i <= 10; i++) {
    const card = page.getByRole("region", { name: "Tour" });
    await card.getByText(`${i} of 10`).waitFor();
    await told(page, "compiled", "yes");
    if (i > 1 && i < 9) expect(await page.locator(".cm-lit").count(), `step ${i}`).toBeGreaterThan(0);
    if (i > 1 && i < 9) await page.locator(".pane-body:visible .lit").first().waitFor();
    await look(page, `playground-tour-${i}`);
    await card.locator(".primary").click();
  }
  expect(await page.getByRole("region", { name: "Tour" }).count()).toBe(0);
  expect(errors).toEqual([]);
  await page.context().close();
}, 240_000);

test("by keys alone: tabs, a formula, its place", async () => {
  const { page } = await open();
  await page.getByRole("tab", { name: "Calls" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  expect(await page.getByRole("tab", { name: "Derivative" }).getAttribute("aria-selected")).toBe("true");
  await page.locator(".view:visible .option").first().waitFor();
  await page.locator(".view:visible .option").first().focus();
  for (let i = 0; i < 12; i++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  expect(await page.locator(".cm-lit").count()).toBeGreaterThan(0);
  await page.context().close();
}, 60_000);

/** What a visitor's browser asks for, compressed as servers do. */
test("the page is small", () => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (f) => !f.startsWith("examples") && statSync(join(folder, f)).isFile(),
  );
  const size = (wanted: readonly string[]): number =>
    wanted.reduce((n, f) => n + gzipSync(readFileSync(join(folder, f)), { level: 9 }).length, 0) / 1000;
  const code = files.filter((f) => !f.startsWith("run/"));
  expect(size(code)).toBeLessThan(562);
  expect(size(files)).toBeLessThan(664);
});
