// What `dlm compile` writes: the same bytes each time, all or nothing, and a trainer that needs nothing but the package `webgpu`.
import { execFile, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeArtifacts } from "../../compiler/cli/artifacts.ts";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import { UserError } from "../../compiler/cli/problem.ts";
import type { TrainerParts } from "../../compiler/cli/trainer.ts";
import { compile, compileFor } from "../../compiler/compile.ts";
import type { Plan } from "../../runtime/plan.ts";
import { stepOf } from "./program.ts";

const project = join(import.meta.dirname, "../..");
const root = mkdtempSync(join(tmpdir(), "dlm-artifacts-"));
let parts: TrainerParts;
const planOf = (text: string, name: string): Plan => {
  const { plan, diagnostics } = compile(text, { name });
  if (!plan) throw new Error(diagnostics.map((d) => d.message).join("\n"));
  return plan;
};
const example = (name: string): Plan => planOf(readFileSync(join(project, "examples", name), "utf8"), name);
/** Every file under a folder with its bytes. */
function tree(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [relative(folder, path), readFileSync(path, "latin1")]),
  );
}

beforeAll(async () => {
  parts = await trainerParts();
  mkdirSync(join(root, "models/data"), { recursive: true });
  cpSync(join(project, "examples/data/iris.csv"), join(root, "models/data/iris.csv"));
  mkdirSync(join(root, "elsewhere/node_modules"), { recursive: true });
  symlinkSync(join(project, "node_modules/webgpu"), join(root, "elsewhere/node_modules/webgpu"));
  await writeArtifacts([example("iris.dlm")], { folder: join(root, "iris"), data: join(root, "models"), parts });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("the runtime part of a trainer is small, and holds nothing of the compiler", () => {
  const bytes = (text: string): number => gzipSync(text, { level: 9 }).length;
  expect(bytes(parts.runtime)).toBeLessThan(39_200); // what a page evaluates
  expect(bytes(parts.runtime + parts.node)).toBeLessThan(48_300);
  expect(bytes(Object.values(parts.page).join("\n"))).toBeLessThan(35_200);
  for (const word of ["cross_entropy", "warmup_cosine", "DLM1", "DLM2", "chevrotain"])
    expect([parts.runtime, parts.node, ...Object.values(parts.page), parts.types].join("\n")).not.toContain(word);
});

test("the same model gives the same bytes; what is not ours in the folder stays, kernels of an earlier model do not", async () => {
  const folder = join(root, "again");
  await writeArtifacts([example("xor.dlm")], { folder, data: join(root, "models"), parts });
  const own = ["shaders/own.wgsl", "shaders/own.txt"];
  for (const name of own) writeFileSync(join(folder, name), "mine");
  writeFileSync(join(folder, "weights.safetensors"), "mine");
  const written = await writeArtifacts([example("iris.dlm")], { folder, data: join(root, "models"), parts });
  const { "weights.safetensors": mine, ...all } = tree(folder);
  expect([mine, ...own.map((name) => all[name])]).toEqual(["mine", "mine", "mine"]);
  const ours = Object.fromEntries(Object.entries(all).filter(([name]) => !own.includes(name)));
  expect(ours).toEqual(tree(join(root, "iris")));
  expect(written.map(({ path }) => path).sort()).toEqual(Object.keys(ours).sort());
  expect(written.every(({ path, bytes }) => Buffer.byteLength(ours[path]!, "latin1") === bytes)).toBe(true);
  expect(JSON.parse(ours["plan.json"]!)).toMatchObject({ name: "iris.dlm", trains: [{ name: "fit" }] });
  expect(
    (JSON.parse(ours["plan.json"]!) as Plan).modules.map((module) => `shaders/${module.name}.wgsl`).sort(),
  ).toEqual(Object.keys(ours).filter((path) => path.startsWith("shaders/")));
  expect(Object.values(ours).join("")).not.toContain(root);
});

describe("for several classes of devices", () => {
  const text = readFileSync(join(project, "examples/iris.dlm"), "utf8");
  const names = ["software", "integrated", "discrete"];
  const plansFor = (targets: readonly string[]): [Plan, ...Plan[]] => {
    const plans = compileFor(text, targets, { name: "iris.dlm" }).map(({ plan }) => plan!);
    return [plans[0]!, ...plans.slice(1)];
  };
  const write = (targets: readonly string[]): Promise<unknown> =>
    writeArtifacts(plansFor(targets), {
      folder: join(root, "classes"),
      data: join(root, "models"),
      index: () => "",
      parts,
    });

  test("each plan is what it is alone, and its kernels are in its folder or, where they are the same, in the first one's", async () => {
    await write(names);
    const all = tree(join(root, "classes"));
    const read = new Set<string>();
    for (const name of names) {
      const { plan } = compile(text, { name: "iris.dlm", target: name });
      const written = JSON.parse(all[name === "software" ? "plan.json" : `plan.${name}.json`]!) as Plan;
      expect({ ...written, modules: [] }).toEqual({ ...JSON.parse(JSON.stringify(plan)), modules: [] } as Plan);
      expect(written.modules.map((m) => m.name)).toEqual(plan!.modules.map((m) => m.name));
      for (const module of plan!.modules) {
        const own = `shaders/${name}/${module.name}.wgsl`;
        const place = own in all ? own : `shaders/${module.name}.wgsl`;
        expect(all[place]).toBe(Buffer.from(module.code!.trimEnd() + "\n").toString("latin1"));
        read.add(place);
      }
    }
    expect(Object.keys(all).filter((path) => path.endsWith(".wgsl") && !read.has(path))).toEqual([]);
    const again = join(root, "classes again");
    await writeArtifacts(plansFor(names), { folder: again, data: join(root, "models"), index: () => "", parts });
    expect(tree(again)).toEqual(all);
  });
  test("a trainer holds all of them, and trains by those that it is told, to the same figures", async () => {
    const trainer = join(root, "classes/trainer.mjs");
    const losses: number[] = [];
    for (const target of [[], ["--target", "integrated"], ["--target", "discrete"]]) {
      const { status, out, err } = await node([trainer, "--json", "--steps", "3", ...target]);
      expect([status, err]).toEqual([0, ""]);
      const events = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { kind: string; loss?: number });
      losses.push(events.find((event) => event.kind === "result")!.loss!);
    }
    expect(losses[1]).toBeCloseTo(losses[0]!, 4);
    expect(losses[2]).toBeCloseTo(losses[0]!, 4);
    expect(await node([trainer, "--target", "lavapipe"])).toMatchObject({
      status: 1,
      err: "iris.dlm was not compiled for lavapipe devices; it was for software, integrated, discrete\n",
    });
  });
  test("what is no longer compiled for is gone", async () => {
    await write(["discrete"]);
    const { plan } = compile(text, { name: "iris.dlm", target: "discrete" });
    const all = Object.keys(tree(join(root, "classes")));
    expect(readdirSync(join(root, "classes/shaders")).filter((name) => !name.includes("."))).toEqual([]);
    expect(all.filter((path) => /^plan|^shaders/.test(path)).sort()).toEqual(
      ["plan.json", "shaders/INDEX.md", ...plan!.modules.map(({ name }) => `shaders/${name}.wgsl`)].sort(),
    );
  });
});

test.each(["\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])(
  "nothing that a model's name holds is code, not after %j",
  async (end) => {
    const name = `a${end}globalThis.hijacked = true;${end}enable hijacked;*/ </title>.dlm`;
    const folder = join(root, "named");
    await writeArtifacts([planOf(readFileSync(join(project, "examples/xor.dlm"), "utf8"), name)], {
      ...{ folder, data: root, parts },
    });
    const trainer = (await import(`${join(folder, "trainer.mjs")}?${end.charCodeAt(0)}`)) as { readonly plan: Plan };
    expect(trainer.plan.name).toBe(name);
    expect("hijacked" in globalThis).toBe(false);
    expect((await node([join(folder, "trainer.mjs"), "--help"])).out).toMatch(/--steps N/); // it knows itself as a program
    const files = Object.entries(tree(folder)).filter(([path]) => /\.(wgsl|d\.ts)$/.test(path));
    expect(files.length).toBeGreaterThan(4);
    for (const [path] of files) {
      const lines = readFileSync(join(folder, path), "utf8").split(/[\n\v\f\r\x85\u2028\u2029]/);
      expect(lines.filter((line) => line.includes("hijacked") && !line.includes("//"))).toEqual([]);
    }
  },
);

test("a folder that cannot be written to is said in words, and nothing is left behind", async () => {
  writeFileSync(join(root, "file"), "mine");
  await expect(writeArtifacts([example("xor.dlm")], { folder: join(root, "file"), data: root, parts })).rejects.toThrow(
    UserError,
  );
  expect(readFileSync(join(root, "file"), "utf8")).toBe("mine");
  mkdirSync(join(root, "occupied/index.html"), { recursive: true });
  await expect(
    writeArtifacts([example("xor.dlm")], { folder: join(root, "occupied"), data: root, parts }),
  ).rejects.toThrow(/^cannot write to .*: .*index\.html is a folder$/);
  expect(readdirSync(join(root, "occupied"))).toEqual(["index.html"]);
  const broken: Plan = { ...example("xor.dlm"), modules: [{ name: "a\0b", code: "" }] };
  const before = tree(join(root, "iris"));
  await expect(writeArtifacts([broken], { folder: join(root, "iris"), data: root, parts })).rejects.toThrow();
  expect(tree(join(root, "iris"))).toEqual(before);
  expect(readdirSync(join(root, "iris")).filter((name) => name.startsWith("."))).toEqual([]);
});

// ---- the trainer as a program

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}
const node = (args: readonly string[], cwd = join(root, "elsewhere")): Promise<Outcome> =>
  new Promise((resolve) => {
    const environment = { ...process.env, VK_DRIVER_FILES: "/nonexistent", DLM_DEVICE: "" };
    execFile(process.execPath, args, { cwd, env: environment, timeout: 300_000 }, (error, out, err) =>
      resolve({ status: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err }),
    );
  });
const trainer = (...args: readonly string[]): Promise<Outcome> => node(["../iris/trainer.mjs", ...args]);
const events = (text: string): readonly Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("it trains from another folder, and says so line by line", async () => {
  const { status, out, err } = await trainer("--out", "w.safetensors");
  expect({ status, err }).toEqual({ status: 0, err: "" });
  expect(out).toMatch(/^iris\.dlm on SwiftShader.*\niris: 150 rows \(train 120, test 30\)\n/);
  expect(out).toMatch(/\nfit {2}step \d+ {2}test: loss 0\.\d+ {2}acc [01]\.\d+\n/);
  expect(out).toMatch(
    /\nfit: 240 of 240 steps, \d+\.\d s, \d+ steps\/s · test: loss 0\.\d+ {2}acc (0\.9|1\.0)\d+\nweights: w\.safetensors\n$/,
  );
  expect(existsSync(join(root, "elsewhere/w.safetensors"))).toBe(true);
});

test("one event a line with --json; interrupted and resumed gives the same bits", async () => {
  const whole = await trainer(
    "--json",
    "--epochs",
    "20",
    "--checkpoint",
    "whole.safetensors",
    "--out",
    "whole-weights.safetensors",
  );
  expect(whole.status).toBe(0);
  const lines = events(whole.out);
  expect(lines[0]).toMatchObject({ kind: "start", model: "iris.dlm", device: { class: "embedded" }, trains: ["fit"] });
  expect(lines.some((line) => line["kind"] === "progress")).toBe(true);
  expect(lines.find((line) => line["kind"] === "evaluation")).toMatchObject({
    train: "fit",
    split: "test",
    rows: 30,
    values: { table: { shape: [3, 3] } },
  });
  expect(lines.find((line) => line["kind"] === "result")).toMatchObject({
    train: "fit",
    reason: "finished",
    step: 80,
    measured: { test: { acc: expect.any(Number) as number } },
  });
  expect(lines.slice(-2).map((line) => line["path"])).toEqual(["whole-weights.safetensors", "whole.safetensors"]);

  const first = await trainer("--epochs", "20", "--stop-after", "33", "--checkpoint", "half.safetensors");
  expect(first.out).toContain("paused at step 33 of 80; go on with --resume half.safetensors");
  const second = await trainer("--resume", "half.safetensors", "--checkpoint", "resumed.safetensors");
  expect(second.status).toBe(0);
  const bytes = (name: string): Buffer => readFileSync(join(root, "elsewhere", name));
  expect(bytes("resumed.safetensors").equals(bytes("whole.safetensors"))).toBe(true);
  // a damaged one is passed over for the one before
  writeFileSync(join(root, "elsewhere/half.safetensors.1"), bytes("half.safetensors"));
  writeFileSync(join(root, "elsewhere/half.safetensors"), bytes("half.safetensors").subarray(0, 700));
  const third = await trainer("--resume", "half.safetensors", "--checkpoint", "third.safetensors");
  expect(third.status).toBe(0);
  expect(third.err).toMatch(
    /^half\.safetensors: .*may have been cut off; the one before it is taken\ngoing on from half\.safetensors\.1\n$/,
  );
  expect(bytes("third.safetensors").equals(bytes("whole.safetensors"))).toBe(true);
});

test("it keeps checkpoints as the model says, and as --every and --keep say, which win", async () => {
  const text = readFileSync(join(project, "examples/iris.dlm"), "utf8");
  const plan = planOf(text.replace("epochs: 60", "epochs: 5\n  checkpoint: every 2 epochs\n  keep: 2"), "iris.dlm");
  await writeArtifacts([plan], { folder: join(root, "keeps"), data: join(root, "models"), parts });
  const cwd = join(root, "elsewhere");
  const kept = (name: string): number[] =>
    readdirSync(cwd)
      .filter((file) => file.startsWith(name))
      .sort()
      .map((file) => stepOf(readFileSync(join(cwd, file))));
  const status = async (...args: readonly string[]): Promise<number> =>
    (await node(["../keeps/trainer.mjs", "--out", "kept-weights.safetensors", ...args])).status;
  expect(await status("--checkpoint", "model.safetensors")).toBe(0);
  expect(kept("model.safetensors")).toEqual([20, 16]);
  expect(await status("--checkpoint", "flags.safetensors", "--every", "6", "--keep", "3")).toBe(0);
  expect(kept("flags.safetensors")).toEqual([20, 18, 12]);
  expect(await status("--checkpoint", "off.safetensors", "--every", "off")).toBe(0);
  expect(kept("off.safetensors")).toEqual([20]);
  expect(await node(["../keeps/trainer.mjs", "--every", "often"])).toMatchObject({
    status: 2,
    err: "--every takes a time (5m, 30s, 2h), steps (1000), epochs (2epochs) or off, not often\n",
  });
});

test("Ctrl-C keeps a checkpoint, and says how to go on", async () => {
  const child = spawn(process.execPath, ["../iris/trainer.mjs", "--epochs", "100000"], {
    cwd: join(root, "elsewhere"),
    env: { ...process.env, VK_DRIVER_FILES: "/nonexistent", DLM_DEVICE: "" },
  });
  let out = "";
  const status = await new Promise((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      const before = out.includes("step ");
      out += chunk.toString();
      if (!before && out.includes("step ")) child.kill("SIGINT");
    });
    child.on("close", resolve);
  });
  expect(status).toBe(130);
  const [, step] = /\npaused at step (\d+) of 400000; go on with --resume checkpoint\.safetensors\n$/.exec(out) ?? [];
  const resumed = await trainer("--resume", "checkpoint.safetensors", "--stop-after", "1");
  expect(resumed.out).toContain(`paused at step ${Number(step) + 1} of 400000`);
});

