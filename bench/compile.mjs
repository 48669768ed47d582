// Compiles a workload's model in a process of its own, so that the time is that of a first compilation.
// Arguments: the bundled compiler, the model, the plan to write, the target, settings as JSON.   Output: JSON with the milliseconds.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { setFlagsFromString } from "node:v8";
import { optimiserFlag } from "../dist/compiler/cli/optimiser.js";

const [bundle, model, planFile, target, set] = process.argv.slice(2);
const flag = optimiserFlag(process.versions.v8);
if (flag !== undefined) setFlagsFromString(flag); // as the command line does
const { compile } = await import(bundle);
const text = readFileSync(model, "utf8");
const start = performance.now();
let result;
try {
  const { plan, diagnostics } = compile(text, { name: basename(model), target, set: JSON.parse(set ?? "{}") });
  result = { ms: performance.now() - start, ...(plan ? {} : { error: diagnostics.map((d) => d.message).join("; ") }) };
  if (plan && planFile !== "-") writeFileSync(planFile, JSON.stringify(plan));
} catch (error) {
  result = { error: String(error) }; // a fault of the compiler: the other workloads are measured all the same
}
console.log(JSON.stringify(result));
