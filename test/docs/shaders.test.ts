// docs/shaders.md: its commands make the files that it shows, its page runs kernels in Chromium without dlm, its check tells a kernel that computes the
// same from one that does not.
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import * as library from "../../compiler/index.ts";
import * as runtime from "../../runtime/index.ts";
import { openBrowser } from "../browser/chromium.ts";
import { serve } from "../browser/server.ts";
import { program } from "../cli/program.ts";
import { testDevice } from "../device.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/shaders.md"), "utf8");
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "gm"))].map(([, text]) => text!);
const { dlm, folder, put } = program();
const file = (name: string): string => readFileSync(join(folder, name), "utf8");
const predictions = [0, 1, 1, 0];

beforeAll(async () => {
  put("xor.dlm", readFileSync(join(root, "examples/xor.dlm"), "utf8"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(root, "node_modules/webgpu"), join(folder, "node_modules/webgpu"));
  const [commands] = blocks("sh");
  for (const [, command] of commands!.matchAll(/^npx dlm (.*)$/gm))
    expect((await dlm(command!.split(" "))).status, command).toBe(0);
}, 120_000);

test("what it shows", () => {
  expect(file("xor/shaders/net_linear_forward_2.wgsl")).toBe(blocks("wgsl")[0]);
  const cells = (row: string): readonly string[] =>
    row.split("|").map((cell) => cell.replace(/\[(\w+)\]\(.*\)/, "$1").trim());
  const index = file("xor/shaders/INDEX.md").split("\n").map(cells);
  const rows = page
    .split("\n")
    .filter((line) => /^\| \d+ \|/.test(line))
    .map(cells);
  expect(rows).toHaveLength(2);
  for (const [, number, ...row] of rows)
    expect(index.some(([, n, kernel, , ...rest]) => [n, kernel, ...rest].join() === [number, ...row].join())).toBe(
      true,
    );
});
test("its page", { timeout: 120_000 }, async () => {
  put("own.html", blocks("html")[0]!);
  const [browser, { address, close }] = await Promise.all([openBrowser(), serve(folder)]);
  const tab = await browser.newPage();
  await tab.goto(`${address}/own.html`);
  await tab.waitForFunction(() => document.title, undefined, { timeout: 60_000 });
  const title = await tab.title();
  await browser.close();
  close();
  const { device } = await testDevice();
  const { plan } = library.compile(file("xor.dlm"));
  const model = await runtime.load(plan!, { device, weights: readFileSync(join(folder, "xor/weights.safetensors")) });
  const { predict } = await model.run("predict", { x: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1) });
  const said = title.split(" ").map(Number);
  expect(said.map(Math.round)).toEqual(predictions);
  said.forEach((v, i) => expect(v).toBeCloseTo(predict!.data[i]!, 5));
  await model.close();
});
test("its check", { timeout: 120_000 }, async () => {
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<unknown>;
  const names = ["compile", "load", "openDevice", "readFile", "console"];
  const run = new AsyncFunction(...names, blocks("js")[0]!.replace(/^import .*$/gm, ""));
  const { device } = await testDevice();
  const check = async (change: (kernel: string) => string): Promise<unknown> => {
    let said: unknown;
    const read = async (path: string, encoding?: "utf8"): Promise<unknown> => {
      const found = readFileSync(join(folder, path), encoding);
      return path.endsWith("predict_forward.wgsl") ? change(String(found)) : found;
    };
    const open = async (): Promise<unknown> => ({ device, close: () => undefined });
    await run(library.compile, runtime.load, open, read, { log: (text: unknown) => void (said = text) });
    return said;
  };
  expect(await check((kernel) => kernel)).toBe("the same");
  expect(await check((kernel) => kernel.replaceAll("dlm_tanh(y", "tanh(y"))).toBe("the same");
  expect(await check((kernel) => kernel.replaceAll("dlm_tanh(y", "sin(y"))).toBe("different");
  await expect(check((kernel) => kernel.replaceAll("dlm_tanh(y", "tan h(y"))).rejects.toThrow(/predict_forward/);
});
