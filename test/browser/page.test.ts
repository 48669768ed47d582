// index.html of a compiled model in a real Chromium: trains to the accuracy that the model has, shows its curve, and says in words what is wrong.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeArtifacts } from "../../compiler/cli/artifacts.ts";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import { compile } from "../../compiler/compile.ts";
import { newPage, openBrowser, type Looks } from "./chromium.ts";
import { draw, expectAccessible } from "./panels.ts";
import { serve } from "./server.ts";

const examples = join(import.meta.dirname, "../../examples");
const root = mkdtempSync(join(tmpdir(), "dlm-page-"));
let browser: Browser;
let address: string;
let close: () => void;

/** What a careful site sends: nothing inline, nothing from elsewhere. */
const strict = { "content-security-policy": "default-src 'self'" };
beforeAll(async () => {
  for (const [folder, withData] of [
    ["digits", true],
    ["alone", false],
  ] as const) {
    mkdirSync(join(root, folder, "model"), { recursive: true });
    if (withData) cpSync(join(examples, "data/digits.csv"), join(root, folder, "model/data/digits.csv"));
    const { plan } = compile(readFileSync(join(examples, "digits.dlm"), "utf8"), {
      name: "digits.dlm",
      views: true,
    });
    await writeArtifacts([plan!], {
      folder: join(root, folder, "out"),
      data: join(root, folder, "model"),
      parts: await trainerParts(),
    });
  }
  [browser, { address, close }] = await Promise.all([openBrowser(), serve(root, strict)]);
}, 300_000);
afterAll(async () => {
  await browser?.close();
  close?.();
  rmSync(root, { recursive: true, force: true });
});

