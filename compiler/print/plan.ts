// The plan as text and as data: what runs when, in which memory, and the kernels' code. In: Plan, programs. Out: parts.
import { sizeOf, type Command, type Plan, type PlanTensor, type Size } from "../../runtime/plan.ts";
import type { Compiled } from "../plan/unit.ts";
import type { Part } from "./part.ts";
import { byteText, counted, dispatchesPerStep, sizeText, workgroupsText } from "./text.ts";

export const planParts = (plan: Plan): readonly Part[] => [
  {
    name: "plan",
    text: () => planText(plan),
    json: () => ({ ...plan, modules: plan.modules.map(({ name }) => ({ name })) }),
  },
];
export const wgslParts = (plan: Plan): readonly Part[] =>
  plan.modules.map((m) => ({ name: m.name, text: () => m.code ?? "", json: () => m.code ?? "" }));
export const memoryParts = (programs: readonly Compiled[], plan: Plan): readonly Part[] =>
  programs.map((p) => ({ name: p.name, text: () => memoryText(p, plan), json: () => p.memory }));

function planText(plan: Plan): string {
  const lines = [`${plan.name} for ${plan.target} devices, compiled by ${plan.compiler}, plan version ${plan.version}`];
  const needs = [
    ...plan.requires.features,
    ...Object.entries(plan.requires.limits).map(([name, n]) => `${name} ${n.toLocaleString("en")}`),
    ...(plan.requires.subgroupSize === undefined ? [] : [`subgroups of ${plan.requires.subgroupSize}`]),
  ];
  lines.push(`needs ${needs.join(", ")}`, "", `buffers (${plan.buffers.length})`);
  const bytes = (size: Size): string => (typeof size === "number" ? byteText(size) : sizeText(size));
  plan.buffers.forEach((b, i) =>
    lines.push(`  ${String(i).padStart(3)}  ${b.role.padEnd(8)}  ${bytes(b.bytes).padStart(16)}  ${b.label}`),
  );
  lines.push("", "states");
  const width = Math.max(0, ...plan.states.map((s) => s.name.length));
  const at = (t: { readonly buffer: number; readonly offset: number }): string =>
    `buffer ${t.buffer}${t.offset ? ` + ${t.offset}` : ""}`;
  const typed = (t: Pick<PlanTensor, "dtype" | "shape">): string =>
    `${t.dtype}${t.shape.length ? `[${t.shape.map(sizeText).join(", ")}]` : ""}`;
  for (const s of plan.states)
    lines.push(`  ${s.name.padEnd(width)}  ${s.kind.padEnd(9)}  ${typed(s).padEnd(16)}  ${at(s)}`);
  const commands = (list: readonly Command[], indent: string): void => {
    for (const c of list) {
      if (c.kind === "loop") {
        lines.push(`${indent}${c.count} times${c.reverse ? ", downwards" : ""}`);
        commands(c.body, indent + "  ");
      } else if (c.kind === "copy")
        lines.push(
          c.from
            ? `${indent}copy ${bytes(c.bytes)} from ${at(c.from)} to ${at(c.to)}`
            : `${indent}clear ${bytes(c.bytes)} of ${at(c.to)}`,
        );
      else {
        const list = (access: string): string =>
          c.bindings
            .filter((b) => b.access === access)
            .map((b) => `${b.buffer}${b.offset ? `+${b.offset}` : ""}`)
            .join(" ");
        lines.push(
          `${indent}${plan.modules[c.module]!.name.padEnd(24)} ${workgroupsText(c.workgroups).padStart(10)}  reads ${list("read") || "-"}  writes ${list("read_write")}${c.lines?.length ? `   # ${c.lines.join(", ")}` : ""}`,
        );
      }
    }
  };
  const program = (title: string, p: Plan["exports"][number]["program"]): void => {
    lines.push("", `${title}: ${counted(dispatchesPerStep(p.commands), "dispatch", "dispatches")}`);
    commands(p.commands, "  ");
  };
  for (const { check } of plan.datasets)
    if (check) program(`${check.program.name}, ${check.chunk} rows at a time`, check.program);
  for (const t of plan.trains) {
    program(t.init.name, t.init);
    program(`${t.step.name}, up to ${t.window} steps a submit`, t.step);
    if (t.evaluate) {
      program(`${t.evaluate.rows.name}, ${t.evaluate.chunk} rows at a time`, t.evaluate.rows);
      program(t.evaluate.finish.name, t.evaluate.finish);
    }
  }
  for (const x of plan.exports) program(x.name, x.program);
  return lines.join("\n");
}

function memoryText(p: Compiled, plan: Plan): string {
  if (!p.memory.length) return "no tensor but inputs, outputs and states";
  const steps = Math.max(...p.memory.map((m) => m.last)) + 1;
  const columns = Math.min(steps, 72);
  const column = (step: number): number => Math.floor((step * columns) / steps);
  const bytes = (m: Compiled["memory"][number]): string =>
    typeof m.bytes === "number" ? byteText(m.bytes) : sizeText(m.bytes);
  const [a, b] = [
    Math.max(...p.memory.map((m) => m.label.length), 6),
    Math.max(...p.memory.map((m) => bytes(m).length)),
  ];
  const rows = p.memory.map(
    (m) =>
      `${m.label.padEnd(a)}  ${bytes(m).padStart(b)}  ${"·".repeat(column(m.first))}${"█".repeat(column(m.last) - column(m.first) + 1)}${"·".repeat(columns - 1 - column(m.last))}  ${plan.buffers[m.buffer]!.label}`,
  );
  const known = (m: { readonly bytes: Size }): number => sizeOf(m.bytes);
  const used = new Map<number, number>(); // what this program takes of each buffer
  for (const m of p.memory) used.set(m.buffer, Math.max(used.get(m.buffer) ?? 0, known(m)));
  const [shared, apart] = [
    [...used.values()].reduce((n, size) => n + size, 0),
    p.memory.reduce((n, m) => n + known(m), 0),
  ];
  return [
    `${counted(p.memory.length, "tensor")} in ${counted(used.size, "buffer")}: ${byteText(shared)} instead of ${byteText(apart)}${p.memory.some((m) => typeof m.bytes !== "number") ? " (run-time sizes taken as 1)" : ""}`,
    `${"".padEnd(a)}  ${"".padStart(b)}  ${steps === columns ? "kernel by kernel" : `${steps} kernels`} →`,
    ...rows,
  ].join("\n");
}
