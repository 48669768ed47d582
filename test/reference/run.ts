// `npm run golden -- [DIR] [NAME]`: every reference case under DIR on the evaluator and on a device. A line for each family, what failed, what the
// translation refuses and why, and the total; NAME chooses cases.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { embeddedDriver } from "../../compiler/cli/embedded.ts";
import { openDevice } from "../../runtime/node.ts";
import type { ReferenceCase } from "./case.ts";
import { runOnEvaluator } from "./evaluator.ts";
import { runOnDevice } from "./on-device.ts";

const options = process.argv.slice(2).filter((x) => x.startsWith("--"));
const [folder = "test/golden", only] = process.argv.slice(2).filter((x) => !x.startsWith("--"));
const files = (path: string): string[] =>
  readdirSync(path)
    .sort()
    .flatMap((name) =>
      statSync(join(path, name)).isDirectory()
        ? files(join(path, name))
        : name.endsWith(".json")
          ? [join(path, name)]
          : [],
    );
let all: string[];
try {
  all = files(folder);
} catch {
  process.stderr.write(`golden: there is no folder ${folder}\n`);
  process.exit(1);
}
const { device, facts, close } = await openDevice(process.env["DLM_DEVICE"], embeddedDriver);
process.stdout.write(`${facts.name}\n`);
const count = { passed: 0, failed: 0, skipped: 0 };
const families = new Map<string, { passed: number; failed: number; skipped: number }>();
const refused = new Map<string, string[]>();
for (const file of all) {
  const c = JSON.parse(readFileSync(file, "utf8")) as ReferenceCase;
  if (only && !c.name.includes(only) && c.family !== only) continue;
  const onEvaluator = runOnEvaluator(c);
  const outcome =
    onEvaluator.kind === "passed" && !options.includes("--evaluator") ? await runOnDevice(c, device) : onEvaluator;
  count[outcome.kind] += 1;
  const family = families.get(c.family) ?? { passed: 0, failed: 0, skipped: 0 };
  family[outcome.kind] += 1;
  families.set(c.family, family);
  if (outcome.kind === "skipped") {
    const reason = `${c.family}/${c.kind}: ${outcome.reason}`;
    refused.set(reason, [...(refused.get(reason) ?? []), c.name]);
  }
  if (outcome.kind === "failed")
    process.stdout.write(
      `FAILED ${c.name} (${onEvaluator.kind === "passed" ? "device" : "evaluator"}): ${outcome.reason}\n`,
    );
}
for (const [name, f] of families)
  process.stdout.write(
    `${name.padEnd(14)} ${String(f.passed).padStart(4)} passed ${String(f.failed).padStart(4)} failed ${String(f.skipped).padStart(4)} skipped\n`,
  );
for (const [reason, names] of refused)
  process.stdout.write(`skipped ${reason} (${names.join(", ")})
`);
process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
close();
process.exit(count.failed ? 1 : 0);
