// The plan as text and as data: what runs when, in which memory, and the kernels' code. In: Plan, programs. Out: parts.
import {
  sizeOf,
  type Command,
  type Dispatch,
  type Plan,
  type PlanProgram,
  type PlanTensor,
  type Size,
} from "../../runtime/plan.ts";
import type { Compiled } from "../plan/unit.ts";
import type { Part } from "./part.ts";
import { byteText, counted, dispatchesPerStep, sizeText, tradeText, workgroupsText } from "./text.ts";

export const planParts = (plan: Plan): readonly Part[] => [
  {
    name: "plan",
    text: () => planText(plan),
    json: () => ({ ...plan, modules: plan.modules.map(({ code: _, ...m }) => m) }),
  },
];
export const wgslParts = (plan: Plan): readonly Part[] =>
  plan.modules.map((m) => ({ name: m.name, text: () => m.code ?? "", json: () => m.code ?? "" }));
export const memoryParts = (programs: readonly Compiled[], plan: Plan): readonly Part[] =>
  programs.map((p) => ({ name: p.name, text: () => memoryText(p, plan), json: () => p.memory }));

function planText(plan: Plan): string {
  return [
    `${plan.name} for ${plan.target} devices, compiled by ${plan.compiler}, plan version ${plan.version}`,
    `needs ${needsOf(plan).join(", ")}`,
    "",
    `buffers (${plan.buffers.length})`,
    ...plan.buffers.map(
      (b, i) => `  ${String(i).padStart(3)}  ${b.role.padEnd(8)}  ${bytesText(b.bytes).padStart(16)}  ${b.label}`,
    ),
    "",
    "states",
    ...stateLines(plan.states),
    ...titledPrograms(plan).flatMap(([title, { commands }]) => [
      "",
      `${title}: ${counted(dispatchesPerStep(commands), "dispatch", "dispatches")}`,
      ...commandLines(commands, plan, "  "),
    ]),
  ].join("\n");
}
const needsOf = ({ requires }: Plan): string[] => [
  ...requires.features,
  ...Object.entries(requires.limits).map(([name, n]) => `${name} ${n.toLocaleString("en")}`),
  ...(requires.subgroupSize === undefined ? [] : [`subgroups of ${requires.subgroupSize}`]),
];
const bytesText = (size: Size): string => (typeof size === "number" ? byteText(size) : sizeText(size));
const addressText = (at: { readonly buffer: number; readonly offset: number }): string =>
  `buffer ${at.buffer}${at.offset ? ` + ${at.offset}` : ""}`;
function stateLines(states: readonly PlanTensor[]): string[] {
  const width = Math.max(0, ...states.map((s) => s.name.length));
  const typed = ({ dtype, shape }: PlanTensor): string =>
    `${dtype}${shape.length ? `[${shape.map(sizeText).join(", ")}]` : ""}`;
  return states.map((s) => `  ${s.name.padEnd(width)}  ${s.kind.padEnd(9)}  ${typed(s).padEnd(16)}  ${addressText(s)}`);
}
const titledPrograms = (plan: Plan): (readonly [title: string, PlanProgram])[] => [
  ...plan.datasets.flatMap(({ check }) =>
    check ? [[`${check.program.name}, ${check.chunk} rows at a time`, check.program] as const] : [],
  ),
  ...plan.trains.flatMap(({ init, begin, step, window, evaluate }) => [
    [init.name, init] as const,
    ...(begin ? [[begin.name, begin] as const] : []),
    [`${step.name}, up to ${window} steps a submit`, step] as const,
    ...(evaluate
      ? ([
          [`${evaluate.rows.name}, ${evaluate.chunk} rows at a time`, evaluate.rows],
          [evaluate.finish.name, evaluate.finish],
        ] as const)
      : []),
  ]),
  ...plan.exports.map((x) => [x.name, x.program] as const),
];
const commandLines = (commands: readonly Command[], plan: Plan, indent: string): string[] =>
  commands.flatMap((c): string[] => {
    switch (c.kind) {
      case "loop":
        return [
          `${indent}${c.count} times${c.reverse ? ", downwards" : ""}`,
          ...commandLines(c.body, plan, `${indent}  `),
        ];
      case "copy":
        return [
          c.from
            ? `${indent}copy ${bytesText(c.bytes)} from ${addressText(c.from)} to ${addressText(c.to)}`
            : `${indent}clear ${bytesText(c.bytes)} of ${addressText(c.to)}`,
        ];
      default:
        return [`${indent}${dispatchText(c, plan)}`];
    }
  });
function dispatchText(d: Dispatch, plan: Plan): string {
  const bound = (access: string): string =>
    d.bindings
      .filter((b) => b.access === access)
      .map((b) => `${b.buffer}${b.offset ? `+${b.offset}` : ""}`)
      .join(" ");
  const name = plan.modules[d.module]!.name.padEnd(24);
  const lines = d.lines?.length ? `   # ${d.lines.join(", ")}` : "";
  return `${name} ${workgroupsText(d.workgroups).padStart(10)}  reads ${bound("read") || "-"}  writes ${bound("read_write")}${lines}`;
}

// ---- memory

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
    ...(p.trade && p.trade.bytes[1] < p.trade.bytes[0] ? [`for a budget of memory: ${tradeText(p.trade)}`] : []),
    `${"".padEnd(a)}  ${"".padStart(b)}  ${steps === columns ? "kernel by kernel" : `${steps} kernels`} →`,
    ...rows,
  ].join("\n");
}
