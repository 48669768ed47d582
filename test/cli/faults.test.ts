// A file system of which one operation fails, whichever it is, under each command as a process: words and a status that is not 0, or the work done as if
// nothing had been; nothing half-written under a final name; what was saved before is there, or what is newer. A few operations here; DLM_FAULTS=1 tries
// every one, DLM_FAULTS=3 every one in three ways.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { codes, half } from "../failing.ts";
import { program, type Outcome } from "./program.ts";
import { uninterrupted, type Uninterrupted } from "./uninterrupted.ts";

const { dlm, node, folder, failing } = program();
const ways = Number(process.env["DLM_FAULTS"] ?? 0);
const usual = 4; // operations of a command
const rows = "0.1,0.2\n0.3,-0.4\n0.5,0.6\n-0.7,0.8\n0.9,0.3\n";
const text = `data d { field x: f32[2] = csv("d.csv", columns: 0..2) }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: 2, seed: 1) {
  minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  steps: 12
}
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)
`;
const unformatted = text.replace("adam(lr: 1e-2)", "adam( lr:1e-2 )");
let whole: Uninterrupted;
let portable: Uninterrupted; // of a trainer, which is compiled for any device
beforeAll(async () => {
  whole = await uninterrupted("m.dlm", text, { "d.csv": rows });
  portable = await uninterrupted("m.dlm", text, { "d.csv": rows }, "software");
  mkdirSync(join(folder, "start/kept"), { recursive: true });
  for (const [name, content] of [
    ["m.dlm", text],
    ["d.csv", rows],
    ["ugly.dlm", unformatted],
  ] as const)
    writeFileSync(join(folder, "start", name), content);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(import.meta.dirname, "../../node_modules/webgpu"), join(folder, "node_modules/webgpu"));
  const inStart = { cwd: "start" };
  expect((await dlm(["train", "m.dlm", "--stop-after", "2", "--save", "kept/m"], inStart)).status).toBe(0);
  expect((await dlm(["compile", "m.dlm", "-o", "out"], inStart)).status).toBe(0);
}, 600_000);
afterAll(() => [whole, portable].forEach((run) => run.close()));

