// The texts of a compiled model: trainer.mjs, trainer.d.ts and index.html. In: a plan with its code, and the parts made by bundle.mjs.
// Out: text; the same plan and parts give the same bytes.
import { dispatchesOf, type Plan, type PlanExport, type PlanPort, type PlanTrain } from "../../runtime/plan.ts";
import { rangedText } from "../print/text.ts";
import { lineComment } from "../wgsl/names.ts";

export interface TrainerParts {
  readonly runtime: string; // an expression: the bundled runtime/trainer.ts, and under `shared` what the next one takes
  readonly node: string; // a function of that and of the address of its module: the bundled runtime/host.ts, for Node alone
  readonly tuner: string; // an expression: runtime/tune.ts, for plans with alternatives
  readonly types: string; // of the runtime's interface (runtime/api.ts)
  /** Of the folder page/: apart, so that the page works where a site allows no inline code. In `html` stand {{title}} and {{weights}}. */
  readonly page: Readonly<Record<"html" | "css" | "js" | "mjs" | "svg", string>>;
}

// ---- trainer.mjs

/** Names that trainer.mjs exports whatever the model; an export of the model by such a name is reached by `model.run`. */
const own = ["plan", "load", "train", "fetchFile", "browserDevice"] as const;

const programs = `//   node trainer.mjs --help                     trains it; needs the package \`webgpu\`
//   index.html                                  trains it on a page
`;
/** What lies where beside trainer.mjs. */
export interface TrainerPlaces {
  readonly data?: string | undefined; // the way to the folder of the model's file
  readonly weights?: string | undefined; // loaded by default
}
/** `plans`: the first is what the trainer shows of the model; each is for a class of devices. */
export function trainerModule(plans: Plans, places: TrainerPlaces, parts: TrainerParts): string {
  const [plan] = plans;
  const names = ["load", ...ownExports(plan).slice(0, 1)].join(", ");
  const of = `${plan.name}, compiled by ${plan.compiler} for ${listed(plans.map(({ target }) => target))} devices`;
  return `${lineComment(`${of}: its plan, its kernels, and the runtime that replays them.`)}
${plan.trains.length ? programs : ""}//   import { ${names} } from "./trainer.mjs"    in Node and in browsers; types: trainer.d.ts

${plansText(plans)}
// ---- the runtime: the same for every model

const { createTrainer, fetchFile: fetchFrom, browserDevice, host, shared } = ${parts.runtime};

// ---- where it lies: bundlers that read these words put no folder of their own machine here

let url;
try {
  const own = new URL(/* webpackIgnore: true */ /* @vite-ignore */ "trainer.mjs", import.meta.url);
  url = new URL(".", own).href;
} catch {} // a classic script has no place

// ---- what it is in Node: devices, files, a command line

const inNode = typeof process === "object" && typeof process.versions?.node === "string";
const node = inNode ? ${parts.node}(shared, url) : undefined;

// ---- what this module offers

const origin = { url${fields(places)} };
const trainer = createTrainer(plan, origin, node?.host ?? host, others${plans.some(hasAlternatives) ? `, ${parts.tuner}` : ""});
${offerText(plan)}
node?.start(plan, origin, trainer.load);
`;
}
export const hasAlternatives = (plan: Plan): boolean =>
  plan.trains.some((t) => dispatchesOf(t.step.commands).some((d) => d.alternatives));
/** Known values as further fields of an object. */
const fields = (values: object): string => {
  const flat = JSON.stringify(values).slice(1, -1);
  return flat && `, ${flat}`;
};

export type Plans = readonly [Plan, ...Plan[]];
/** `a, b and c` */
const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)!}`;

function plansText([plan, ...others]: Plans): string {
  return `${planText(plan)}${others.length ? "\n// ---- the same for other classes of devices: what is different\n" : ""}
const others = {
${others.map((other) => `${text(other.target)}: () => ${otherText(plan, other)},\n`).join("")}};
`;
}
/** An expression in which the first plan is `plan`. Kernels that are equal stand in the text once. */
function otherText(plan: Plan, other: Plan): string {
  const known = new Map(plan.modules.map(({ code }, i) => [code, i]));
  const modules = other.modules.map(({ name, code = "", subgroups }) => {
    const same = known.get(code);
    const own = same === undefined ? `${template(code)}.slice(1)` : `plan.modules[${same}].code`;
    return `{ name: ${text(name)}, code: ${own}${subgroups ? `, subgroups: ${json(subgroups)}` : ""} },\n`;
  });
  const different = Object.entries(other).filter(
    ([key, value]) => key !== "modules" && JSON.stringify(value) !== JSON.stringify(plan[key as keyof Plan]),
  );
  return `({ ...plan,
${different.map(([key, value]) => `${text(key)}: ${json(value)},\n`).join("")}"modules": [
${modules.join("")}] })`;
}
function planText(plan: Plan): string {
  return `// ---- the plan: buffers, programs, data