test("what is wrong is said in words, with status 1, or 2 for the command line itself", async () => {
  const [option, file, none] = await Promise.all([
    trainer("--epoch", "3"),
    trainer("--resume", "nothing.safetensors"),
    node(["../iris/trainer.mjs"], join(root, "models")),
  ]);
  expect(option).toMatchObject({ status: 2, err: expect.stringContaining("--help lists the options") as string });
  expect(file).toMatchObject({ status: 1, err: expect.stringContaining("cannot read nothing.safetensors") as string });
  expect(none).toMatchObject({ status: 1, err: expect.stringContaining("npm install webgpu") as string });
  cpSync(join(root, "iris/trainer.mjs"), join(root, "elsewhere/deeper/trainer.mjs"), { recursive: true });
  const missing = await node(["deeper/trainer.mjs"]);
  expect(missing).toMatchObject({
    status: 1,
    err: expect.stringMatching(
      /^data\/iris\.csv was not found; looked for:\n.*--data FOLDER names the folder/s,
    ) as string,
  });
  expect((await node(["deeper/trainer.mjs", "--data", "../models", "--steps", "3"])).status).toBe(0);
  expect((await trainer("--help")).out).toContain("--resume FILE");
});

// ---- the trainer as a module

test("as a module it offers load, train and the exports", async () => {
  const program = `
    import { load, predict, plan, train } from ${JSON.stringify(join(root, "iris/trainer.mjs"))};
    const model = await load();
    const result = await model.train("fit", { epochs: 10 });
    const y = await predict(model, { x: [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]] });
    console.log(plan.name, result.reason, y.shape.join("x"), [0, 3].every((row) => Math.abs(y.data[row] + y.data[row + 1] + y.data[row + 2] - 1) < 1e-5));
    model.close();
    const both = await train({ epochs: 2 });
    console.log(Object.keys(both.results).join(), both.model.step("fit"));
    both.model.close();`;
  expect(await node(["--input-type=module", "-e", program])).toEqual({
    status: 0,
    err: "",
    out: "iris.dlm finished 2x3 true\nfit 8\n",
  });
});

