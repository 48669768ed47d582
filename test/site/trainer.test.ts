// trainer.mjs in the sites of others: built by Vite without a plugin and by esbuild without options, as a plain module, in a worker, and rendered on a server. It
// uses a model without its data, trains one, and goes on when the device is lost, when the page is put away, and when it was asleep.
import { build } from "esbuild";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { Plugin } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeArtifacts } from "../../compiler/cli/artifacts.ts";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import dlm from "../../compiler/cli/vite.ts";
import { load } from "../../runtime/index.ts";
import { openBrowser } from "../browser/chromium.ts";
import { serve } from "../browser/server.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";
import { project, textBelow } from "./packed.ts";

const root = mkdtempSync(join(tmpdir(), "dlm-trainer-site-"));
const model = `data d { field x: f32[2] = csv("data/rows.csv", columns: 0..2) }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(4, act: tanh) |> Linear(1)
train fit on d(batch: 4, seed: 1) { minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  steps: 2000000000 }
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)`;
const rows = "1,2\n3,4\n0,1\n2,0\n";
const x = [
  [1, 2],
  [-1, 0.5],
];
let browser: Browser;
let server: Awaited<ReturnType<typeof serve>>;
let expected: readonly number[];
const put = (name: string, text: string | Uint8Array): void => {
  mkdirSync(join(root, name, ".."), { recursive: true });
  writeFileSync(join(root, name), text);
};
beforeAll(async () => {
  const { plan } = made(model);
  const parts = await trainerParts();
  const { device } = await testDevice();
  const read = async (): Promise<Uint8Array> => new TextEncoder().encode(rows);
  const trained = await load(plan, { device, read });
  await trained.train("fit", { steps: 50 });
  const weights = await trained.checkpoint({ weights: true });
  expected = [...(await trained.run("predict", { x }))["predict"]!.data];
  await trained.close();
  put("model/net.dlm", model);
  put("model/net.safetensors", weights);
  put("model/data/rows.csv", rows);
  put("out/data/rows.csv", rows);
  await writeArtifacts([plan], { folder: join(root, "out"), data: join(root, "model"), parts, weights });
  put("host/index.html", "<!doctype html><title>host</title>");
  mkdirSync(join(root, "node_modules"));
  for (const name of ["vite", "webgpu"])
    symlinkSync(join(project, "node_modules", name), join(root, "node_modules", name));
  [browser, server] = await Promise.all([openBrowser(), serve(root)]);
}, 300_000);
afterAll(async () => {
  await browser?.close();
  server?.close();
  rmSync(root, { recursive: true, force: true });
});
async function open(path: string, before?: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  if (before !== undefined) await page.addInitScript(before);
  await page.goto(`${server.address}/${path}`);
  return page;
}
const figures = (values: readonly number[]): readonly string[] => values.map((v) => v.toFixed(4));
const using = (from: string): string => `
import { load, predict } from ${JSON.stringify(from)};
const model = await load();
const y = await predict(model, { x: ${JSON.stringify(x)} });
globalThis.done = { y: [...y.data], data: model.data, modules: model.cost.modules };`;
interface Used {
  readonly y: readonly number[];
  readonly data: object;
  readonly modules: number;
}
const used = async (page: Page): Promise<void> => {
  await page.waitForFunction(() => "done" in globalThis, undefined, { timeout: 300_000 });
  const { y, data, modules } = await page.evaluate<Used>("globalThis.done");
  expect(figures(y)).toEqual(figures(expected));
  expect([data, modules <= 2]).toEqual([{}, true]);
};

