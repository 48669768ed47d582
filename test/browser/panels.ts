// Pages of models for tests: compiled with their data beside them, opened in the tests' Chromium, looked over by axe. In: texts, files. Out: pages.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";
import { writeArtifacts } from "../../compiler/cli/artifacts.ts";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import { made } from "../model.ts";

/** What a careful site sends: nothing inline, nothing from elsewhere. */
export const strict = { "content-security-policy": "default-src 'self'" };

export async function writePage(
  folder: string,
  text: string,
  files: Readonly<Record<string, string | Uint8Array>> = {},
  name = "model.dlm",
): Promise<void> {
  const { plan } = made(text, { name, views: true });
  await writeArtifacts([plan], { folder, data: folder, parts: await trainerParts() });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
export interface Opened {
  readonly page: Page;
  readonly errors: readonly string[];
  /** Trains for so many epochs or steps. */
  readonly train: (length: number) => Promise<void>;
  /** Text of the result of an export, when it has been asked (again). */
  readonly answer: (selector?: string) => Promise<string>;
}
export async function openPage(
  browser: Browser,
  address: string,
  options: { readonly width?: number; readonly dark?: boolean } = {},
): Promise<Opened> {
  const page = await browser.newPage({
    viewport: { width: options.width ?? 1240, height: 900 },
    colorScheme: options.dark ? "dark" : "light",
  });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (m) => void (m.type() === "error" && !/404/.test(m.text()) && errors.push(m.text())));
  await page.goto(address);
  await page.waitForFunction(
    () => document.documentElement.dataset["model"] ?? document.documentElement.dataset["state"] === "problem",
    undefined,
    { timeout: 60_000 },
  );
  await page.waitForFunction(() => !document.querySelector(".use:not([data-learned])"));
  const settled = (): Promise<unknown> => page.waitForTimeout(400);
  return {
    page,
    errors,
    train: async (length) => {
      const id = (await page.isVisible("#epochs")) ? "#epochs" : "#steps";
      await page.fill(id, String(length));
      await page.click("#start");
      await page.waitForFunction(
        () => ["finished", "stalled", "problem"].includes(document.documentElement.dataset["state"] ?? ""),
        undefined,
        { timeout: 90_000 },
      );
      await settled();
    },
    answer: async (selector = ".use .answer") => {
      await settled();
      return (await page.textContent(selector)) ?? "";
    },
  };
}
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Nothing that keeps somebody out, as far as a program can tell; `part`: in this part of the page alone. */
export async function expectAccessible(page: Page, part = "html"): Promise<void> {
  for (const frame of page.frames()) await frame.evaluate(axe); // from outside of the page: its policy does not allow it
  const found = await page.evaluate<readonly string[]>(
    `axe.run(${JSON.stringify(part)}).then(({ violations }) => violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ")).join(", ")))`,
  );
  expect(found).toEqual([]);
  for (const frame of page.frames())
    expect(await frame.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
}
/** For a person to look at: DLM_SCREENSHOTS=FOLDER keeps what the pages look like. */
export async function look(page: Page, name: string): Promise<void> {
  const folder = process.env["DLM_SCREENSHOTS"];
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
/** Draws strokes on an element, in shares of it. */
export async function draw(
  page: Page,
  selector: string,
  strokes: readonly (readonly (readonly [number, number])[])[],
): Promise<void> {
  await page.locator(selector).scrollIntoViewIfNeeded();
  const place = (await page.locator(selector).boundingBox())!;
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [place.x + x * place.width, place.y + y * place.height] as const);
    await page.mouse.move(...points[0]!);
    await page.mouse.down();
    for (const point of points.slice(1)) await page.mouse.move(...point, { steps: 3 });
    await page.mouse.up();
  }
}
