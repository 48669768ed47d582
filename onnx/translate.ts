// ONNX model -> dlm source text. Every graph value becomes a `let`, every operator an expression over them (operators/), initialisers
// the parameters of a model. What is not read is never guessed: it is refused with its name and reason (Unsupported).
// In: a model (model.ts), and the elements of those inputs that dlm needs at compile time. Out: source, ports and weights.
import {
  Unsupported,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type ValueInfo,
} from "./model.ts";
import { NodeReader } from "./node.ts";
import { leftOut, operators } from "./operators/index.ts";
import type { Context, Operator } from "./operators/operator.ts";
import { constantOf, elementType } from "./types.ts";
import { typeText, type ElementType, type Result, type Value } from "./value.ts";
import { Writer, type Shared } from "./writer.ts";

export interface Port {
  /** The name in the ONNX graph. */
  readonly name: string;
  /** The argument's name in dlm. */
  readonly argument: string;
  readonly shape: readonly number[];
  readonly type: ElementType;
}
export interface Translation {
  readonly source: string;
  /** Arguments of `forward`, in order. */
  readonly inputs: readonly Port[];
  /** Results of `forward`, in order. */
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly type: ElementType }[];
  readonly weights: readonly {
    readonly path: string;
    readonly shape: readonly number[];
    readonly data: readonly number[];
  }[];
  /** Inputs whose given elements the text depends on. */
  readonly given: readonly string[];
}
export interface Options {
  /** Elements of inputs that may be needed at compile time, such as a shape that is an input of the graph. */
  readonly given?: ReadonlyMap<string, OnnxTensor>;
  /** Extents that the file leaves open, by name. */
  readonly extents?: Readonly<Record<string, number>>;
}

export function translate(model: OnnxModel, options: Options = {}): Translation {
  const { graph } = model;
  const initial = new Map(graph.initializers.map((t) => [t.name, t]));
  const environment = new Map<string, Value>();
  const initializers = new Map<Value, string>();
  for (const tensor of graph.initializers) {
    const value = constantOf(tensor, `the initialiser ${tensor.name}`);
    environment.set(tensor.name, value);
    initializers.set(value, tensor.name);
  }
  const shared: Shared = {
    names: [],
    helpers: new Map(),
    weights: [],
    layers: new Set(),
    constants: new Map(),
    initializers,
  };
  const writer = new Writer(shared);
  const ports: (Port & { text: string })[] = [];
  for (const input of graph.inputs) {
    if (initial.has(input.name)) continue;
    const shape = shapeOf(input, options.extents ?? {});
    const type = elementType(input.elementType, `the input ${input.name}`);
    const text = writer.name(input.name);
    const tensor = options.given?.get(input.name);
    const given = tensor ? { given: { names: [input.name], data: tensor.data } } : {};
    environment.set(input.name, { shape, type, text, ...given });
    ports.push({ name: input.name, argument: text, shape, type, text });
  }
  const given = new Set<string>();
  const context: Context = { opsets: model.opsets, given: (name) => given.add(name), run: runGraph };
  runGraph(
    graph,
    environment,
    writer,
    context,
    graph.outputs.map((o) => o.name),
  );
  const outputs = graph.outputs.map((o) => {
    const value = environment.get(o.name);
    if (!value) throw new Unsupported(`nothing gives the output ${o.name}`);
    return { name: o.name, shape: value.shape, type: value.type, text: resultText(value, writer) };
  });
  return assemble(writer, ports, outputs, [...given]);
}
/** Whole numbers alone are i32 and need a tensor around them to be a result. */
function resultText(value: Value, writer: Writer): string {
  const text = writer.text(value);
  return value.text === undefined && !value.shape.length ? `reshape[](${text})` : text;
}
function shapeOf(input: ValueInfo, extents: Readonly<Record<string, number>>): number[] {
  if (!input.shape) throw new Unsupported(`the shape of the input ${input.name} is not given`);
  return input.shape.map((n) => {
    const extent = typeof n === "number" ? n : extents[n];
    if (extent === undefined)
      throw new Unsupported(`the extent ${n} of the input ${input.name} is open: say what it is`);
    return extent;
  });
}