test("its types tell right uses from wrong ones", { timeout: 300_000 }, async () => {
  const source = `data d { rows: 10
  field x: f32[2] = uniform[2] }
layer L()(x: f32[B, 2]) -> f32[B, 1] { param w: f32[2, 1] ~ uniform(0, 1)
  return x @ w }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> L()
train first on d(batch: 5) { minimize mean(net(x)^2) by sgd(lr: 0.1)
  metric size = mean(net(x))
  epochs: 1 }
export fn load(x: f32[B, 2]) -> f32[B, 1] = net(x)
export fn both(x: f32[B, 2], k: f32 = 2) -> (f32[B, 1], i32[B]) = (k * net(x), argmax(x, axis: -1))
export fn plain(m: bool[3]) -> f32[3] = where(m, 1.0, 0.0)`;
  await writeArtifacts([planOf(source, "types.dlm")], { folder: join(root, "types"), data: root, parts });
  const use = `import { load, train, both, plain, type TrainerModel } from "./trainer.mjs";
const model: TrainerModel = await load({ seed: 3, choose: "embedded" });
const result = await model.train("first", { steps: 3, onProgress: (event) => void event.kind });
const size: number = result.metrics.size;
const y = await both(model, { x: [[1, 2]] });
const ids: Int32Array = y[Object.keys(y)[1] as "both.2"]?.data ?? new Int32Array(); // the name is the plan's
const three: readonly [3] = (await plain(model, { m: [true, false, true] })).shape;
const loaded = (await model.run("load", { x: new Float32Array(4) })).load.data satisfies Float32Array;
const every = (await train()).results.first.step;
void [size, ids, three, loaded, every];
// @ts-expect-error: no such block
await model.train("second");
// @ts-expect-error: no such metric
void result.metrics.accuracy;
// @ts-expect-error: x is missing
await both(model, {});
// @ts-expect-error: rank 2 is wanted
await both(model, { x: [1, 2] });
`;
  const plan = JSON.parse(readFileSync(join(root, "types/plan.json"), "utf8")) as Plan;
  const second = plan.exports.find((x) => x.name === "both")!.outputs[1]!.name;
  writeFileSync(
    join(root, "types/use.mts"),
    use.replace(
      'y[Object.keys(y)[1] as "both.2"]?.data ?? new Int32Array(); // the name is the plan\'s',
      `y[${JSON.stringify(second)}].data;`,
    ),
  );
  const compiler = join(project, "node_modules/typescript/bin/tsc");
  expect(
    await node([
      compiler,
      "--noEmit",
      "--strict",
      "--target",
      "es2022",
      "--module",
      "nodenext",
      "--moduleResolution",
      "nodenext",
      "--types",
      "",
      join(root, "types/use.mts"),
    ]),
  ).toEqual({ status: 0, out: "", err: "" });
});
