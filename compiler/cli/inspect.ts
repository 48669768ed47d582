// dlm inspect: what a model is after each phase, for reading (text), for programs (--json) and for Graphviz (--dot).
import type * as ast from "../../grammar/ast.ts";
import {
  sizeOf,
  type Command,
  type Plan,
  type PlanTensor,
  type Size,
  type WorkgroupCount,
} from "../../runtime/plan.ts";
import type { CompileResult } from "../compile.ts";
import type { Program, TrainProgram } from "../elaborate/program.ts";
import { toDot, toJson } from "../graph/dump.ts";
import { nameNodes, printGraph, printNode, shapeText } from "../graph/print.ts";
import type { GraphProgram, Node } from "../graph/types.ts";
import type { Compiled } from "../plan/plan.ts";
import { kernelTexts, printKernels } from "../fuse/print.ts";
import { printSchedule } from "../schedule/schedule.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { portText, sizeText, typeText } from "./compile.ts";
import { openModel, planModel, type ModelFlags } from "./model.ts";
import { nearest, stages } from "./options.ts";
import { UserError } from "./problem.ts";
import { counted, dispatchesPerStep, parameterCount } from "./summary.ts";
import { byteText, openTerminal, styles } from "./terminal.ts";

export interface InspectFlags extends ModelFlags {
  readonly stage: string;
  readonly only?: string;
  readonly target?: string;
  readonly json?: boolean;
  readonly dot?: boolean;
}
/** One named thing of a stage. */
export interface Part {
  readonly name: string;
  readonly text: () => string;
  readonly json: () => unknown;
  readonly dot?: () => string;
}