test("a plain module uses a model, and asks for nothing but its weights", async () => {
  put("host/plain.html", `<!doctype html><script type="module">${using("../out/trainer.mjs")}</script>`);
  (server.asked as string[]).length = 0;
  const page = await open("host/plain.html");
  await used(page);
  expect(server.asked.filter((path) => !/favicon/.test(path))).toEqual([
    "/host/plain.html",
    "/out/trainer.mjs",
    "/out/weights.safetensors",
  ]);
});
test("a worker uses it", async () => {
  put("host/worker.mjs", `${using("../out/trainer.mjs")}\npostMessage(globalThis.done);`);
  const page = await open("host/index.html");
  await page.evaluate(
    `const worker = new Worker("worker.mjs", { type: "module" }); worker.onmessage = ({ data }) => (globalThis.done = data);`,
  );
  await used(page);
});
test("esbuild bundles it for browsers without a word; a classic script has its files beside the page", async () => {
  put("bundled/main.mjs", using("../out/trainer.mjs").replace("const model", "globalThis.begun = true;\nconst model"));
  const { warnings, metafile } = await build({
    entryPoints: [join(root, "bundled/main.mjs")],
    bundle: true,
    format: "esm",
    minify: true,
    outfile: join(root, "bundled/bundle.mjs"),
    metafile: true,
    logLevel: "silent",
  });
  expect(warnings).toEqual([]);
  expect(Object.values(metafile.outputs).flatMap((output) => output.imports)).toEqual([]);
  cpSync(join(root, "out/weights.safetensors"), join(root, "bundled/weights.safetensors"));
  put("bundled/index.html", `<!doctype html><script type="module" src="bundle.mjs"></script>`);
  await used(await open("bundled/index.html"));
  put(
    "classic/main.mjs",
    `import { load, predict } from "../out/trainer.mjs";\n(async () => {${using("").replace(/^.*import.*$/m, "")}})();`,
  );
  await build({
    entryPoints: [join(root, "classic/main.mjs")],
    bundle: true,
    format: "iife",
    outfile: join(root, "classic/main.js"),
    logLevel: "silent",
  });
  cpSync(join(root, "out/weights.safetensors"), join(root, "classic/weights.safetensors"));
  put("classic/index.html", `<!doctype html><script src="main.js"></script>`);
  await used(await open("classic/index.html"));
});

