// The compiler in a page's worker: two programs in turns, and one while an import of the other is read, give the bytes that Node gives.
import { build } from "esbuild";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { loop, net } from "../graph/two.ts";
import { openBrowser } from "./chromium.ts";
import { serve } from "./server.ts";

const root = mkdtempSync(join(tmpdir(), "dlm-worker-"));
let browser: Browser;
let address: string;
let close: () => void;

const worker = `import { compile } from "./compiler/index.ts";
const bytes = (text, options) => JSON.stringify(compile(text, options).plan);
onmessage = ({ data: { net, loop, importing } }) => {
  const inner = [];
  const imports = () => (inner.push(bytes(loop)), "fn own(x) = tanh(x)\\n");
  postMessage([bytes(net), bytes(loop), bytes(net), bytes(importing, { imports }), ...inner]);
};`;

beforeAll(async () => {
  await build({
    stdin: { contents: worker, resolveDir: join(import.meta.dirname, "../.."), loader: "ts" },
    bundle: true,
    platform: "browser",
    format: "esm",
    outfile: join(root, "worker.mjs"),
    external: ["node:*"],
    logLevel: "error",
  });
  writeFileSync(join(root, "index.html"), "<!doctype html><title>worker</title>");
  [browser, { address, close }] = await Promise.all([openBrowser(), serve(root)]);
}, 300_000);
afterAll(async () => {
  await browser?.close();
  close?.();
  rmSync(root, { recursive: true, force: true });
});

test("the same bytes as in Node", async () => {
  const importing = `import "parts.dlm"\n${net.replace("act: tanh", "act: own")}`;
  const page = await browser.newPage();
  await page.goto(`${address}/index.html`);
  const plans = await page.evaluate(
    (texts) =>
      new Promise<unknown>((resolve, reject) => {
        const made = new Worker("worker.mjs", { type: "module" });
        made.onmessage = ({ data }) => resolve(data);
        made.onerror = (event) => reject(new Error(event.message));
        made.postMessage(texts);
      }),
    { net, loop, importing },
  );
  const bytes = (text: string): string =>
    JSON.stringify(compile(text, { imports: () => "fn own(x) = tanh(x)\n" }).plan);
  expect(plans).toEqual([net, loop, net, importing, loop].map(bytes));
});