interface OpenPage {
  readonly page: Page;
  readonly state: () => Promise<string | undefined>;
  readonly until: (...states: readonly string[]) => Promise<void>;
  readonly errors: readonly string[];
}
async function open(path: string, options: Looks & { readonly before?: string } = {}): Promise<OpenPage> {
  const { page, errors } = await newPage(browser, options);
  if (options.before) await page.addInitScript(options.before);
  await page.goto(`${address}/${path}`);
  const state = (): Promise<string | undefined> => page.evaluate(() => document.documentElement.dataset["state"]);
  const until = async (...states: readonly string[]): Promise<void> =>
    void (await page.waitForFunction(
      (wanted) => wanted.includes(document.documentElement.dataset["state"] ?? ""),
      states,
      { timeout: 300_000 },
    ));
  await until("ready", "problem");
  return { page, state, until, errors };
}
/** For a person to look at: DLM_SCREENSHOTS=FOLDER keeps what the pages look like. */
async function look(page: Page, name: string): Promise<void> {
  const folder = process.env["DLM_SCREENSHOTS"];
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
/** Colours of the curve in a chart, as a share of its pixels. */
const inked = (page: Page, selector: string): Promise<number> =>
  page.evaluate((wanted) => {
    const canvas = document.querySelector<HTMLCanvasElement>(wanted)!;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    let colored = 0;
    for (let i = 0; i < data.length; i += 4)
      if (
        data[i + 3]! > 0 &&
        Math.max(data[i]!, data[i + 1]!, data[i + 2]!) - Math.min(data[i]!, data[i + 1]!, data[i + 2]!) > 60
      )
        colored++;
    return colored / (data.length / 4);
  }, selector);

test("it trains the digits to 97 %, with a live curve", { timeout: 300_000 }, async () => {
  const { page, until, errors } = await open("digits/out/index.html");
  await look(page, "ready");
  await page.fill("#seed", "3"); // another holdout than the file's
  await page.click("#start");
  await page.waitForFunction(() => document.querySelectorAll("#figures tbody tr").length === 2);
  await page.waitForFunction(
    () => Number(document.getElementById("track")!.getAttribute("aria-valuenow")) > 25,
    undefined,
    { timeout: 300_000 },
  );
  expect(await page.textContent("#state")).toMatch(/^Epoch \d+ of \d+ · step \d+ of \d+$/);
  expect(await page.textContent("#rate")).toMatch(/^[\d,]+ steps\/s · \d+:\d\d left$/);
  expect(await inked(page, "#loss-chart canvas")).toBeGreaterThan(0.003);
  await look(page, "training");
  await until("finished");
  const accuracy = await page.evaluate(
    () =>
      [...document.querySelectorAll("#figures tbody tr")]
        .find((row) => row.querySelector("th")!.textContent === "acc")!
        .querySelectorAll("td")[1]!.textContent,
  );
  expect(Number(accuracy)).toBeGreaterThanOrEqual(0.97);
  expect(await page.textContent("#state")).toMatch(/^Finished after \d+ steps · test: loss 0\.\d+, acc 0\.9\d+$/);
  expect(await page.getAttribute("#loss-chart canvas", "aria-label")).toMatch(
    /^Loss by step: batch 0\.\d+, test 0\.\d+ at step \d+$/,
  );
  // drawn in the middle of the canvas and smaller than those of the data: it is moved to where theirs are
  const drawn = async (...strokes: (readonly (readonly [number, number])[])[]): Promise<string | null> => {
    await page.click(".use >> text=Clear");
    await draw(page, ".drawing", strokes);
    await page.waitForTimeout(400);
    return page.textContent(".use .answer");
  };
  const arc = (cx: number, cy: number, r: number, from: number, to: number): readonly [number, number][] =>
    Array.from({ length: 13 }, (_, i) => {
      const turn = ((from + ((to - from) * i) / 12) * Math.PI) / 180;
      return [cx + r * Math.cos(turn), cy + r * Math.sin(turn)];
    });
  expect(await drawn([...arc(0.48, 0.36, 0.13, -150, 90), ...arc(0.48, 0.62, 0.13, -90, 150)])).toBe("3");
  await look(page, "drawn");
  expect(await drawn(arc(0.5, 0.5, 0.2, 0, 360).map(([x, y]) => [0.5 + 0.75 * (x - 0.5), y]))).toBe("0");
  // what is wrong comes first
  const verdicts = await page.locator("#data li span").evaluateAll((spans) => spans.map((span) => span.className));
  expect(verdicts.length).toBe(24);
  expect(verdicts.lastIndexOf("wrong")).toBe(verdicts.filter((name) => name === "wrong").length - 1);
  expect(await page.textContent("#data .note")).toMatch(/^predict is (right in all|wrong in \d+) of 359 rows/);
  await page.click("#layers-details summary");
  await page.waitForSelector("#layers .gallery canvas");
  expect(await page.locator("#layers .gallery canvas").count()).toBe(64);
  await expectAccessible(page);
  await page.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(page);
  await look(page, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.hover("#loss-chart canvas");
  await look(page, "finished");
  for (const id of ["source", "kernels"]) await page.click(`#${id} summary`);
  expect(await page.textContent("#source-text")).toContain("model net(x: f32[B, 64])");
  expect(await page.textContent("#kernel-text")).toContain("@compute @workgroup_size");
  await look(page, "details");
  expect(await page.textContent("#start")).toBe("Train again");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  expect(download.suggestedFilename()).toBe("digits.safetensors");
  expect(errors).toEqual([]);
  await page.close();
});

test("a file that the server lacks is asked for; pause, go on, reset", { timeout: 300_000 }, async () => {
  const { page, state, until, errors } = await open("alone/out/index.html", { width: 390, dark: true });
  await page.click("#start");
  await until("problem");
  expect(await page.textContent("#problem")).toMatch(
    /A data file is missing.*The server of this page does not have data\/digits\.csv/s,
  );
  await look(page, "missing");
  await page.setInputFiles("#file-list input", join(examples, "data/digits.csv"));
  await page.waitForSelector("#file-list .ok");
  await page.fill("#epochs", "6");
  await page.click("#start");
  await page.waitForFunction(
    () => Number(document.getElementById("track")!.getAttribute("aria-valuenow")) > 5,
    undefined,
    { timeout: 300_000 },
  );
  await page.click("#start"); // now Pause
  await until("paused");
  expect(await page.textContent("#start")).toMatch(/^Continue from step [\d,]+$/);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await page.click("#start");
  await until("finished");
  await look(page, "phone");
  await page.click("#reset");
  await page.waitForFunction(() => document.getElementById("start")!.textContent === "Start training");
  expect(await page.getAttribute("#track", "aria-valuenow")).toBe("0");
  await page.click("#start");
  await page.waitForFunction(
    () => Number(document.getElementById("track")!.getAttribute("aria-valuenow")) > 5,
    undefined,
    { timeout: 300_000 },
  );
  expect(await state()).not.toBe("problem");
  expect(errors).toEqual([]);
  await page.close();
});

// ---- what stays when a page is left

const small = `data d { field x: f32[2] = csv("rows.csv", columns: 0..2) }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(4, act: tanh) |> Linear(1)
train fit on d(batch: 4, seed: 1) { minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  steps: 2000000000 }
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)`;
async function writeSmall(text: string): Promise<void> {
  const { plan } = compile(text, { name: "small.dlm", views: true });
  const folder = join(root, "small");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "rows.csv"), "1,2\n3,4\n0,1\n2,0\n");
  await writeArtifacts([plan!], { folder, data: folder, parts: await trainerParts() });
}
const kept = (page: Page): Promise<string> => page.innerText("#kept:not([hidden])");
const stepOf = (page: Page): Promise<number> =>
  page.evaluate(() =>
    Number(/step ([\d,]+)/.exec(document.getElementById("state")!.textContent)?.[1]?.replaceAll(",", "")),
  );