/** Every file with its bytes, but for temporary ones and records of runs (runs.test.ts), whose names are dates. */
function tree(name: string): Record<string, string> {
  const at = join(folder, name);
  const files = readdirSync(at, { recursive: true, encoding: "utf8" }).filter(
    (path) => !/(^|\/)\.[^/]*\.tmp($|\/)|^runs\//.test(path) && statSync(join(at, path)).isFile(),
  );
  return Object.fromEntries(files.sort().map((path) => [path, readFileSync(join(at, path), "latin1")]));
}
type Run = (more: { cwd: string; env?: Record<string, string> }) => Promise<Outcome>;
interface Command {
  readonly run: Run;
  /** What may hold other bytes than before and after. */
  readonly checkpoint?: string;
  readonly isTrainer?: true;
}
const commands: Readonly<Record<string, Command>> = {
  train: {
    run: (more) => dlm(["train", "m.dlm", "--checkpoint", "4", "--keep", "4", "--save", "kept/m"], more),
    checkpoint: "kept/m",
  },
  resume: {
    run: (more) =>
      dlm(["train", "m.dlm", "--resume", "kept/m", "--checkpoint", "4", "--save", "kept/m", "--out", "out"], more),
    checkpoint: "kept/m",
  },
  trainer: {
    run: (more) => node(["out/trainer.mjs", "--out", "kept/w", "--checkpoint", "kept/m"], more),
    checkpoint: "kept/m",
    isTrainer: true,
  },
  compile: { run: (more) => dlm(["compile", "m.dlm", "-o", "out", "--set", "batch=3"], more) },
  fmt: { run: (more) => dlm(["fmt", "ugly.dlm"], more) },
  eval: { run: (more) => dlm(["eval", "m.dlm", "--weights", "kept/m"], more) },
  run: {
    run: (more) =>
      dlm(["run", "m.dlm", "predict", "--weights", "kept/m", "--input", "x=d.csv", "--output", "kept/y.csv"], more),
  },
};
const environment = (more: Record<string, string>): Record<string, string> => ({
  NODE_OPTIONS: `--import=${failing}`,
  ...more,
});
interface Faults {
  readonly wrong: string[];
  readonly tried: number;
  /** Of those tried: how many operations the command came to. */
  readonly met: number;
}
async function faultsOf(name: string, command: Command): Promise<Faults> {
  const copy = (to: string): void => cpSync(join(folder, "start"), join(folder, to), { recursive: true });
  const [before, done, log] = [tree("start"), `${name}-done`, join(folder, `${name}.log`)];
  copy(done);
  const good = await command.run({ cwd: done, env: environment({ DLM_FAIL_LOG: log }) });
  if (good.status !== 0) return { wrong: [`without a fault: ${good.err}`], tried: 0, met: 0 };
  const after = tree(done);
  const operations = readFileSync(log, "utf8").trimEnd().split("\n");
  const every = Math.max(1, Math.floor(operations.length / usual));
  const cases = operations.flatMap((operation, at) => {
    const all = [codes[at % codes.length]!, half, ...codes.filter((_, i) => i !== at % codes.length)];
    return ways
      ? all.slice(0, ways).map((fault) => ({ operation, at, fault }))
      : at % every === every >> 1
        ? [{ operation, at, fault: all[0]! }]
        : [];
  });
  const wrong: string[] = [];
  let met = 0;
  const left = [...cases];
  const next = async (): Promise<void> => {
    for (let c = left.pop(); c; c = left.pop()) {
      const own = `${name}-${c.at}-${c.fault}`;
      copy(own);
      const ownLog = join(folder, `${own}.log`);
      const env = environment({ DLM_FAIL: `${c.fault} ${c.operation}`, DLM_FAIL_LOG: ownLog });
      const outcome = await command.run({ cwd: own, env });
      if (readFileSync(ownLog, "utf8").split("\n").includes(c.operation)) met++;
      for (const fault of await faultsAfter(command, outcome, tree(own), before, after))
        wrong.push(`operation ${c.at}, ${c.operation}, ${c.fault}: ${fault}`);
      rmSync(join(folder, own), { recursive: true });
    }
  };
  await Promise.all(Array.from({ length: ways ? 4 : 2 }, next));
  return { wrong, tried: cases.length, met };
}
async function faultsAfter(
  { checkpoint, isTrainer }: Command,
  { status, out, err }: Outcome,
  now: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): Promise<string[]> {
  const wrong: string[] = [];
  if (status !== 0 && status !== 1) wrong.push(`status ${status}: ${err || out}`);
  if (status !== 0 && !err.trim()) wrong.push("not a word");
  if (/\n\s+at |internal error|as the test wants/.test(err)) wrong.push(`no words: ${err}`);
  const isOfRun = (path: string): boolean => checkpoint !== undefined && path.replace(/\.\d+$/, "") === checkpoint;
  for (const path of Object.keys(before)) if (now[path] === undefined) wrong.push(`${path} is gone`);
  for (const [path, bytes] of Object.entries(now)) {
    if (bytes === before[path]) continue;
    if (isOfRun(path)) {
      const fault = await (isTrainer ? portable : whole).fault(Buffer.from(bytes, "latin1"));
      if (fault !== undefined) wrong.push(`${path}: ${fault}`);
    } else if (bytes !== after[path]) wrong.push(`${path} is neither the old nor the new one`);
  }
  if (status !== 0) return wrong;
  // a checkpoint in between that could not be written is told and not worth the run
  for (const [path, bytes] of Object.entries(after))
    if (now[path] !== bytes && !/\.\d+$/.test(path)) wrong.push(`status 0, and ${path} is not as it should be`);
  return wrong;
}
test.each(Object.entries(commands))("%s", { timeout: 3600_000 }, async (name, command) => {
  const { wrong, tried, met } = await faultsOf(name, command);
  expect(wrong).toEqual([]);
  expect(met).toBe(tried);
  expect(tried).toBeGreaterThanOrEqual(usual);
  if (ways) console.log(`${name}: ${tried} tried`);
});
