// `dlm inspect --html` in a real Chromium, opened as a file: the views are linked, nothing of a model is run as code or HTML.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { viewerParts } from "../../compiler/cli/bundle.mjs";
import { lookHtml } from "../../compiler/cli/look/html.ts";
import { lookOf } from "../../compiler/cli/look/look.ts";
import { compile } from "../../compiler/compile.ts";
import { openBrowser } from "./chromium.ts";
import { expectAccessible } from "./panels.ts";

const folder = mkdtempSync(join(tmpdir(), "dlm-look-"));
let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});
const source = `# A </script><img src=x onerror="document.title = 'run'"> line.
data points {
  rows: 64
  field x: f32[2] = normal[2]
}
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(8, act: tanh) |> Linear(1)
train fit on points(batch: 16) {
  minimize mse(net(x), unsqueeze(x[:, 0] * x[:, 1], -1)) by adam(lr: 1e-2)
  epochs: 4
}
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)
`;
async function open(name: string, width = 1200): Promise<{ readonly page: Page; readonly errors: readonly string[] }> {
  const options = { name };
  const file = join(folder, "look.html");
  writeFileSync(file, lookHtml(lookOf(compile(source, options), options)!, await viewerParts()));
  const page = await browser.newPage({ viewport: { width, height: 820 } });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (m) => void (m.type() === "error" && errors.push(m.text())));
  page.on("request", (r) => void (r.url().startsWith("file:") || errors.push(r.url())));
  await page.goto(pathToFileURL(file).href);
  await page.waitForFunction(() => document.documentElement.dataset["state"] === "ready");
  return { page, errors };
}
test("a word lights up its kernels, a kernel its words, and no name is HTML", async () => {
  const { page, errors } = await open("<b>m</b>.dlm");
  expect(await page.title()).toBe("<b>m</b>.dlm");
  await page.locator(".line span", { hasText: "Linear" }).first().click();
  for (const title of ["Derivative", "Fused", "Schedule", "Plan"]) {
    await page.getByRole("tab", { name: title }).click();
    expect(await page.locator(".option.lit:visible").count(), title).toBeGreaterThan(0);
  }
  await page.getByRole("tab", { name: "Fused" }).click();
  await page.locator(".view:visible .option", { hasText: "mse" }).first().click();
  expect((await page.locator(".line .lit").allTextContents()).join("")).toContain("mse");
  expect(errors).toEqual([]);
  await page.close();
}, 120_000);
test.each([1200, 390])(
  "nobody is kept out at %d",
  async (width) => {
    const { page, errors } = await open("m.dlm", width);
    for (const title of ["Calls", "Derivative", "WGSL", "Plan"]) {
      await page.getByRole("tab", { name: title }).click();
      await expectAccessible(page);
    }
    expect(errors).toEqual([]);
    await page.close();
  },
  120_000,
);
