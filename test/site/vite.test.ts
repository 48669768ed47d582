// A site of Vite 6 and of Vite 7, made with the packed package, in Chromium: a model is imported from its text, trains, is interrupted by a reload, goes on to the
// same bits and predicts; in development its errors are shown with their place and frame, and a change reloads it. TypeScript knows what it exports.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBrowser } from "../browser/chromium.ts";
import { serve } from "../browser/server.ts";
import { packed, project, textBelow, type Packed } from "./packed.ts";

const root = mkdtempSync(join(tmpdir(), "dlm-site-"));
const model = `import "parts.dlm"

data flowers {
  field x: f32[2] = csv("data/rows.csv", columns: 0..2)
  field y: i32 in 0..2 = csv("data/rows.csv", column: 2)
  holdout test = 0.25
}

model net(x: f32[B, 2]) -> f32[B, 2] = x |> Linear(width, act: tanh) |> Linear(2)

train fit on flowers(batch: 8, seed: 1) {
  minimize cross_entropy(net(x), y) by adam(lr: 1e-2)
  metric acc = accuracy(net(x), y)
  epochs: 800
}

export fn predict(x: f32[B, 2]) -> f32[B, 2] = softmax(net(x))
`;
const rows = Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(i) > 0 ? 1 : 0].join());
const main = `import { load, plan, predict } from "./model.dlm";
import type { TrainerEvent } from "./model.dlm";

const events: TrainerEvent[] = [];
const model = await load({ keep: true, onEvent: (event) => events.push(event) });
const begun = model.step("fit");
const trained = model.train("fit", { onProgress: (event) => { if (event.kind === "progress") document.title = String(event.step); } });
const x = [[0.5, 0.1], [-0.5, 0.3]];
const done = trained.then(async ({ step, measured }) => {
  const y = await predict(model, { x });
  const third: 2 = y.shape[1];
  return { begun, step, classes: third, acc: measured.test?.acc, y: [...y.data], events: events.map((event) => event.kind), name: plan.name };
});
Object.assign(globalThis, { done });
document.body.dataset["ready"] = "yes";
`;
const config = `import dlm from "dlm/vite";
export default { plugins: [dlm()], build: { target: "es2022" }, server: { host: "127.0.0.1" } };
`;
/** As a user of TypeScript has it. */
const tsconfig = {
  compilerOptions: {
    ...{ target: "es2022", module: "esnext", moduleResolution: "bundler", strict: true, noEmit: true, types: [] },
    ...{ lib: ["es2023", "dom"], allowArbitraryExtensions: true, skipLibCheck: false },
  },
  files: ["main.ts"],
};
interface Done {
  readonly begun: number;
  readonly step: number;
  readonly classes: number;
  readonly acc: number;
  readonly y: readonly number[];
  readonly events: readonly string[];
  readonly name: string;
}

let browser: Browser;
let dlm: Packed;
const running: ChildProcess[] = [];
beforeAll(async () => {
  [browser, dlm] = await Promise.all([openBrowser(), packed()]);
}, 400_000);
afterAll(async () => {
  for (const child of running) child.kill();
  await browser?.close();
  dlm?.remove();
  rmSync(root, { recursive: true, force: true });
});
const put = (site: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(site, name, ".."), { recursive: true });
    writeFileSync(join(site, name), text);
  }
};
function makeSite(name: string, vite: string, files: Readonly<Record<string, string>>): string {
  const site = join(root, name);
  mkdirSync(site);
  dlm.into(site, { vite });
  put(site, {
    "package.json": '{ "type": "module" }',
    "index.html": '<!doctype html><body><script type="module" src="/main.ts"></script>',
    ...files,
  });
  return site;
}
const environment = { ...process.env, NODE_ENV: undefined, VITEST: undefined, NO_COLOR: "1", FORCE_COLOR: undefined };
const vite = (site: string, args: readonly string[]): readonly string[] => [
  join(site, "node_modules/vite/bin/vite.js"),
  ...args,
];
interface Outcome {
  readonly status: number;
  readonly said: string;
}
const node = (site: string, args: readonly string[]): Promise<Outcome> =>
  new Promise((resolve) =>
    execFile(process.execPath, args, { cwd: site, env: environment, timeout: 200_000 }, (error, out, err) =>
      resolve({ status: error ? Number(error.code ?? -1) : 0, said: out + err }),
    ),
  );
