// The list of phases: where it stops, what its loops see, and what the verifier of a plan finds.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { targets } from "../compiler/kernel/target.ts";
import { phases } from "../compiler/pipeline.ts";
import { verifyPlan } from "../compiler/plan/verify.ts";
import type { Compiled } from "../compiler/plan/unit.ts";
import type { Command, Plan } from "../runtime/plan.ts";

const xor = readFileSync(join(import.meta.dirname, "../examples/xor.dlm"), "utf8");
const phasesOf = (text: string): string[] => {
  const seen: string[] = [];
  compile(text, { rows: { table: 4 }, watch: (name) => seen.push(name) });
  return seen;
};

test("nothing runs after an error", () => {
  expect(phasesOf(xor)).toEqual(phases.map((p) => p.name));
  expect(phasesOf("model net(x: f32[B, 2]) -> f32[B, 1] = x |> Lineer(1)\n")).not.toContain("simplify");
});
test("a phase that has not what it reads is a fault of the compiler", () => {
  const [, elaborate] = phases;
  expect(() => elaborate!.run({ text: "", options: {}, target: targets["software"]! })).toThrow(
    "pipeline: elaborate before file",
  );
});

const compiled = compile(xor, { name: "xor.dlm", target: "discrete", rows: { table: 4 } });
const plan = compiled.plan!;
const { programs } = compiled;
test("a sound plan passes", () => {
  expect(() => verifyPlan(plan, programs)).not.toThrow();
});
const broken = (change: (c: Command) => Command): Plan => ({
  ...plan,
  exports: plan.exports.map((x) => ({ ...x, program: { ...x.program, commands: x.program.commands.map(change) } })),
});
test.each<[string, (c: Command) => Command, RegExp]>([
  ["code that is not there", (c) => (c.kind === "dispatch" ? { ...c, module: 99 } : c), /has no module/],
  [
    "a binding beyond its buffer",
    (c) => (c.kind === "dispatch" ? { ...c, bindings: c.bindings.map((b) => ({ ...b, offset: 1 << 20 })) } : c),
    /binds \d+ bytes from 1048576 on/,
  ],
  [
    "a buffer for reading and for writing",
    (c) =>
      c.kind === "dispatch"
        ? { ...c, bindings: c.bindings.map((b) => ({ ...b, ...c.bindings.at(-1)!, access: b.access })) }
        : c,
    /for reading and for writing/,
  ],
])("%s", (_, change, message) => {
  expect(() => verifyPlan(broken(change), programs)).toThrow(message);
});
test("two tensors in one buffer at once", () => {
  const life = { label: "a", first: 0, last: 2, bytes: 4, buffer: 0 };
  const both: Compiled = { ...programs[0]!, memory: [life, { ...life, label: "b", first: 2, last: 3 }] };
  expect(() => verifyPlan(plan, [both])).toThrow("a and b in one buffer at once");
  expect(() => verifyPlan(plan, [{ ...both, memory: [life, { ...life, first: 3, last: 3 }] }])).not.toThrow();
});