export const plan = ${json({ ...plan, source: "", modules: plan.modules.map(({ code: _, ...m }) => m) })};
plan.source = ${template(plan.source)}.slice(1);

// ---- the kernels, by module

const kernels = {
${plan.modules.map((module) => `${text(module.name)}: ${template(module.code ?? "")},\n`).join("")}};
for (const module of plan.modules) module.code = kernels[module.name].slice(1);
`;
}
/** Exports of a module in which `trainer`, `origin` and the runtime's own stand. */
function offerText(plan: Plan): string {
  const exports = plan.exports.filter((x) => !isOwn(x.name));
  const functions = exports.map(
    (x, i) =>
      `const export${i} = async (model, inputs = {}) => ${single(x) ? `(await model.run(${text(x.name)}, inputs))[${text(x.name)}]` : `model.run(${text(x.name)}, inputs)`};\n`,
  );
  return `export const { load, train } = trainer;
export const fetchFile = (path) => fetchFrom(origin, path);
export { browserDevice };
${functions.join("")}${exports.length ? `export { ${exports.map((x, i) => `export${i} as ${x.name}`).join(", ")} };\n` : ""}`;
}
const ownExports = (plan: Plan): readonly string[] => plan.exports.flatMap(({ name }) => (isOwn(name) ? [] : [name]));

// ---- the same for a bundler

/** What a bundler knows of a model's files: expressions that give an address, by their paths in the model. */
export interface SiteFiles {
  readonly imports: readonly string[]; // lines
  readonly files: Readonly<Record<string, string>>;
  readonly weights?: string | undefined; // one of these paths
}
export const siteRuntime = (parts: TrainerParts): string =>
  `export const { createTrainer, fetchFile, browserDevice, host, shared } = ${parts.runtime};\n`;
/** For servers. `page`: the module of siteRuntime. */
export const siteRuntimeInNode = (parts: TrainerParts, page: string): string =>
  `import { shared } from ${text(page)};
export { createTrainer, fetchFile, browserDevice } from ${text(page)};
export const { host } = ${parts.node}(shared, import.meta.url);\n`;
/** A model for a further class of devices, as a module that a site loads where it is wanted. */
export const siteOther = (plan: Plan, other: Plan): string => `export default (plan) => ${otherText(plan, other)};\n`;
/** A model as a module of a site. `runtime`: the module of one of the two above; `others`: modules of siteOther, by the names of their targets. */
export function siteModule(
  plan: Plan,
  others: Readonly<Record<string, string>>,
  runtime: string,
  { imports, files, weights }: SiteFiles,
  isServer: boolean,
): string {
  const moved = Object.entries(files).map(([path, address]) => `${text(path)}: ${address}`);
  const url = isServer ? "undefined" : "import.meta.url"; // on a server, paths start from the working folder
  return `import { createTrainer, fetchFile as fetchFrom, browserDevice, host } from ${text(runtime)};
${imports.map((line) => `${line}\n`).join("")}
${planText(plan)}
// ---- the same for other classes of devices

const others = {
${Object.entries(others)
  .map(([target, module]) => `${text(target)}: async () => (await import(${text(module)})).default(plan),\n`)
  .join("")}};

// ---- what this module offers

const origin = { url: ${url}, files: { ${moved.join(", ")} }${weights === undefined ? "" : `, weights: ${text(weights)}`} };
const trainer = createTrainer(plan, origin, host, others);
${offerText(plan)}
if (import.meta.hot) import.meta.hot.dispose(() => trainer.close());
`;
}
const isOwn = (name: string): boolean => (own as readonly string[]).includes(name);
/** The result itself, where there is only one. */
const single = (x: PlanExport): boolean => x.outputs.length === 1 && x.outputs[0]!.name === x.name;
const text = (value: string): string => JSON.stringify(value);
/** A template literal after a line break, so that a text can be read where it stands. */
const template = (code: string): string => `\`\n${code.replace(/[\\`]|\$(?=\{)/g, "\\$&").replaceAll("\r", "\\r")}\``;