const beyond = (page: Page, step: number): Promise<unknown> =>
  page.waitForFunction(
    (least) =>
      Number(/step ([\d,]+)/.exec(document.getElementById("state")!.textContent)?.[1]?.replaceAll(",", "")) > least,
    step,
    { timeout: 300_000 },
  );
test(
  "a reload goes on from the last checkpoint, a changed model where it fits, and says so",
  { timeout: 300_000 },
  async () => {
    await writeSmall(small);
    const { page, until, errors } = await open("small/index.html");
    await page.fill("#seed", "5");
    await page.fill("#steps", "1900000000");
    await page.click("#start");
    await beyond(page, 500);
    // while it trains: it goes on by itself
    await page.reload();
    expect(await kept(page)).toMatch(
      /^Going on from step [\d,]+, where training was when the page was left\. “Start over” begins anew\.$/,
    );
    const from = Number(/step ([\d,]+)/.exec(await kept(page))![1]!.replaceAll(",", ""));
    expect(from).toBeGreaterThan(0);
    await beyond(page, from);
    expect([await page.inputValue("#seed"), await page.inputValue("#steps")]).toEqual(["5", "1900000000"]);
    await look(page, "resumed");
    // paused: it waits
    await page.click("#start");
    await until("paused");
    const step = await stepOf(page);
    await writeSmall(
      small.replace("lr: 1e-2", "lr: 3e-2").replace("2000000000", "2100000000").replace("seed: 1", "seed: 2"),
    );
    await page.reload();
    expect(await kept(page)).toMatch(
      /^Going on from step [\d,]+, from before the model was changed: its parameters still fit\./,
    );
    await page.waitForFunction(() => /^Continue from step/.test(document.getElementById("start")!.textContent));
    expect(await stepOf(page)).toBe(step);
    expect(await page.inputValue("#seed")).toBe("5");
    await expectAccessible(page);
    await page.setViewportSize({ width: 390, height: 800 });
    await look(page, "resumed-phone");
    await page.emulateMedia({ colorScheme: "dark" });
    await look(page, "resumed-dark");
    await page.setViewportSize({ width: 1200, height: 900 });
    // anew is by what the text says now
    await page.click("#reset");
    await page.waitForFunction(() => document.getElementById("start")!.textContent === "Start training");
    expect(await page.isHidden("#kept")).toBe(true);
    expect([await page.inputValue("#seed"), await page.inputValue("#steps")]).toEqual(["2", "2100000000"]);
    await page.reload();
    await page.waitForSelector("html[data-model=loaded]");
    expect([await page.isHidden("#kept"), await page.textContent("#start")]).toEqual([true, "Start training"]);
    // while it trains, too
    await page.click("#start");
    await beyond(page, 500);
    await page.click("#reset");
    await page.waitForFunction(() => document.getElementById("start")!.textContent === "Start training");
    await page.click("#start");
    await beyond(page, 100);
    await page.click("#start");
    await page.waitForFunction(() => /^Continue/.test(document.getElementById("start")!.textContent));
    await writeSmall(small.replace("Linear(4", "Linear(5"));
    await page.reload();
    expect(await kept(page)).toMatch(
      /^What was trained before does not fit this model and its data, so it begins anew: .* is F32\[.*\] in this model and F32\[.*\] in the file\.$/,
    );
    expect(await page.textContent("#start")).toBe("Start training");
    expect(errors).toEqual([]);
    await page.context().close();
  },
);
test(
  "Start, as soon as it can be pressed: one run, also where the model is still loaded",
  { timeout: 300_000 },
  async () => {
    await writeSmall(small);
    const { page, until, errors } = await open("small/index.html");
    await page.evaluate(() => document.getElementById("start")!.click());
    await page.waitForSelector("html[data-model=loaded]");
    await beyond(page, 500);
    await page.click("#start");
    await until("paused");
    const step = await stepOf(page);
    // Start over by a seed of its own, and on at once: nothing comes between
    await page.evaluate(() => {
      document.getElementById("reset")!.click();
      document.getElementById("start")!.click();
    });
    await page.waitForFunction(() => document.getElementById("start")!.textContent === "Start training");
    expect(await page.isEnabled("#start")).toBe(true);
    expect(await stepOf(page)).not.toBe(step);
    await page.reload();
    await page.waitForSelector("html[data-model=loaded]");
    expect([await page.isHidden("#kept"), await page.textContent("#start")]).toEqual([true, "Start training"]);
    expect(errors).toEqual([]);
    await page.context().close();
  },
);
test("a second tab says that another one trains, until that is closed", { timeout: 300_000 }, async () => {
  await writeSmall(small);
  const { page, errors } = await open("small/index.html");
  await page.click("#start");
  await beyond(page, 500);
  const second = await page.context().newPage();
  await second.goto(`${address}/small/index.html`);
  expect(await kept(second)).toBe(
    "Another tab trains this model, and what it trains is kept; what this one trains is not.",
  );
  await look(second, "second-tab");
  await page.click("#start");
  await page.waitForFunction(() => /^Continue from step/.test(document.getElementById("start")!.textContent));
  await second.click("#start");
  await second.waitForFunction(() => document.getElementById("start")!.textContent === "Pause");
  await beyond(second, (await stepOf(page)) + 500); // what it trained is kept then, not the first one's
  await second.click("#start");
  await page.close();
  await second.waitForSelector("#kept", { state: "hidden" });
  expect(errors).toEqual([]);
  await second.context().close();
});
test(
  "what a tab trained that is closed is not replaced by what another one trained for fewer steps",
  { timeout: 300_000 },
  async () => {
    await writeSmall(small);
    const { page: first, errors } = await open("small/index.html");
    const start = async (page: Page): Promise<void> => {
      await page.click("#start");
      await page.waitForFunction(() => document.getElementById("start")!.textContent === "Pause");
    };
    const paused = async (page: Page): Promise<number> => {
      await page.click("#start");
      await page.waitForFunction(() => /^Continue from step/.test(document.getElementById("start")!.textContent));
      return stepOf(page);
    };
    /** Beside one that trains: a tab that has trained less, by a seed of its own, when that one is closed. */
    const behind = async (former: Page): Promise<{ readonly page: Page; readonly step: string }> => {
      await start(former);
      const page = await former.context().newPage();
      await page.goto(`${address}/small/index.html`);
      await page.waitForSelector("html[data-model=loaded]");
      await page.click("#reset"); // of what was taken up
      await page.waitForFunction(() => document.getElementById("start")!.textContent === "Start training");
      await page.fill("#seed", "9");
      await start(page);
      await beyond(page, 10);
      await beyond(former, (await paused(page)) + 500);
      const step = (await paused(former)).toLocaleString("en");
      await former.close();
      await page.waitForFunction(() => document.getElementById("kept")!.textContent.startsWith("What is kept"));
      expect(await kept(page)).toBe(
        `What is kept is what another tab trained, up to step ${step}. What this one trains is kept from there on; until then, loading the page anew goes on with the other.`,
      );
      await look(page, "behind");
      return { page, step };
    };
    const second = await behind(first);
    await expectAccessible(second.page);
    // not by beginning anew either: that is not what lies there
    await second.page.click("#reset");
    await second.page.waitForFunction(() => document.getElementById("start")!.textContent === "Start training");
    expect(await kept(second.page)).toMatch(/^What is kept is what another tab trained/);
    await start(second.page);
    await beyond(second.page, 10);
    await paused(second.page);
    await second.page.reload();
    await second.page.waitForSelector("html[data-model=loaded]");
    expect(await kept(second.page)).toMatch(new RegExp(`^Going on from step ${second.step}, where`));
    expect(await second.page.inputValue("#seed")).toBe("1");
    // further than that, it is what is kept
    const third = await behind(second.page);
    await start(third.page);
    await beyond(third.page, Number(third.step.replaceAll(",", "")));
    const step = (await paused(third.page)).toLocaleString("en");
    await third.page.waitForSelector("#kept", { state: "hidden" });
    await third.page.reload();
    await third.page.waitForSelector("html[data-model=loaded]");
    expect(await kept(third.page)).toMatch(new RegExp(`^Going on from step ${step}, where`));
    expect(await third.page.inputValue("#seed")).toBe("9");
    expect(errors).toEqual([]);
    await third.page.context().close();
  },
);
test("numbers that cannot be are told in a sentence, before anything is computed", { timeout: 300_000 }, async () => {
  await writeSmall(small);
  const { page, state } = await open("small/index.html");
  for (const [id, value, sentence] of [
    ["seed", "1.5", "The seed is a whole number, 0 or more, at most 2,147,483,647, not 1.5."],
    ["seed", "4294967296", "The seed is a whole number, 0 or more, at most 2,147,483,647, not 4294967296."],
    ["steps", "0", "The number of steps is a whole number, 1 or more, not 0."],
    ["steps", "2.5", "The number of steps is a whole number, 1 or more, not 2.5."],
  ] as const) {
    const before = await page.inputValue(`#${id}`);
    await page.fill(`#${id}`, value);
    await page.click("#start");
    expect(await page.textContent("#problem-text")).toBe(sentence);
    expect(await state()).toBe("ready");
    await page.fill(`#${id}`, before);
  }
  await page.click("#start");
  await beyond(page, 10);
  expect(await page.isHidden("#problem")).toBe(true);
  await page.context().close();
});
test("what is no seed while the model is loaded does not reach it", { timeout: 300_000 }, async () => {
  await writeSmall(small);
  const before = `const own = navigator.gpu.requestAdapter.bind(navigator.gpu);
navigator.gpu.requestAdapter = (...given) => new Promise((done) => setTimeout(done, 1500)).then(() => own(...given));`;
  const { page } = await open("small/index.html", { before });
  expect(await page.getAttribute("html", "data-model")).toBe(null); // still on its way
  await page.fill("#seed", "1.5");
  await page.waitForSelector("html[data-model]");
  expect(await page.isHidden("#problem")).toBe(true);
  await page.fill("#seed", "4");
  await page.click("#start");
  await beyond(page, 10);
  expect(await page.isHidden("#problem")).toBe(true);
  await page.context().close();
});

test("a browser without WebGPU: said in words", async () => {
  const { page, state } = await open("digits/out/index.html", {
    before: 'Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined });',
  });
  expect(await state()).toBe("problem");
  expect(await page.textContent("#problem")).toMatch(/This page cannot train here.*This browser has no WebGPU/s);
  expect(await page.isDisabled("#start")).toBe(true);
  await look(page, "no-webgpu");
  await page.close();
});
