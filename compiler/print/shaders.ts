// shaders/INDEX.md: the kernels of a model in the order of their dispatch, with what each is for, its shapes, bindings and cost.
// In: a plan, what the phases made of its programs. Out: Markdown.
import {
  type Command,
  type Copy,
  type Dispatch,
  type Launch,
  type Plan,
  type PlanProgram,
  programsOf,
  type Size,
} from "../../runtime/plan.ts";
import { shapeText } from "../graph/print.ts";
import type { Compiled } from "../plan/unit.ts";
import type { Launched } from "../plan/commands.ts";
import { byteText, counted, dispatchesPerStep, numberOf, sizeText, workgroupsText } from "./text.ts";

export function indexText(plan: Plan, programs: readonly Compiled[]): string {
  const sections = programs.flatMap((p) => {
    const program = programsOf(plan).find((x) => x.name === p.name);
    return program ? [sectionText(plan, program, p)] : [];
  });
  return [`# Kernels of ${plain(plan.name)}, for ${plan.target} devices`, "", intro, ...sections, ""].join("\n");
}
/** A name as it is written, whatever it means in Markdown. */
const plain = (name: string): string => name.replace(/[\\`*_[\]<>&#|~!]/g, "\\$&");
/** A buffer's label, with its number where another one is called the same. */
function labelOf({ buffers }: Plan, buffer: number): string {
  const { label } = buffers[buffer]!;
  return buffers.some((b, i) => i !== buffer && b.label === label) ? `${label} (buffer ${buffer})` : label;
}
const intro =
  "In the order of their dispatch. A kernel's file begins with the formulas that it computes. Cost: arithmetic of one dispatch, the memory that it binds, its workgroups.";

function sectionText(plan: Plan, program: PlanProgram, { lowered, kernels }: Compiled): string {
  const launches = lowered.values();
  const rows: string[][] = [];
  const walk = (commands: readonly Command[], indent: string): void => {
    for (const c of commands) {
      if (c.kind === "copy") rows.push(moveRow(plan, c, indent));
      else if (c.kind === "loop") {
        rows.push(["", `${indent}${c.count} times${c.reverse ? ", downwards" : ""}:`, "", "", "", "", ""]);
        walk(c.body, `${indent}· `);
      } else rows.push(rowOf(plan, c, launches.next().value, rows, indent));
    }
  };
  walk(program.commands, "");
  const whole = lowered.length ? [] : wholeLines(kernels.steps.length);
  const title = `## ${program.name}: ${counted(dispatchesPerStep(program.commands), "dispatch", "dispatches")}`;
  const head = ["#", "kernel", "what it is for", "runs over", "reads", "writes", "cost"];
  return [
    "",
    title,
    "",
    ...whole,
    ...[head, head.map(() => "---"), ...rows].map(
      (row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
    ),
  ].join("\n");
}
const wholeLines = (steps: number): string[] =>
  steps
    ? [
        `One launch does ${counted(steps, "fused kernel")} one after the other, for many steps: the file names each.`,
        "",
      ]
    : [];

function rowOf(
  plan: Plan,
  d: Dispatch,
  launched: Launched | undefined,
  rows: readonly string[][],
  indent: string,
): string[] {
  const linked = ({ module }: Launch): string => {
    const { name } = plan.modules[module]!;
    return `[${name}](${name}.wgsl)`;
  };
  const others = (d.alternatives?.ways ?? []).map((w) => `<br>or ${w.dispatches.map(linked).join(", ")}`);
  const bound = (write: boolean): string =>
    d.bindings
      .filter((b) => (b.access === "read_write") === write)
      .map(
        (b) => `@${b.binding} ${labelOf(plan, b.buffer)}${b.offset ? ` + ${b.offset} B` : ""}, ${bytesText(b.bytes)}`,
      )
      .join("<br>");
  const number = rows.filter((row) => row[0]).length;
  return [
    String(number),
    `${indent}${linked(d)}${others.join("")}`,
    launched ? launched.step.spec.comment().join("; ") : (d.lines ?? []).join(", "),
    launched ? domainText(launched) : "",
    bound(false),
    bound(true),
    [...(d.flops === undefined ? [] : [`${numberOf(d.flops)} flops`]), workgroupsText(d.workgroups)].join(", "),
  ];
}
/** No kernel: the device does it by itself. */
function moveRow(plan: Plan, { from, to, bytes }: Copy, indent: string): string[] {
  const place = (at: Copy["to"]): string => `${labelOf(plan, at.buffer)}${at.offset ? ` + ${at.offset} B` : ""}`;
  return ["", `${indent}${from ? "copy" : "clear"}`, "", "", from ? place(from) : "", place(to), bytesText(bytes)];
}
/** "[64, 10], sum over [128]" */
function domainText({ step: { spec } }: Launched): string {
  const shape = (list: readonly { readonly extent: Parameters<typeof shapeText>[0][number] }[]): string =>
    shapeText(list.map((v) => v.extent));
  const reductions = spec.stages.map((s) => `${s.op} over ${shape(s.over)}`);
  return [...new Set([spec.axes.length ? shape(spec.axes) : "one", ...reductions])].join(", ");
}
const bytesText = (size: Size): string => (typeof size === "number" ? byteText(size) : `${sizeText(size)} bytes`);
