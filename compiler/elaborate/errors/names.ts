// Names: unknown, bound twice, defined by themselves.
import { nearest } from "../../../grammar/nearest.ts";
import type { Fix, Span } from "../../../grammar/diagnostic.ts";
import { leavingOut, writing } from "../../../grammar/fixes.ts";
import { calledElsewhere, commonChoices, libraryNames } from "../../std/facts.ts";
import { error, type Fault, type More } from "./fault.ts";

/** What other systems call the words of the language and what is built in. Names of declarations are facts of the library (std/facts.ts). */
const elsewhere: Readonly<Record<string, string>> = {
  float: "f32",
  double: "f32",
  f64: "f32",
  float32: "f32",
  int: "i32",
  int32: "i32",
  integer: "i32",
  boolean: "bool",
  string: "bool",
  avg: "mean",
  reduce_sum: "sum",
  reduce_mean: "mean",
  reduce_max: "max",
  batch_size: "batch",
  num_epochs: "epochs",
  max_steps: "steps",
  dim: "axis",
  keepdim: "keep",
  keepdims: "keep",
  einops: "rearrange",
  cat: "concat",
  concatenate: "concat",
  permute: "transpose",
  swapaxes: "transpose",
  view: "reshape",
  expand_dims: "unsqueeze",
  stop_gradient: "stop",
  detach: "stop",
  no_grad: "stop",
  randn: "normal",
  rand: "uniform",
  pow: "^",
  abs_: "abs",
};
/** What is written otherwise here than by another name. */
const otherwise: Readonly<Record<string, string>> = {
  nan: "there is no NaN to test for: `inf` is finite, and masks are written with `where`",
  rows: "`rows` stands in data blocks; in a train block `batch` is how many rows there are",
  row: "`row` stands in data blocks; a field may hold it: field number: i32 = row",
  range: "a range is written 0..n",
  arange: "the numbers from 0 are written `for i in 0..n: f32(i)`",
  linspace: "write `for i in 0..n: low + (high - low) * i / (n - 1)`",
  full: "a number of a shape is written expand[2, 3](0.5)",
  zeros_like: "a plain number fits any shape: write 0",
  ones_like: "a plain number fits any shape: write 1",
  newaxis: "an axis is added with unsqueeze(x, axis: 0)",
  shape: "write size(x, axis: n) for the extent of an axis",
  self: "parameters and layers are called by their names alone",
};
/** The same of settings. */
function settingsOtherwise(): Readonly<Record<string, string>> {
  const ofData = "it stands behind the data: `train fit on points(batch: 32)`";
  const stop = "write stop: stalled(min: valid.loss, patience: 3)";
  const step = `write \`minimize e by ${commonChoices("optimizer")[0]}\``;
  return {
    batch: ofData,
    batch_size: ofData,
    shuffle: ofData,
    early_stop: stop,
    early_stopping: stop,
    patience: stop,
    lr: step,
    learning_rate: step,
    optimizer: step,
    loss: step,
    metrics: "write `metric name = ...`",
    device: "the device is chosen where the model runs: `dlm train --device NAME`",
  };
}
/** As the language calls what other systems call so. */
export const calledHere = (name: string): string => (Object.hasOwn(elsewhere, name) ? elsewhere[name]! : name);
/** Modules of other systems, which stand before names that stand alone here. */
const modules = new Set([
  "nn",
  "torch",
  "F",
  "np",
  "numpy",
  "jnp",
  "jax",
  "tf",
  "keras",
  "optim",
  "layers",
  "nnx",
  "flax",
  "math",
  "mx",
  "init",
]);
/** Members that stand for the application of a layer elsewhere. */
const applications = new Set(["forward", "apply", "call", "__call__", "predict"]);
/** `nn.Linear(3)`: the last name behind the points, as it is called here. */
function behindModule(
  span: Span,
  name: string,
  names: readonly string[],
): { readonly hint: string; readonly fixes: readonly Fix[] } | undefined {
  const { file, end } = span;
  const [members] = /^(?:\.[A-Za-z_]\w*)+/.exec(file.text.slice(end)) ?? [];
  const last = members?.split(".").at(-1);
  if (!modules.has(name) || last === undefined) return undefined;
  const known = [...names, ...libraryNames()];
  const called = [last, ...calledElsewhere(last, file), calledHere(last)];
  const found = called.find((n) => known.includes(n)) ?? nearest(last, known);
  const whole = { ...span, end: end + (members?.length ?? 0) };
  return {
    hint: `there are no modules: ${found ? `write \`${found}\`` : "names stand alone"}`,
    fixes: found ? [writing(whole, found)] : [],
  };
}
/** `x // twice`: what was to be a comment. */
function commentHint({ file, start }: Span): { readonly hint: string; readonly fixes: readonly Fix[] } | undefined {
  const [marks] = /\/\/\s*$/.exec(file.text.slice(Math.max(0, start - 80), start)) ?? [];
  if (marks === undefined) return undefined;
  const at = start - marks.length;
  return { hint: "a comment begins with `#`; `//` divides", fixes: [writing({ file, start: at, end: at + 2 }, "#")] };
}
export interface Where {
  readonly kind?: string; // parameter, setting, field, ...
  readonly place?: string; // in a train block, in net.first, ...
  readonly signature?: string;
}
/** Of so many unknown names it is told what is meant: to look for it among all names takes time, and nobody reads thousands. */
export const mostExplained = 100;
export const unknownName = (
  span: Span,
  name: string,
  known: Iterable<string>,
  { kind, place = "here", signature }: Where = {},
): Fault => {
  const names = [...new Set(known)].filter((n) => /^[A-Za-z]/.test(n));
  const foreign = [...calledElsewhere(name, span.file), calledHere(name)];
  const same = foreign.find((n) => names.includes(n));
  const lower = name.toLowerCase();
  const table = kind === undefined ? otherwise : place === "of a train block" ? settingsOtherwise() : {};
  const isAxis =
    name === "None" &&
    /[[,]\s*$/.test(span.file.text.slice(0, span.start)) &&
    /^\s*[\],]/.test(span.file.text.slice(span.end));
  const words = isAxis ? otherwise["newaxis"] : same === undefined && Object.hasOwn(table, lower) && table[lower];
  const near = same ?? (modules.has(name) ? undefined : nearest(name, names));
  const hint: More = words
    ? { hint: words }
    : near
      ? { hint: `did you mean \`${near}\`?`, fixes: [writing(span, near)] }
      : kind === "member" && applications.has(name)
        ? {
            hint: "a layer is applied by its own name: net(x)",
            fixes: [leavingOut({ ...span, start: span.file.text.lastIndexOf(".", span.start) })],
          }
        : (behindModule(span, name, names) ?? commentHint(span) ?? {});
  const list = kind && names.length && names.length <= 16 && !signature ? [`known ${kind}s: ${names.join(", ")}`] : [];
  return error("DLM2001", span, `there is no ${kind ? `${kind} ` : ""}\`${name}\` ${place}`, {
    ...hint,
    notes: [...(signature ? [signature] : []), ...list],
    always: kind === "argument" || kind === "parameter", // a signature is known; other names may be bound where it is used
  });
};
export const twice = (span: Span, name: string, before: Span): Fault =>
  error("DLM2002", span, `\`${name}\` is bound twice`, {
    labels: [{ span: before, text: "first here" }],
    hint: "give one of them another name",
  });
export const recursion = (span: Span, name: string, what: "fn" | "layer" | "model" | "const"): Fault =>
  error("DLM2013", span, what === "const" ? `\`${name}\` is defined by itself` : `\`${name}\` reaches itself`, {
    hint:
      what === "const"
        ? "give one of the constants a value of its own"
        : `a ${what === "fn" ? "function" : what} may not ${what === "fn" ? "call" : "apply"} itself; use \`scan\`, \`fold\` or \`stack\``,
  });
export const unboundDim = (span: Span, name: string): Fault =>
  error("DLM2016", span, `the dim ${name} is not bound`, {
    hint: /^[a-z]/.test(name)
      ? `dims begin with a capital: ${name[0]!.toUpperCase()}${name.slice(1)}; other sizes are constants or parameters`
      : "a dim is bound where it stands alone in an input's type, as in x: f32[B, 64]",
    fixes: /^[a-z]/.test(name) ? [writing(span, `${name[0]!.toUpperCase()}${name.slice(1)}`)] : [],
  });
export const noSuchFile = (span: Span, path: string): Fault =>
  error("DLM2020", span, `cannot import "${path}"`, { hint: "paths count from the folder of the file that imports" });
