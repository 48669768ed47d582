// index.html of a compiled model in a real Chromium: trains to the accuracy that the model has, shows its curve, and says in words what is wrong.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeArtifacts } from "../../compiler/cli/artifacts.ts";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import { compile } from "../../compiler/compile.ts";
import { openBrowser } from "./chromium.ts";
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
async function open(
  path: string,
  options: { readonly width?: number; readonly dark?: boolean; readonly before?: string } = {},
): Promise<OpenPage> {
  const page = await browser.newPage({
    viewport: { width: options.width ?? 1200, height: 900 },
    colorScheme: options.dark ? "dark" : "light",
  });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on(
    "console",
    (message) => void (message.type() === "error" && !/404/.test(message.text()) && errors.push(message.text())),
  );
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
