// docs/api.md: its program runs, and it names every value that is exported and every option, method, field and event of the public types.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as node from "../../compiler/cli/node.ts";
import * as library from "../../compiler/index.ts";
import * as runtime from "../../runtime/index.ts";
import * as tune from "../../runtime/tune.ts";
import { testDevice } from "../device.ts";

const root = join(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const page = read("docs/api.md");

test("its programs", { timeout: 120_000 }, async () => {
  const [text, tuning, ...more] = [...page.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code!);
  expect(more).toEqual([]);
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<unknown>;
  const program = (code: string, names: readonly string[]): ((...values: unknown[]) => Promise<unknown>) =>
    new AsyncFunction(...names, code.replace(/^import .*$/gm, ""));
  const run = program(text!, ["compile", "renderDiagnostics", "load", "openDevice", "console"]);
  const { device, facts } = await testDevice();
  const said: unknown[][] = [];
  const open = async (): Promise<unknown> => ({ device, facts, close: () => undefined });
  const log = (...values: unknown[]): void => void said.push(values);
  await run(library.compile, library.renderDiagnostics, runtime.load, open, { log });
  expect(said.length).toBeGreaterThan(1);
  const [name, reason, value] = said.at(-1)!;
  expect([name, reason]).toEqual([facts.name, "finished"]);
  expect(value).toBeCloseTo(21, 2);
  // the first time it measures, the next time it knows
  const files = new Map<string, string>();
  const readOne = async (path: string, as?: "utf8"): Promise<string | Buffer> =>
    files.get(path) ?? readFile(join(root, path), as);
  const runTuned = program(tuning!, ["readFile", "writeFile", "compile", "load", "openDevice", "tuner", "console"]);
  for (let n = 0; n < 2; n++) {
    said.length = 0;
    const write = async (path: string, content: string): Promise<void> => void files.set(path, content);
    await runTuned(readOne, write, library.compile, runtime.load, open, tune.tuner, { log });
    expect(said.length > 2).toBe(n === 0);
    for (const [, why] of said) expect(why).toMatch(/^(faster|best|noisy|late)$/);
  }
});

const named = new Set([...page.matchAll(/`[^`\n]+`/g)].flatMap(([words]) => words.match(/\w+/g) ?? []));
const missing = (names: readonly string[]): readonly string[] => names.filter((name) => !named.has(name));
test("every value that is exported", () => {
  expect(missing([library, runtime, node, tune].flatMap((module) => Object.keys(module)))).toEqual([]);
});
/** Fields and methods of an interface, not those of records within. */
function fieldsOf(file: string, type: string): readonly string[] {
  const [, body] = new RegExp(`^export interface ${type}\\b[^{]*\\{\n([^]*?)^\\}`, "m").exec(read(file))!;
  const found = [...body!.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, field]) => field!);
  expect([type, found.length]).not.toEqual([type, 0]);
  return found;
}
const [api, ahead] = ["runtime/api.ts", "compiler/elaborate/program.ts"];
test.each([
  [api, ["LoadOptions", "TrainOptions", "Snapshot", "TrainResult", "Model", "ConvertedEvent"]],
  [api, ["ProgressEvent", "EvaluationEvent", "MeasuringEvent", "SavedEvent"]],
  [api, ["TuneOptions", "TuneResult", "TunedKernel"]],
  [ahead, ["ElaborateOptions"]],
  ["compiler/front.ts", ["FrontOptions"]],
  ["compiler/pipeline.ts", ["PhaseOptions"]],
  ["compiler/compile.ts", ["CompileOptions", "CompileResult"]],
  ["compiler/gradcheck.ts", ["GradientCheckOptions"]],
  ["grammar/render.ts", ["RenderOptions"]],
  ["grammar/diagnostic.ts", ["Diagnostic"]],
  ["runtime/node.ts", ["OpenedDevice"]],
  ["runtime/device.ts", ["DeviceFacts"]],
])("every field of the types of %s: %s", (file, types) => {
  expect(types.map((type) => [type, missing(fieldsOf(file, type))])).toEqual(types.map((type) => [type, []]));
});
