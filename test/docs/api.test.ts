// docs/api.md: its program runs, and it names every value that is exported and every option, method, field and event of the public types.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as node from "../../compiler/cli/node.ts";
import * as library from "../../compiler/index.ts";
import * as runtime from "../../runtime/index.ts";
import { testDevice } from "../device.ts";

const root = join(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const page = read("docs/api.md");

test("its program", { timeout: 60_000 }, async () => {
  const [, text] = /^```js\n([^]*?)^```$/m.exec(page)!;
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<unknown>;
  const names = ["compile", "renderDiagnostics", "load", "openDevice", "console"];
  const run = new AsyncFunction(...names, text!.replace(/^import .*$/gm, ""));
  const { device, facts } = await testDevice();
  const said: unknown[][] = [];
  const open = async (): Promise<unknown> => ({ device, facts, close: () => undefined });
  const log = (...values: unknown[]): void => void said.push(values);
  await run(library.compile, library.renderDiagnostics, runtime.load, open, { log });
  expect(said.length).toBeGreaterThan(1);
  const [name, reason, value] = said.at(-1)!;
  expect([name, reason]).toEqual([facts.name, "finished"]);
  expect(value).toBeCloseTo(21, 2);
});

const named = new Set([...page.matchAll(/`[^`\n]+`/g)].flatMap(([words]) => words.match(/\w+/g) ?? []));
const missing = (names: readonly string[]): readonly string[] => names.filter((name) => !named.has(name));
test("every value that is exported", () => {
  expect(missing([library, runtime, node].flatMap((module) => Object.keys(module)))).toEqual([]);
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