export async function inspect(path: string, flags: InspectFlags): Promise<void> {
  const names = Object.keys(stages);
  if (!names.includes(flags.stage))
    throw new UserError(
      `there is no stage ${flags.stage}; there are ${names.join(", ")}${nearest(flags.stage, names)}`,
    );
  const compiled = await planModel(openModel(path), flags, flags.target);
  const parts = partsOf(flags.stage, compiled);
  const found = flags.only === undefined ? parts : chosen(parts, flags.only);
  if (!found.length)
    throw new UserError(
      `the stage ${flags.stage} of ${path} has no ${flags.only ?? "part"}; there ${parts.length === 1 ? "is" : "are"} ${parts.map((p) => p.name).join(", ")}${nearest(
        flags.only ?? "",
        parts.map((p) => p.name),
      )}`,
    );
  const terminal = openTerminal(flags.json === true);
  const { bold } = styles(terminal.color);
  if (flags.dot) {
    const graphs = found.flatMap((p) => (p.dot ? [p.dot()] : []));
    if (!graphs.length) throw new UserError(`--dot draws graphs: --stage forward, backward or simplified`);
    terminal.line(graphs.join("\n").trimEnd());
  } else if (flags.json)
    terminal.line(
      jsonText(
        found.length === 1 && parts.length === 1
          ? found[0]!.json()
          : Object.fromEntries(found.map((p) => [p.name, p.json()])),
        2,
      ),
    );
  else
    found.forEach((p, i) =>
      terminal.line(`${i ? "\n" : ""}${parts.length > 1 ? bold(`# ${p.name}`) + "\n" : ""}${p.text().trimEnd()}`),
    );
}
/** By name; else those whose name begins so, as all programs of a train block; else those that have it in their names. */
function chosen(parts: readonly Part[], only: string): readonly Part[] {
  const tests: ((name: string) => boolean)[] = [
    (name) => name === only,
    (name) => name.startsWith(`${only}.`),
    (name) => name.includes(only),
  ];
  for (const test of tests) {
    const found = parts.filter((p) => test(p.name));
    if (found.length) return found;
  }
  return [];
}

/** What a stage shows, by program, kernel or as one. */
export function partsOf(
  stage: string,
  { file, plan, programs, program }: CompileResult & { readonly plan: Plan },
): readonly Part[] {
  const graph = (p: GraphProgram): Part => ({
    name: p.name,
    text: () => printGraph(p),
    json: () => toJson(p),
    dot: () => toDot(p),
  });
  switch (stage) {
    case "ast":
      return [{ name: "ast", text: () => treeLines(file).join("\n"), json: () => plainTree(file) }];
    case "program":
      return [{ name: "program", text: () => programText(program!, plan), json: () => programJson(program!, plan) }];
    case "forward":
      return [...program!.trains.map((t) => graph(forwardOf(t))), ...program!.exports.map((x) => graph(x.program))];
    case "backward":
      return program!.trains.map((t) => ({ ...graph(backwardOf(t)), text: () => backwardText(t) }));
    case "simplified":
      return programs.map((p) => ({ ...graph(p.simplified), name: p.name }));
    case "fused":
      return programs.map((p) => ({
        name: p.name,
        text: () => printKernels(p.kernels),
        json: () => kernelTexts(p.kernels),
      }));
    case "schedule":
      return programs.map((p) => ({
        name: p.name,
        text: () => scheduleText(p, plan),
        json: () => scheduleFacts(p, plan),
      }));
    case "wgsl":
      return plan.modules.map((m) => ({ name: m.name, text: () => m.code ?? "", json: () => m.code ?? "" }));
    case "plan":
      return [
        {
          name: "plan",
          text: () => planText(plan),
          json: () => ({ ...plan, modules: plan.modules.map(({ name }) => ({ name })) }),
        },
      ];
    default:
      return programs.map((p) => ({ name: p.name, text: () => memoryText(p, plan), json: () => p.memory }));
  }
}

// ---- ast

/** A line for every node: its kind and what is short, then its children, indented. Spans are left out. */
function treeLines(node: unknown, label = "", depth = 0): string[] {
  if (Array.isArray(node)) return node.flatMap((x) => treeLines(x, label, depth));
  const indent = "  ".repeat(depth) + (label ? `${label}: ` : "");
  const short = shortText(node);
  if (short !== undefined) return [indent + short];
  const record = node as Readonly<Record<string, unknown>>;
  const fields = Object.entries(record).filter(
    ([key, value]) =>
      key !== "kind" &&
      key !== "source" &&
      !/span$/i.test(key) &&
      value !== undefined &&
      !(Array.isArray(value) && !value.length),
  );
  const inline = fields.flatMap(([key, value]) =>
    shortText(value) === undefined
      ? []
      : [/^(name|text|value|operator|callee|element)$/.test(key) ? shortText(value)! : `${key} = ${shortText(value)!}`],
  );
  const kind = typeof record["kind"] === "string" ? record["kind"] : "";
  return [
    (indent + [kind, ...inline].filter(Boolean).join(" ")).trimEnd(),
    ...fields.flatMap(([key, value]) => (shortText(value) === undefined ? treeLines(value, key, depth + 1) : [])),
  ];
}
/** Words and numbers, and nodes that are no more than that. */
function shortText(value: unknown): string | undefined {
  if (typeof value === "string") return /^[\w.]+$|^[^\w\s]{1,2}$/.test(value) ? value : JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  const { kind, span, ...rest } = value as Readonly<Record<string, unknown>>;
  void span;
  const fields = Object.values(rest);
  if (kind === "string") return JSON.stringify(rest["value"]);
  if (kind === undefined || kind === "name" || kind === "number" || kind === "bool" || kind === "dim") {
    if (kind === "number" || fields.length === 1)
      return typeof fields[0] === "object"
        ? kind === "dim"
          ? shortText(fields[0])
          : undefined
        : String(rest["text"] ?? fields[0]);
  }
  return undefined;
}
/** Spans as [start, end] of the file's text. */
function plainTree(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(plainTree);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      /span$/i.test(key)
        ? [(value as ast.Name["span"]).start, (value as ast.Name["span"]).end]
        : key === "source"
          ? (value as { name: string }).name
          : plainTree(value),
    ]),
  );
}

// ---- program