/** JSON with everything that fits on a line on one. */
export function json(value: unknown, indent = ""): string {
  const flat = JSON.stringify(value);
  if (typeof value !== "object" || value === null || flat.length + indent.length <= 140) return flat;
  const deeper = indent + " ";
  const items = Array.isArray(value)
    ? value.map((item) => json(item, deeper))
    : Object.entries(value).flatMap(([key, item]) =>
        item === undefined ? [] : [`${text(key)}: ${json(item, deeper)}`],
      );
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${items.map((item) => deeper + item).join(",\n")}\n${indent}${close}`;
}

// ---- index.html and what it consists of

/** By their names. `weights`: a file beside the page that it begins with. */
export function trainingPage(plan: Plan, { page }: TrainerParts, weights = ""): Readonly<Record<string, string>> {
  const title = plan.name.replace(/\.dlm$/, "").replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const html = page.html.replaceAll("{{title}}", () => title).replaceAll("{{weights}}", weights);
  return {
    "index.html": html,
    "page.css": page.css,
    "page.js": page.js,
    "page.mjs": page.mjs,
    "page.svg": page.svg,
  };
}

// ---- trainer.d.ts

export function trainerTypes(plan: Plan, parts: TrainerParts): string {
  const typeName = namer(parts.types);
  const trains = plan.trains.map((train) => ({ train, type: typeName(train.name) }));
  const exports = plan.exports.map((x) => ({ x, type: typeName(x.name) }));
  const union = (names: readonly string[]): string => names.map(text).join(" | ") || "never";
  const splits = (train: PlanTrain): readonly string[] =>
    train.dataset === undefined
      ? []
      : [
          "train",
          ...(plan.datasets.find((set) => set.name === train.dataset)?.holdouts.map((holdout) => holdout.name) ?? []),
        ];

  const parts_ = [
    lineComment(`Types of ${plan.name}'s trainer, compiled by ${plan.compiler}.`),
    ...trains.map(({ train, type }) => trainTypes(train, type, splits(train))),
    ...exports.map(({ x, type }) => exportTypes(x, type)),
    `export interface TrainerModel extends Omit<Model, "train" | "evaluate" | "run" | "trains" | "exports"> {
  /** What the device is; undefined where the caller gave it. */
  readonly device: DeviceFacts | undefined;
  /** Settles with true when checkpoints are kept: at once, or when the page that has them is closed. With false where none are. */
  readonly keeping: Promise<boolean>;
  readonly trains: readonly (${union(plan.trains.map((train) => train.name))})[];
  readonly exports: readonly (${union(plan.exports.map((x) => x.name))})[];
${trains.map(({ train, type }, i) => `  /** Trains on, from where the block is. */\n  train(name${i === 0 ? "?" : ""}: ${text(train.name)}, options?: TrainOptions): Promise<${type}Result>;\n  /** Loss and metrics over a split, exactly. */\n  evaluate(train: ${text(train.name)}, split: ${union(splits(train))}): Promise<${type}Measured>;\n`).join("")}${exports.map(({ x, type }) => `  /** ${signature(x)} */\n  run(name: ${text(x.name)}, inputs${optionalInputs(x) ? "?" : ""}: ${type}Inputs): Promise<${type}Outputs>;\n`).join("")}}`,
    `/** The plan, with the code of its kernels. */
export declare const plan: Plan;
/** A model with its initial weights. Device and data are found by the trainer unless they are given. */
export declare function load(options?: TrainerOptions): Promise<TrainerModel>;
/** Loads, and trains ${plan.trains.length > 1 ? "every block in its order" : "it"}. */
export declare function train(options?: TrainerOptions & TrainOptions): Promise<{ readonly model: TrainerModel; readonly results: { ${trains.map(({ train, type }) => `readonly ${text(train.name)}${trains.length > 1 ? "?" : ""}: ${type}Result`).join("; ")} } }>;
/** A data file as the page finds it. */
export declare function fetchFile(path: string): Promise<Uint8Array>;
/** The browser's device, with everything that it offers. */
export declare function browserDevice(): Promise<{ readonly device: Device; readonly facts: DeviceFacts; readonly close: () => void }>;`,
    ...exports.map(({ x, type }, i) =>
      isOwn(x.name)
        ? `// ${x.name}: model.run(${text(x.name)}, inputs)`
        : `declare const export${i}: (model: TrainerModel, inputs${optionalInputs(x) ? "?" : ""}: ${type}Inputs) => Promise<${single(x) ? outputType(x.outputs[0]!) : `${type}Outputs`}>;\nexport {\n  /** ${signature(x)} */\n  export${i} as ${x.name},\n};`,
    ),
    `// ---- the same for every model\n\n${generalTypes}`,
    parts.types.trim(),
  ];
  return parts_.join("\n\n") + "\n";
}

