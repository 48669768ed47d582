// What docs/web.md shows runs: its programs in Node, each in its order, and its plain page in Chromium. Its site of Vite is made in test/site.
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import * as library from "../../compiler/index.ts";
import * as runtime from "../../runtime/index.ts";
import { openBrowser } from "../browser/chromium.ts";
import { serve } from "../browser/server.ts";
import { program } from "../cli/program.ts";
import { testDevice } from "../device.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/web.md"), "utf8");
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "gm"))].map(([, text]) => text!);
const { dlm, node, folder, put } = program();

beforeAll(async () => {
  const text = readFileSync(join(root, "examples/digits.dlm"), "utf8");
  put("digits.dlm", text.replace("epochs: 30", "epochs: 4"));
  mkdirSync(join(folder, "data"));
  cpSync(join(root, "examples/data/digits.csv"), join(folder, "data/digits.csv"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(root, "node_modules/webgpu"), join(folder, "node_modules/webgpu"));
  const [commands] = blocks("sh");
  for (const [, command] of commands!.matchAll(/^npx dlm (.*)$/gm))
    expect((await dlm(command!.split(" "))).status, command).toBe(0);
}, 300_000);

test("programs", { timeout: 300_000 }, async () => {
  const programs = blocks("js").filter((text) => text.includes("trainer.mjs"));
  expect(programs).toHaveLength(4);
  const said: string[] = [];
  for (const [i, text] of programs.entries()) {
    put(`block${i}.mjs`, text);
    const { status, out, err } = await node([`block${i}.mjs`]);
    expect([text, status, err]).toEqual([text, 0, ""]);
    said.push(out);
  }
  expect(said[0]).toMatch(/^\[ 1, 10 \] \d\n$/);
  expect(said[1]).toMatch(/^\{ loss: 0?\.?\d+.*acc: 0\.\d+/s);
  expect(said[2]).toMatch(/^test 0\.\d+\ntest 0\.\d+\nfinished 0\.\d+\n10\n$/);
  expect(said[3]).toMatch(/^\{ kind: 'resumed', steps: \{ fit: 50 \}, changed: false \}\n50\n/);
});
test("the plain page", { timeout: 300_000 }, async () => {
  const [html] = blocks("html");
  put("plain.html", html!);
  const [browser, { address, close }] = await Promise.all([openBrowser(), serve(folder)]);
  const tab = await browser.newPage();
  await tab.goto(`${address}/plain.html`);
  await tab.waitForFunction(() => /^class \d$/.test(document.title), undefined, { timeout: 300_000 });
  await browser.close();
  close();
});
test("the compiler as a library", async () => {
  const text = blocks("js").find((block) => block.includes('from "dlm"'))!;
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<unknown>;
  const names = ["compile", "renderDiagnostics", "load", "device", "readFileSync", "console"];
  const run = new AsyncFunction(...names, text.replace(/^import .*$/gm, ""));
  const said: unknown[] = [];
  const read = (path: string, encoding?: "utf8"): unknown => readFileSync(join(folder, path), encoding);
  const { device } = await testDevice();
  const log = (value: unknown): void => void said.push(value);
  await run(library.compile, library.renderDiagnostics, runtime.load, device, read, { log });
  expect(said).toEqual([[1, 10]]);
});