function programText(program: Program, plan: Plan): string {
  const lines: string[] = [];
  const typed = (x: Node): string => `${x.dtype}${x.shape.length ? shapeText(x.shape) : ""}`;
  const table = (rows: readonly (readonly [string, string, string])[]): void => {
    const [a, b] = [0, 1].map((c) => Math.max(...rows.map((r) => r[c]!.length)));
    for (const [x, y, z] of rows) lines.push(`  ${x.padEnd(a!)}  ${y.padEnd(b!)}  ${z}`.trimEnd());
  };
  for (const d of plan.datasets) {
    lines.push(`data ${d.name}`);
    table(
      program.datasets
        .find((x) => x.name === d.name)!
        .columns.map(
          (c) =>
            [
              c.name,
              `${c.storage}${c.shape.length ? `[${c.shape.join(", ")}]` : ""}${c.range ? ` in ${c.range[0]}..${c.range[1]}` : ""}`,
              loaderText(c.loader),
            ] as const,
        ),
    );
    for (const h of d.holdouts) lines.push(`  holdout ${h.name} = ${h.fraction ?? h.dataset}`);
  }
  const held = (title: string, list: Program["parameters"]): void => {
    if (!list.length) return;
    lines.push(title);
    table(list.map((h) => [h.path, typed(h.source), `~ ${initialText(h.initial)}`] as const));
  };
  held(`parameters (${parameterCount(plan).toLocaleString("en")} numbers)`, program.parameters);
  held(
    "states of layers and train blocks",
    program.states.filter((s) => s.kind === "state"),
  );
  held(
    "states of optimizers",
    program.states.filter((s) => s.kind === "optimizer"),
  );
  for (const t of program.trains) {
    lines.push(`train ${t.name}${t.dataset === undefined ? "" : ` on ${t.dataset}`}`);
    lines.push(
      `  ${[`batch ${t.batch}`, ...(t.accumulate > 1 ? [`accumulate ${t.accumulate}`] : []), t.epochs === undefined ? `${t.steps} steps` : `${t.epochs} epochs`, `seed ${t.seed}`, ...(t.shuffle ? [] : ["in order"])].join(", ")}`,
    );
    for (const o of t.objectives)
      lines.push(`  ${o.name} updates ${o.gradients.map((g) => g.parameter.path).join(", ")}`);
    lines.push(`  measures ${t.columns.join(", ")}`);
  }
  for (const x of plan.exports)
    lines.push(`export ${x.name}(${x.inputs.map(portText).join(", ")}) -> ${x.outputs.map(typeText).join(", ")}`);
  return lines.join("\n");
}
const loaderText = (l: Program["datasets"][number]["columns"][number]["loader"]): string => {
  const columns =
    l.kind === "csv"
      ? `from` in l.columns
        ? `, columns ${l.columns.from}..${l.columns.to}`
        : `, ${l.columns.length === 1 ? "column" : "columns"} ${l.columns.join(", ")}`
      : "";
  const declared =
    l.kind === "csv"
      ? (["header", "delimiter", "missing"] as const)
          .flatMap((own) => (l[own] === undefined ? [] : [`, ${own} ${JSON.stringify(l[own])}`]))
          .join("")
      : "";
  return l.kind === "inline"
    ? `${l.values.length} values`
    : `${l.kind}(${"path" in l ? JSON.stringify(l.path) : l.name}${columns}${declared}${l.kind === "chars" ? `, window ${l.window}` : l.kind === "tokens" || l.kind === "token_count" ? `, pad ${l.pad}` : ""})`;
};
/** The formula of an initial value. */
function initialText(initial: Node): string {
  const { names } = nameNodes({ name: "", inputs: [], dims: [], outputs: [{ name: "", node: initial }], updates: [] });
  return printNode(initial, names)[0]!.replace(/^.*? = /, "");
}
function programJson(program: Program, plan: Plan): unknown {
  const held = (list: Program["parameters"]): unknown =>
    list.map((h) => ({
      path: h.path,
      kind: h.kind,
      dtype: h.source.dtype,
      shape: h.source.shape,
      initial: initialText(h.initial),
    }));
  return {
    name: program.name,
    parameters: held(program.parameters),
    states: held(program.states),
    datasets: plan.datasets,
    trains: program.trains.map((t) => ({
      name: t.name,
      dataset: t.dataset,
      batch: t.batch,
      accumulate: t.accumulate,
      shuffle: t.shuffle,
      seed: t.seed,
      epochs: t.epochs,
      steps: t.steps,
      measures: t.columns,
      objectives: t.objectives.map((o) => ({ name: o.name, updates: o.gradients.map((g) => g.parameter.path) })),
    })),
    exports: plan.exports.map((x) => ({ name: x.name, inputs: x.inputs, outputs: x.outputs })),
  };
}

