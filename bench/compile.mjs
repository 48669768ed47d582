// Compiles a workload's model in a process of its own, so that the time is that of a first compilation.
// Arguments: the bundled compiler, the model, the plan to write, the target, settings as JSON.   Output: JSON with the milliseconds.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

const [bundle, model, planFile, target, set] = process.argv.slice(2);
const { compile } = await import(bundle);
const text = readFileSync(model, "utf8");
const start = performance.now();
const { plan, diagnostics } = compile(text, { name: basename(model), target, set: JSON.parse(set ?? "{}") });
const ms = performance.now() - start;
if (plan && planFile !== "-") writeFileSync(planFile, JSON.stringify(plan));
console.log(JSON.stringify({ ms, error: plan ? undefined : diagnostics.map((d) => d.message).join("; ") }));