/** Translates the nodes that the wanted values need; `environment` has the values by name afterwards. */
function runGraph(
  graph: OnnxGraph,
  environment: Map<string, Value>,
  writer: Writer,
  context: Context,
  wanted: readonly string[],
): void {
  for (const node of needed(graph.nodes, wanted)) {
    const values = node.inputs.map((name) => {
      if (!name) return undefined;
      const value = environment.get(name);
      if (!value) throw new Unsupported(`nothing gives ${name}`);
      return value;
    });
    const opset = context.opsets.get(node.domain);
    const reason = leftOut[node.op];
    if (reason) throw new Unsupported(`${node.op}: ${reason}`);
    const operator = operators[node.domain ? `${node.domain}.${node.op}` : node.op];
    if (!operator || opset === undefined)
      throw new Unsupported(`the operator ${node.domain ? `${node.domain}.` : ""}${node.op}`);
    const reader = new NodeReader(node, values, opset, context.given);
    const results = operator(reader, writer, { environment, context });
    const follows = given(node, values, opset, operator, environment, context);
    const unread = reader.unread();
    if (unread.length) throw new Unsupported(`${unread.join(" and ")} of ${node.op}`);
    for (const [i, name] of node.outputs.entries()) {
      if (!name) continue;
      const result = results[i];
      if (!result) throw new Unsupported(`output ${i} of ${node.op}`);
      environment.set(name, { ...bound(result, /[A-Za-z]/.test(name) ? name : node.op, writer), ...follows(i) });
    }
  }
}
/**
 * What the results are when inputs that the caller knows count as constants: the operator once more, into a text that nobody reads. Shapes
 * that are computed from an input that is a shape are found so.
 */
function given(
  node: OnnxNode,
  values: readonly (Value | undefined)[],
  opset: number,
  operator: Operator,
  environment: ReadonlyMap<string, Value>,
  context: Context,
): (output: number) => Pick<Value, "given"> {
  const present = values.filter((v) => v !== undefined);
  const names = [...new Set(present.flatMap((v) => v.given?.names ?? []))];
  if (!names.length || !present.every((v) => v.constant ?? v.given)) return () => ({});
  const known = values.map((v) => v && { shape: v.shape, type: v.type, constant: v.constant ?? v.given!.data });
  if (known.some((v) => v && v.constant.length > 1024)) return () => ({});
  const scratch = new Writer({
    names: [],
    helpers: new Map(),
    weights: [],
    layers: new Set(),
    constants: new Map(),
    initializers: new Map(),
  });
  const results = operator(new NodeReader(node, known, opset, () => undefined), scratch, { environment, context });
  return (output) => {
    const data = results[output]?.constant;
    return data ? { given: { names, data } } : {};
  };
}
function bound(result: Result, name: string, writer: Writer): Value {
  const { shape, type, text, constant } = result;
  if (constant) return { shape, type, constant };
  if (text === undefined) throw new Error("a result without text");
  return {
    shape,
    type,
    ...(result.given ? { given: result.given } : {}),
    text: /^«\d+»$/.test(text) ? text : writer.let(name, text),
  };
}
function needed(nodes: readonly OnnxNode[], wanted: readonly string[]): OnnxNode[] {
  const live = new Set(wanted);
  const kept: OnnxNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => live.has(name))) continue;
    kept.push(node);
    for (const name of [...node.inputs, ...outerNames(node)]) live.add(name);
  }
  return kept.reverse();
}
/** What the graphs among a node's attributes may read from outside. */
function outerNames(node: OnnxNode): string[] {
  return [...node.attributes.values()].flatMap((value) =>
    typeof value === "object" && "nodes" in value
      ? value.nodes.flatMap((inner) => [...inner.inputs, ...outerNames(inner)]).concat(value.outputs.map((o) => o.name))
      : [],
  );
}

