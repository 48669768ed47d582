// `npm run onnx -- [DIR] [NAME] [--show]`: every ONNX case under DIR (a folder with model.onnx and its data sets) on the evaluator and on a
// device. What failed, what is left out by reason, and the totals; NAME chooses cases, --show prints their text.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { embeddedDriver } from "../../compiler/cli/embedded.ts";
import { readModel, readTensor, Unsupported, type OnnxTensor } from "../../onnx/model.ts";
import { openDevice } from "../../runtime/node.ts";
import { prepare, runOnDevice, runOnEvaluator, type OnnxCase, type Outcome } from "./case.ts";

const options = process.argv.slice(2).filter((x) => x.startsWith("--"));
const [folder = "../shared/onnx", only] = process.argv.slice(2).filter((x) => !x.startsWith("--"));

const folders = (path: string): string[] =>
  existsSync(join(path, "model.onnx"))
    ? [path]
    : readdirSync(path, { withFileTypes: true })
        .filter((x) => x.isDirectory())
        .map((x) => x.name)
        .sort()
        .flatMap((name) => folders(join(path, name)));

/** The cases of a folder: one for every data set. */
function read(path: string): OnnxCase[] {
  const model = readModel(readFileSync(join(path, "model.onnx")));
  const initial = new Set(model.graph.initializers.map((t) => t.name));
  const inputs = model.graph.inputs.map((x) => x.name);
  const tensors = (set: string, kind: string, names: readonly string[]): Map<string, OnnxTensor> =>
    new Map(
      names.flatMap((name, i) => {
        const file = join(path, set, `${kind}_${i}.pb`);
        return existsSync(file) ? [[name, readTensor(readFileSync(file))] as const] : [];
      }),
    );
  const sets = readdirSync(path).filter((x) => x.startsWith("test_data_set"));
  return sets.map((set) => {
    // files are numbered as the inputs are, with or without those that have initialisers
    const all = tensors(set, "input", inputs);
    const free = inputs.filter((name) => !initial.has(name));
    return {
      model,
      inputs: all.size === inputs.length ? all : tensors(set, "input", free),
      outputs: tensors(
        set,
        "output",
        model.graph.outputs.map((x) => x.name),
      ),
    };
  });
}

async function outcome(path: string, device: GPUDevice): Promise<Outcome & { place?: string }> {
  let cases: OnnxCase[];
  try {
    cases = read(path);
  } catch (error) {
    if (error instanceof Unsupported) return { kind: "skipped", reason: error.message };
    throw error;
  }
  for (const test of cases) {
    const prepared = prepare(test);
    if ("kind" in prepared) return prepared;
    if (options.includes("--show")) process.stdout.write(`${prepared.translation.source}\n`);
    const evaluated = runOnEvaluator(prepared);
    if (evaluated.kind !== "passed") return { ...evaluated, place: "evaluator" };
    if (options.includes("--evaluator")) continue;
    const run = await runOnDevice(prepared, device);
    if (run.kind !== "passed") return { ...run, place: "device" };
  }
  return { kind: "passed" };
}

if (!existsSync(folder)) {
  process.stderr.write(`onnx: there is no folder ${folder}\n`);
  process.exit(1);
}
const { device, facts, close } = await openDevice(process.env["DLM_DEVICE"], embeddedDriver);
process.stdout.write(`${facts.name}\n`);
const count = { passed: 0, failed: 0, skipped: 0 };
const reasons = new Map<string, string[]>();
for (const path of folders(folder)) {
  const name = relative(folder, path) || path;
  if (only && !name.includes(only)) continue;
  const result = await outcome(path, device);
  count[result.kind] += 1;
  if (result.kind === "skipped") reasons.set(result.reason, [...(reasons.get(result.reason) ?? []), name]);
  if (result.kind === "failed")
    process.stdout.write(
      `FAILED ${name} (${result.place ?? "translation"}): ${result.reason}\n${result.source ?? ""}\n`,
    );
}
if (reasons.size) process.stdout.write("left out:\n");
for (const [reason, names] of reasons) process.stdout.write(`  ${reason} (${names.length}): ${names.join(", ")}\n`);
process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
close();
process.exit(count.failed ? 1 : 0);
