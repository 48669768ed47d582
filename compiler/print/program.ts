// What elaboration gives, as text and as data: names, shapes and instances. In: Program, and the plan's data sets and exports. Out: one part.
import type { Plan } from "../../runtime/plan.ts";
import type { Program } from "../elaborate/program.ts";
import { nameNodes, printNode, shapeText } from "../graph/print.ts";
import type { Node } from "../graph/types.ts";
import type { Part } from "./part.ts";
import { parameterCount, portText, typeText } from "./text.ts";

export const programParts = (program: Program, plan: Plan): readonly Part[] => [
  { name: "program", text: () => programText(program, plan), json: () => programJson(program, plan) },
];
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