/** dlm's reserved words, and those that mean something without a bracket behind them. */
const reserved = (
  "import const export fn layer model init optimizer data field holdout train on in param state let next yield return minimize wrt by " +
  "every metric or and not over for if then else stack of scan fold along where true false training step steps epoch epochs batch seed " +
  "measured pi inf fan_in fan_out shape params row rows net forward f32 i32 bool int dist"
).split(" ");

function assemble(
  writer: Writer,
  ports: readonly (Port & { text: string })[],
  outputs: readonly (Translation["outputs"][number] & { readonly text: string })[],
  given: readonly string[],
): Translation {
  const { helpers } = writer.shared;
  const results = outputs.map((o) => o.text);
  const statements = alive(writer.statements, results);
  const body = [...statements, ...results].join("\n");
  const used = ports.filter((p) => body.includes(p.text));
  const weights = writer.shared.weights.filter((w) => body.includes(placeholder(w.text)));
  const layers = [...writer.shared.layers].filter((name) => body.includes(name));
  const signature = used.map((p) => `${p.text}: ${typeText(p.type, p.shape)}`).join(", ");
  const lines = [
    ...weights
      .filter((w) => w.text === placeholder(w.text))
      .map((w) => `param ${w.text}: ${typeText(w.type, w.shape)} ~ zeros`),
    ...statements,
    `return ${results.length === 1 ? results[0] : `(${results.join(", ")})`}`,
  ];
  const block = `{\n${lines.map((line) => indented(line)).join("\n")}\n}\n`;
  const text =
    [...helpers.values()].map((h) => `${h}\n\n`).join("") +
    (weights.length || layers.length
      ? `model net(${signature}) ${block}\nexport fn forward(${signature}) = net(${used.map((p) => p.text).join(", ")})\n`
      : `export fn forward(${signature}) ${block}`);
  const named = names(text, writer.shared.names);
  const rename = (x: string): string => x.replace(/«(\d+)»/g, (_, i: string) => named[Number(i)]!);
  return {
    source: rename(text),
    inputs: used.map(({ name, argument, shape, type }) => ({ name, argument: rename(argument), shape, type })),
    outputs: outputs.map(({ name, shape, type }) => ({ name, shape, type })),
    weights: weights.map((w) => ({ path: `net.${rename(w.text)}`, shape: w.shape, data: w.data })),
    given,
  };
}
/** The name that a text begins with. */
const placeholder = (text: string): string => text.slice(0, text.indexOf("»") + 1);
/** The statements whose values something uses. */
function alive(statements: readonly string[], results: readonly string[]): string[] {
  const used = new Set(results.flatMap((text) => text.match(/«\d+»/g) ?? []));
  const kept: string[] = [];
  for (const statement of [...statements].reverse()) {
    const [left] = statement.split(" = ", 1) as [string];
    if (!(left.match(/«\d+»/g) ?? []).some((name) => used.has(name))) continue;
    kept.push(statement);
    for (const name of statement.match(/«\d+»/g) ?? []) used.add(name);
  }
  return kept.reverse();
}
const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");

/** A name for every placeholder: the file's own where it can be one and no other word of the text is the same. */
function names(text: string, wanted: readonly string[]): string[] {
  const taken = new Set([...reserved, ...(text.match(/[A-Za-z_]\w*/g) ?? [])]);
  return wanted.map((name) => {
    const words = name.replace(/\W+/g, "_").replace(/^_+|_+$/g, "");
    const base = /^[a-z]/.test(words)
      ? words
      : /^[A-Z]/.test(words)
        ? words[0]!.toLowerCase() + words.slice(1)
        : `v${words}`;
    let chosen = base;
    for (let n = 2; taken.has(chosen); n++) chosen = `${base}_${n}`;
    taken.add(chosen);
    return chosen;
  });
}
