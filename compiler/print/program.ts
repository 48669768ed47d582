// What elaboration gives, as text and as data: names, shapes and instances. In: Program, and the plan's data sets and exports. Out: one part.
import { loaderName } from "../../runtime/plan.ts";
import type { Plan, PlanDataset } from "../../runtime/plan.ts";
import type { Column, Dataset, Held, Program, TrainProgram } from "../elaborate/program.ts";
import { nameNodes, printNode, shapeText } from "../graph/print.ts";
import type { Node } from "../graph/types.ts";
import type { Part } from "./part.ts";
import { parameterCount, portText, typeText } from "./text.ts";

export const programParts = (program: Program, plan: Plan): readonly Part[] => [
  { name: "program", text: () => programText(program, plan), json: () => programJson(program, plan) },
];
function programText(program: Program, plan: Plan): string {
  const states = (kind: Held["kind"]): readonly Held[] => program.states.filter((s) => s.kind === kind);
  return [
    ...plan.datasets.flatMap((d) =>
      datasetLines(
        d,
        program.datasets.find((x) => x.name === d.name)!,
      ),
    ),
    ...heldLines(`parameters (${parameterCount(plan).toLocaleString("en")} numbers)`, program.parameters),
    ...heldLines("states of layers and train blocks", states("state")),
    ...heldLines("states of optimizers", states("optimizer")),
    ...program.trains.flatMap(trainLines),
    ...plan.exports.map(
      (x) => `export ${x.name}(${x.inputs.map(portText).join(", ")}) -> ${x.outputs.map(typeText).join(", ")}`,
    ),
  ].join("\n");
}
function table(rows: readonly (readonly [string, string, string])[]): string[] {
  const widthOf = (column: 0 | 1): number => Math.max(...rows.map((r) => r[column].length));
  const [a, b] = [widthOf(0), widthOf(1)];
  return rows.map(([x, y, z]) => `  ${x.padEnd(a)}  ${y.padEnd(b)}  ${z}`.trimEnd());
}
function datasetLines(d: PlanDataset, { columns }: Dataset): string[] {
  const typed = ({ storage, shape, range }: Column): string =>
    `${storage}${shape.length ? `[${shape.join(", ")}]` : ""}${range ? ` in ${range[0]}..${range[1]}` : ""}`;
  return [
    `data ${d.name}`,
    ...table(columns.map((c) => [c.name, typed(c), loaderText(c.loader)])),
    ...d.holdouts.map((h) => `  holdout ${h.name} = ${h.fraction ?? h.dataset}`),
  ];
}
function heldLines(title: string, list: readonly Held[]): string[] {
  const typed = (x: Node): string => `${x.dtype}${x.shape.length ? shapeText(x.shape) : ""}`;
  return list.length
    ? [title, ...table(list.map((h) => [h.path, typed(h.source), `~ ${initialText(h.initial)}`]))]
    : [];
}
function trainLines(t: TrainProgram): string[] {
  const settings = [
    `batch ${t.batch}`,
    ...(t.accumulate > 1 ? [`accumulate ${t.accumulate}`] : []),
    t.epochs === undefined ? `${t.steps} steps` : `${t.epochs} epochs`,
    `seed ${t.seed}`,
    ...(t.shuffle ? [] : ["in order"]),
  ];
  return [
    `train ${t.name}${t.dataset === undefined ? "" : ` on ${t.dataset}`}`,
    `  ${settings.join(", ")}`,
    ...t.objectives.map((o) => `  ${o.name} updates ${o.gradients.map((g) => g.parameter.path).join(", ")}`),
    `  measures ${t.columns.join(", ")}`,
  ];
}
const loaderText = (l: Column["loader"]): string => {
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
    : `${loaderName(l)}(${"path" in l ? JSON.stringify(l.path) : l.name}${columns}${declared}${(["window", "stride", "pad", "most", "longer"] as const).map((own) => (own in l ? `, ${own} ${l[own as keyof typeof l]}` : "")).join("")})`;
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