async function develop(site: string): Promise<string> {
  const child = spawn(process.execPath, vite(site, []), { cwd: site, env: environment });
  running.push(child);
  let said = "";
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        const [, address] = /(http:\/\/127\.0\.0\.1:\d+)\//.exec(said) ?? [];
        if (address) resolve(address);
      });
    child.on("close", () => reject(new Error(said)));
  });
}
async function open(address: string): Promise<{ readonly page: Page; readonly errors: readonly string[] }> {
  const page = await (await browser.newContext()).newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on(
    "console",
    (said) => void (said.type() === "error" && !/favicon|404/.test(said.text()) && errors.push(said.text())),
  );
  await page.goto(address);
  return { page, errors };
}
const ready = (page: Page): Promise<unknown> =>
  page.waitForSelector("body[data-ready]", { state: "attached", timeout: 300_000 });
const done = (page: Page): Promise<Done> => page.evaluate("globalThis.done");

describe.each([
  ["6", "vite"],
  ["7", "vite7"],
])("Vite %s", (version, name) => {
  let site = "";
  const written = {
    "model.dlm": model,
    "parts.dlm": "const width = 6\n",
    "data/rows.csv": `${rows.join("\n")}\n`,
    "main.ts": main,
    "vite.config.mjs": config,
  };
  beforeAll(() => {
    site = makeSite(`site${version}`, name, { ...written, "tsconfig.json": JSON.stringify(tsconfig) });
    const found = JSON.parse(readFileSync(join(site, "node_modules/vite/package.json"), "utf8")) as { version: string };
    expect(found.version.split(".")[0]).toBe(version);
  });

  test("the built site trains, is reloaded, goes on to the same bits, and predicts", { timeout: 300_000 }, async () => {
    const { status, said } = await node(site, vite(site, ["build"]));
    expect([status, said]).toEqual([0, expect.not.stringMatching(/warn|externalized|dynamic import/i)]);
    const built = join(site, "dist");
    const scripts = textBelow(built);
    expect(scripts).not.toContain(root);
    expect(scripts).not.toContain(project);
    expect(scripts).not.toMatch(/(from|import\()\s*["'`]node:/);
    expect(scripts).not.toContain("getBuiltinModule");
    expect(readdirSync(join(built, "assets")).filter((file) => /^rows-.*\.csv$/.test(file))).toHaveLength(1);
    const server = await serve(built);
    const whole = await open(`${server.address}/index.html`);
    await ready(whole.page);
    const expected = await done(whole.page);
    expect(expected).toMatchObject({ begun: 0, step: 4800, classes: 2, name: "model.dlm" });
    expect(expected.acc).toBeGreaterThan(0.9);
    expect(whole.errors).toEqual([]);

    const { page, errors } = await open(`${server.address}/index.html`);
    await ready(page);
    await page.waitForFunction(() => Number(document.title) > 900, undefined, { timeout: 300_000 });
    await page.reload();
    await ready(page);
    const resumed = await done(page);
    expect(resumed.begun).toBeGreaterThan(0);
    expect(resumed.events[0]).toBe("resumed");
    expect(resumed).toMatchObject({ step: 4800, y: expected.y, acc: expected.acc });
    // it is trained when it is opened again
    await page.reload();
    await ready(page);
    expect(await done(page)).toMatchObject({ begun: 4800, y: expected.y });
    expect(errors).toEqual([]);
    server.close();
  });

  test("its types are beside it, and right", { timeout: 300_000 }, async () => {
    const tsc = join(project, "node_modules/typescript/bin/tsc");
    expect(await node(site, [tsc, "-p", "."])).toEqual({ status: 0, said: "" });
    put(site, { "main.ts": main.replace("predict(model, { x })", "predict(model, { y: x })") });
    expect((await node(site, [tsc, "-p", "."])).said).toContain("'y' does not exist in type 'PredictInputs'");
    put(site, { "main.ts": main });
  });

  test("in development errors are shown with their place, and a change is taken up", { timeout: 300_000 }, async () => {
    const { page } = await open(await develop(site));
    await ready(page);
    put(site, { "model.dlm": model.replace("softmax(net(x))", "softmax(nett(x))") });
    const overlay = page.locator("vite-error-overlay");
    await overlay.waitFor({ state: "attached", timeout: 300_000 });
    expect(await overlay.locator(".message-body").textContent()).toContain("DLM2001: there is no `nett` here");
    expect(await overlay.locator(".file").first().textContent()).toMatch(/\/model\.dlm:17:55/);
    expect(await overlay.locator(".frame").textContent()).toMatch(
      /17 \| export fn predict.*softmax\(nett\(x\)\)\n +\| +\^\^\^\^\n.*did you mean `net`/s,
    );
    put(site, { "model.dlm": model.replace("epochs: 800", "epochs: 2") });
    await overlay.waitFor({ state: "detached", timeout: 300_000 });
    await ready(page);
    expect(await done(page)).toMatchObject({ step: 12 });
    // a file that it imports
    put(site, { "parts.dlm": "const width = 7\nconst depth = ¿\n" });
    await overlay.waitFor({ state: "attached", timeout: 300_000 });
    expect(await overlay.locator(".file").first().textContent()).toMatch(/\/parts\.dlm:2:14/);
    put(site, { "parts.dlm": "const width = 7\n" });
    await overlay.waitFor({ state: "detached", timeout: 300_000 });
    await ready(page);
    expect(await done(page)).toMatchObject({ begun: 0, step: 12 }); // another model begins anew
    put(site, written);
  });
  test("what the site cannot be built from is told with its place", async () => {
    put(site, { "model.dlm": model.replace("Linear(2)", "Linear(2, actt: relu)") });
    const { status, said } = await node(site, vite(site, ["build"]));
    expect(status).toBe(1);
    expect(said).toMatch(/model\.dlm.*:9:/s);
    expect(said).toMatch(/9 \| model net.*\n +\| +\^+/);
    expect(existsSync(join(site, "model.d.dlm.ts"))).toBe(true); // of the last sound text
    put(site, written);
  });
});

test("the site of docs/web.md", { timeout: 300_000 }, async () => {
  const docs = readFileSync(join(project, "docs/web.md"), "utf8");
  const block = (name: string): string => new RegExp(`^\`\`\`\\w+\n// ${name}\n([^]*?)^\`\`\`$`, "m").exec(docs)![1]!;
  const site = makeSite("docs", "vite", {
    "vite.config.js": block("vite.config.js"),
    "main.ts": block("main.ts"),
    "digits.dlm": readFileSync(join(project, "examples/digits.dlm"), "utf8"),
    "data/digits.csv": readFileSync(join(project, "examples/data/digits.csv"), "utf8"),
    "tsconfig.json": JSON.stringify(tsconfig),
  });
  const { status, said } = await node(site, vite(site, ["build"]));
  expect([status, said]).toEqual([0, expect.not.stringMatching(/warn/i)]);
  expect(await node(site, [join(project, "node_modules/typescript/bin/tsc"), "-p", "."])).toEqual({
    status: 0,
    said: "",
  });
  const server = await serve(join(site, "dist"));
  const { page } = await open(`${server.address}/index.html`);
  await page.waitForFunction(() => /^class \d$/.test(document.body.textContent ?? ""), undefined, { timeout: 300_000 });
  server.close();
});