const vite = async (folder: string, plugins: readonly Plugin[], ssr?: string): Promise<readonly string[]> => {
  const { build: buildSite } = await import("vite");
  const told: string[] = [];
  const say = (text: string): void => void told.push(text);
  await buildSite({
    root: join(root, folder),
    configFile: false,
    plugins: [...plugins],
    ...(ssr === undefined ? {} : { ssr: { external: ["webgpu"] } }),
    build: { outDir: "dist", target: "es2022", ...(ssr === undefined ? {} : { ssr }) },
    customLogger: {
      info: () => {},
      warn: say,
      warnOnce: say,
      error: say,
      clearScreen: () => {},
      hasErrorLogged: () => false,
      hasWarned: false,
    },
  });
  return told;
};
test("Vite without a plugin: weights and data beside the page", { timeout: 300_000 }, async () => {
  put("site/index.html", `<!doctype html><script type="module" src="./main.js"></script>`);
  put(
    "site/main.js",
    `${using("../out/trainer.mjs")}
const whole = await load({ weights: false });
globalThis.trained = { step: (await whole.train("fit", { steps: 20 })).step, rows: whole.data.d.rows };`,
  );
  put("site/public/data/rows.csv", rows);
  cpSync(join(root, "out/weights.safetensors"), join(root, "site/public/weights.safetensors"));
  expect(await vite("site", [])).toEqual([]);
  expect(textBelow(join(root, "site/dist"))).not.toContain(root);
  const own = await serve(join(root, "site/dist"));
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${own.address}/index.html`);
  await used(page);
  await page.waitForFunction(() => "trained" in globalThis, undefined, { timeout: 300_000 });
  expect(await page.evaluate("globalThis.trained")).toEqual({ step: 20, rows: 4 });
  own.close();
});
test("rendered on a server: the plugin's module in Node", { timeout: 300_000 }, async () => {
  put("server/package.json", '{ "type": "module" }');
  put("server/net.dlm", model);
  put("server/data/rows.csv", rows);
  cpSync(join(root, "model/net.safetensors"), join(root, "server/net.safetensors"));
  put(
    "server/main.js",
    `${using("./net.dlm")}
const { step } = await model.train("fit", { steps: 20 });
console.log(JSON.stringify({ ...globalThis.done, step, rows: model.data.d.rows }));
model.close();`,
  );
  expect(await vite("server", [dlm({ parts: await trainerParts() })], "main.js")).toEqual([]);
  expect(textBelow(join(root, "server/dist"))).not.toContain(root);
  const said = await new Promise<string>((resolve) =>
    execFile(
      process.execPath,
      ["dist/main.js"],
      { cwd: join(root, "server"), env: { ...process.env, DLM_DEVICE: "embedded" }, timeout: 300_000 },
      (error, out, err) => resolve(error ? err : out),
    ),
  );
  expect(JSON.parse(said)).toMatchObject({ y: expect.any(Array) as unknown, data: {}, step: 20, rows: 4 });
  expect(figures((JSON.parse(said) as Used).y)).toEqual(figures(expected));
});

// ---- what happens to pages

const training = `(async () => {
  const { load } = await import("${"/out/trainer.mjs"}");
  const events = [], steps = [];
  const model = await load({ keep: "run", onEvent: (event) => events.push(event) });
  const controller = new AbortController();
  Object.assign(globalThis, { model, events, steps, controller, begun: model.step("fit") });
  globalThis.training = model.train("fit", {
    signal: controller.signal,
    onProgress: (event) => event.kind === "progress" && steps.push(event.step),
  });
  globalThis.training.catch(() => {});
})()`;
const event = (page: Page, kind: string): Promise<unknown> =>
  page.waitForFunction(
    (k) => (globalThis as unknown as { events?: { kind: string }[] }).events?.some((e) => e.kind === k),
    kind,
    {
      timeout: 300_000,
    },
  );
const capture = `const ask = GPUAdapter.prototype.requestDevice;
globalThis.devices = [];
GPUAdapter.prototype.requestDevice = async function (...given) {
  const device = await ask.apply(this, given);
  devices.push(device);
  return device;
};`;
test("the device of a page is lost, twice, and another takes over", { timeout: 300_000 }, async () => {
  const page = await open("host/index.html", capture);
  await page.evaluate(training);
  for (const time of [1, 2]) {
    await event(page, "kept");
    await page.waitForFunction(`events.at(-1).kind === "kept"`, undefined, { timeout: 300_000 });
    await page.evaluate("devices.at(-1).destroy()");
    await page.waitForFunction(`events.filter((e) => e.kind === "resumed").length === ${time}`, undefined, {
      timeout: 300_000,
    });
    await page.waitForFunction("steps.at(-1) > events.findLast((e) => e.kind === 'resumed').steps.fit", undefined, {
      timeout: 300_000,
    });
  }
  const [kinds, count] = await page.evaluate<[string[], number]>(
    "controller.abort(), training.then((result) => [[...events.map((e) => e.kind), result.reason], devices.length])",
  );
  expect(kinds.filter((kind) => kind !== "kept")).toEqual(["lost", "resumed", "lost", "resumed", "paused"]);
  expect(count).toBe(3);
  expect(await page.evaluate("events.find((e) => e.kind === 'lost')")).toMatchObject({
    reason: "lost",
    resuming: true,
  });
  await page.context().close();
});
test(
  "a page that is put out of sight keeps what it has at once, and takes it up when it comes back",
  { timeout: 300_000 },
  async () => {
    const page = await open("host/index.html");
    await page.evaluate(training);
    await page.waitForFunction("steps.at(-1) > 100", undefined, { timeout: 300_000 });
    await page.waitForFunction("events.some((e) => e.kind === 'kept')", undefined, { timeout: 300_000 });
    const before = await page.evaluate<number>(`(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden" });
    const step = steps.at(-1);
    document.dispatchEvent(new Event("visibilitychange"));
    return step;
  })()`);
    await page.waitForFunction(`events.at(-1).kind === "kept" && events.at(-1).step >= ${before}`, undefined, {
      timeout: 3_000,
    });
    const kept = await page.evaluate<number>("events.at(-1).step");
    await page.reload();
    await page.evaluate(training);
    expect(await page.evaluate("begun")).toBeGreaterThanOrEqual(kept);
    expect(await page.evaluate("events[0].kind")).toBe("resumed");
    // nothing is kept any more after a reset
    await page.evaluate("controller.abort(), training.then(() => model.reset())");
    await page.reload();
    await page.evaluate(training);
    expect(await page.evaluate("begun")).toBe(0);
    await page.context().close();
  },
);
const events = (page: Page, besides: string): Promise<readonly string[]> =>
  page.evaluate(`events.map((e) => e.kind).filter((kind) => kind !== ${JSON.stringify(besides)})`);
test(
  "of two pages with one `keep` the second says so and keeps nothing, until it is alone",
  { timeout: 300_000 },
  async () => {
    const context = await browser.newContext();
    const opened = async (): Promise<Page> => {
      const page = await context.newPage();
      await page.goto(`${server.address}/host/index.html`);
      return page;
    };
    const looking = training.replace(
      /globalThis\.training = [^]*/,
      "globalThis.keeps = 0; model.keeping.then((is) => (keeps = is)); })()",
    );
    const [first, trains, looks] = [await opened(), await opened(), await opened()];
    await first.evaluate(training);
    await event(first, "kept");
    await trains.evaluate(training);
    await looks.evaluate(looking);
    await event(first, "kept");
    await trains.waitForFunction("steps.at(-1) > 200", undefined, { timeout: 300_000 });
    await trains.evaluate("controller.abort(), training.then(() => model.close())"); // without a word: it kept nothing
    expect(await events(trains, "")).toEqual(["elsewhere", "resumed"]);
    expect(await events(looks, "")).toEqual(["elsewhere", "resumed"]);
    expect(await looks.evaluate("keeps")).toBe(0);
    const step = await first.evaluate<number>(
      "controller.abort(), training.then((result) => (model.close(), result.step))",
    );
    // the one that only looked has what the first one kept, and keeps from now on
    await looks.waitForFunction("keeps === true && events.length === 3", undefined, { timeout: 10_000 });
    expect(await looks.evaluate("model.step('fit')")).toBe(step);
    expect(await looks.evaluate("model.train('fit', { stopAfter: 5 }).then(() => events.at(-1))")).toMatchObject({
      kind: "kept",
      step: step + 5,
    });
    // a page that is loaded anew finds the place free
    await looks.reload();
    await looks.evaluate(looking);
    expect(await events(looks, "")).toEqual(["resumed"]);
    expect(await looks.evaluate("model.close().then(() => model.keeping)")).toBe(true);
    await context.close();
  },
);
test("a changed text begins anew, or goes on where it fits and that is asked for", { timeout: 300_000 }, async () => {
  const parts = await trainerParts();
  const changed = { faster: model.replace("lr: 1e-2", "lr: 2e-2"), wider: model.replace("Linear(4", "Linear(5") };
  for (const [name, text] of Object.entries(changed))
    await writeArtifacts([made(text).plan], { folder: join(root, name), data: join(root, "model"), parts });
  const page = await open("host/index.html");
  const loaded = (from: string, options: string): Promise<readonly unknown[]> =>
    page.evaluate(`(async () => {
      const { load } = await import("/${from}/trainer.mjs");
      const events = [];
      const model = await load({ keep: "run", ...${options}, onEvent: (event) => events.push(event) });
      if ("${from}" === "out") await model.train("fit", { stopAfter: 30 });
      await model.close();
      return [model.step("fit"), ...events.filter((e) => e.kind !== "kept")];
    })()`);
  expect(await loaded("out", "{}")).toMatchObject([30]);
  expect(await loaded("faster", "{}")).toEqual([0]);
  expect(await loaded("faster", "{ fitting: true }")).toEqual([
    30,
    { kind: "resumed", steps: { fit: 30 }, changed: true },
  ]);
  expect(await loaded("wider", "{ fitting: true }")).toEqual([
    0,
    {
      kind: "not kept",
      message: expect.stringMatching(/^what was kept is passed over: .* is F32\[.*5.*\] in this model/) as unknown,
    },
  ]);
  expect((await loaded("out", "{}")).at(1)).toMatchObject({ kind: "resumed", changed: false });
  await page.context().close();
});
test.each([
  ["has none", "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })", /no IndexedDB/],
  ["may not open it", "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); }", /no$/],
  [
    "is another's",
    "IDBDatabase.prototype.transaction = () => { throw new DOMException('other', 'NotFoundError'); }",
    /other/,
  ],
  ["is full", "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }", /full/],
])(
  "where the database %s, the page trains on, and says that nothing is kept",
  { timeout: 300_000 },
  async (_, before, why) => {
    const page = await open("host/index.html", before);
    await page.evaluate(training);
    await event(page, "not kept");
    expect(await page.evaluate("events.find((e) => e.kind === 'not kept').message")).toMatch(why);
    await page.waitForFunction("steps.at(-1) > 50", undefined, { timeout: 300_000 });
    await page.evaluate("controller.abort(), training");
    await page.context().close();
  },
);
test("a page that stood still says for how long, and goes on", { timeout: 300_000 }, async () => {
  const page = await open("host/index.html");
  await page.evaluate(training);
  await page.waitForFunction("steps.at(-1) > 10", undefined, { timeout: 300_000 });
  await page.evaluate("{ const began = Date.now(); while (Date.now() - began < 11_000); }"); // no task of the page runs meanwhile
  await event(page, "slept");
  const { seconds } = await page.evaluate<{ seconds: number }>("events.find((e) => e.kind === 'slept')");
  expect(seconds).toBeGreaterThan(10);
  const now = await page.evaluate<number>("steps.at(-1)");
  await page.waitForFunction(`steps.at(-1) > ${now}`, undefined, { timeout: 300_000 });
  await page.context().close();
});