/** PascalCase, different for different names, and from the runtime's own. */
function namer(types: string): (name: string) => string {
  const taken = new Set([...(types + generalTypes).matchAll(/(?:interface|type) (\w+)/g)].map((match) => match[1]!));
  const suffixes = ["Metrics", "Measured", "Result", "Inputs", "Outputs"];
  return (name) => {
    const plain = name.replace(/(?:^|_+)([a-z0-9])/gi, (_, c: string) => c.toUpperCase()).replace(/^\d/, "_$&");
    let type = plain;
    for (let n = 2; taken.has(type) || suffixes.some((suffix) => taken.has(type + suffix)); n++) type = plain + n;
    taken.add(type);
    return type;
  };
}

function trainTypes(train: PlanTrain, type: string, splits: readonly string[]): string {
  const metrics = train.ring.columns.filter((name) => name !== "loss");
  const measured = train.evaluate?.metrics ?? [];
  const holdouts = splits.filter((split) => split !== "train");
  return `/** Metrics of a batch of \`${train.name}\`. */
export interface ${type}Metrics {
${metrics.map((name) => `  readonly ${key(name)}: number;\n`).join("")}}
/** What \`${train.name}\` measures over a split. */
export interface ${type}Measured {
${measured.map((port) => `  readonly ${key(port.name)}: ${port.shape.length ? outputType(port) : "number"};\n`).join("")}}
export type ${type}Result = Omit<TrainResult, "train" | "metrics" | "measured"> & {
  readonly train: ${text(train.name)};
  readonly metrics: ${type}Metrics;
  readonly measured: { ${(holdouts.length ? holdouts : splits).map((split) => `readonly ${key(split)}?: ${type}Measured`).join("; ")} };
};`;
}

function exportTypes(x: PlanExport, type: string): string {
  return `export interface ${type}Inputs {
${x.inputs.map((port) => `  /** ${rangedText(port)}${port.optional === undefined ? "" : `; ${port.optional} if left out`} */\n  readonly ${key(port.name)}${port.optional === undefined ? "" : "?"}: Input<${port.shape.length}${port.dtype === "bool" ? ", boolean" : ""}>;\n`).join("")}}
export interface ${type}Outputs {
${x.outputs.map((port) => `  /** ${rangedText(port)} */\n  readonly ${key(port.name)}: ${outputType(port)};\n`).join("")}}`;
}

const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name));
const optionalInputs = (x: PlanExport): boolean => x.inputs.every((port) => port.optional !== undefined);
/** `predict(x: f32[B, 64]) -> f32[B, 10]` */
const signature = (x: PlanExport): string =>
  `${x.name}(${x.inputs.map((port) => `${port.name}: ${rangedText(port)}`).join(", ")}) -> ${x.outputs.map(rangedText).join(", ")}`;
const outputType = (port: PlanPort): string =>
  `Output<${text(port.dtype)}, readonly [${port.shape.map((size) => (typeof size === "number" ? String(size) : "number")).join(", ")}]>`;
const generalTypes = `export type DType = "f32" | "i32" | "bool";
export interface Plan {
  readonly version: number;
  readonly name: string;
  readonly source: string;
  readonly modules: readonly { readonly name: string; readonly code?: string }[];
  readonly [more: string]: unknown;
}
/** Nested lists as deep as the tensor has axes, values in row-major order, or values with their shape. */
export type Input<Rank extends number, Item = number> = Lists<Rank, Item> | FlatArray | { readonly data: ArrayLike<number>; readonly shape: readonly number[] };
export type Lists<Rank extends number, Item = number> = Rank extends 0 ? Item : Rank extends 1 ? readonly Item[] : Rank extends 2 ? readonly (readonly Item[])[] : Rank extends 3 ? readonly (readonly (readonly Item[])[])[] : Nested;
export interface Output<D extends DType, Shape extends readonly number[]> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: D extends "f32" ? Float32Array : D extends "i32" ? Int32Array : Uint8Array;
}
export interface DeviceFacts {
  readonly class: "gpu" | "system" | "embedded" | "browser";
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly subgroupSize?: { readonly least: number; readonly most: number };
  readonly fallback?: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}`;