// ---- graphs

const forwardOf = (t: TrainProgram): GraphProgram => ({
  name: t.name,
  inputs: [],
  dims: [],
  outputs: t.objectives.map((o) => ({ name: o.name, node: o.loss })),
  updates: [],
});
const backwardOf = (t: TrainProgram): GraphProgram => ({
  name: t.name,
  inputs: [],
  dims: [],
  outputs: t.objectives.flatMap((o) => [
    { name: o.name, node: o.loss },
    ...o.gradients.map((g) => ({ name: `d_${g.parameter.path}`, node: g.gradient })),
  ]),
  updates: [],
});
/** Only what the forward graph does not have. */
function backwardText(t: TrainProgram): string {
  const forward = new Set(nameNodes(forwardOf(t)).order);
  const { order, names } = nameNodes(backwardOf(t));
  for (const x of forward) names.node(x); // named first, so that they have the names of that stage
  const lines = order
    .filter((x) => !forward.has(x))
    .flatMap((x) => printNode(x, names).map((line) => "  ".repeat(x.scans.size) + line));
  for (const o of t.objectives)
    for (const g of o.gradients) lines.push(`d ${o.name} / d ${g.parameter.path} = ${names.node(g.gradient)}`);
  return lines.join("\n");
}

// ---- kernels

interface ScheduledKernel {
  readonly kernel: string;
  readonly module: string;
  readonly schedule: string;
  readonly workgroups: string;
  readonly flops: string;
}
function scheduleFacts(p: Compiled, plan: Plan): readonly ScheduledKernel[] {
  return p.lowered.map(({ step, kernel, module }) => ({
    kernel: step.spec.name,
    module: plan.modules[module]!.name,
    schedule: printSchedule(kernel.schedule),
    workgroups: workgroupsText(kernel.workgroups),
    flops: numberOf(kernel.flops),
  }));
}
function scheduleText(p: Compiled, plan: Plan): string {
  const rows = scheduleFacts(p, plan);
  if (!rows.length)
    return "one launch of one workgroup does all kernels of --stage fused, with barriers between them, many steps over";
  const [a, b] = [Math.max(...rows.map((r) => r.module.length)), Math.max(...rows.map((r) => r.workgroups.length))];
  return rows
    .map((r, i) => `${String(i).padStart(3)}  ${r.module.padEnd(a)}  ${r.workgroups.padStart(b)}  ${r.schedule}`)
    .join("\n");
}
function workgroupsText([x, y]: readonly [WorkgroupCount, WorkgroupCount]): string {
  const one = (w: WorkgroupCount): string =>
    typeof w === "number"
      ? String(w)
      : w === "fold"
        ? ""
        : w.tiles.every(([size]) => typeof size === "number")
          ? String(w.tiles.reduce((n, [size, tile]) => n * Math.ceil((size as number) / tile), 1))
          : w.tiles.map(([size, tile]) => (tile === 1 ? sizeText(size) : `⌈${sizeText(size)} / ${tile}⌉`)).join(" · ");
  const parts = [one(x), one(y)].filter((text) => text && text !== "1");
  return `${parts.join(" × ") || "1"} wg`;
}
const numberOf = (size: Size): string => (typeof size === "number" ? size.toLocaleString("en") : sizeText(size));

// ---- plan

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
    `${"".padEnd(a)}  ${"".padStart(b)}  ${steps === columns ? "kernel by kernel" : `${steps} kernels`} →`,
    ...rows,
  ].join("\n");
}
