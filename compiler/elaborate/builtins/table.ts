// Functions below the library, a row each: what index notation cannot say, or what takes shapes, patterns and functions apart.
// In: a name and arguments. Out: a value. The functions of the scalar table are called here too.
import type { Span } from "../../../grammar/diagnostic.ts";
import { namedFunctions } from "../../scalar/table.ts";
import { call as callScalar } from "../../graph/scalar.ts";
import type { Integer } from "../../graph/types.ts";
import type { Argument, Context, Value } from "../context.ts";
import { type Fault, gradArguments, settingAsFunction, shapeByPlace, tooManyArguments } from "../errors.ts";
import { elementwiseValues, withParameters } from "../expression/operators.ts";
import { asScalarValue, int, integerOf, number, scalar } from "../values.ts";
import { arrays } from "./arrays.ts";
import { callOf, checkArguments, type Builtin, type Builtins, type Call } from "./call.ts";
import { conversions } from "./conversions.ts";
import { categorical, distributions } from "./draws.ts";
import { loaders } from "./loaders.ts";
import { patterns } from "./patterns.ts";
import { reducers } from "./reducers.ts";
import { shaped } from "./shaped.ts";

const ofTrainBlocks = (summary: string): Builtin => ({
  summary,
  apply: ({ name, span }) => {
    throw settingAsFunction(span, name);
  },
});
const derivatives: Builtins = {
  // of a value by its name: gradients.ts
  grad: {
    summary: "`grad(e, wrt: x)`: the derivative of a number by a tensor or by parameters",
    apply: ({ span }) => {
      throw gradArguments(span);
    },
  },
};
const settings: Builtins = {
  stalled: ofTrainBlocks(
    "`stalled(min: valid.loss, patience: 3)`: `stop:` when a metric got no better for so many evaluations",
  ),
  best: ofTrainBlocks('`best(max: valid.acc, "f")`: `save:` the parameters of a metric\'s best value'),
  from: ofTrainBlocks('`from("f", into: body)`: `load:` the parameters of a file'),
};
/** By what they are for, as the reference tells them; what takes a shape in brackets is in shaped.ts. */
export const builtins: readonly { readonly title: string; readonly rows: Builtins }[] = [
  { title: "Reducers, as functions with `axis:` and `keep:` and over indices (`sum over i: e`)", rows: reducers },
  { title: "Of any tensor", rows: conversions },
  { title: "Moving elements", rows: { ...arrays, ...patterns } },
  { title: "Draws", rows: { ...distributions, categorical } },
  { title: "Derivatives", rows: derivatives },
  { title: "Data", rows: loaders },
  { title: "Settings of train blocks", rows: settings },
];
const rows = new Map(builtins.flatMap((group) => Object.entries(group.rows)));
export const builtinNames: ReadonlySet<string> = new Set([...rows.keys(), ...shaped.keys()]);
/** What the row of a name says of it. */
export const summaryOf = (name: string): string | undefined => rows.get(name)?.summary ?? shaped.get(name)?.summary;
/** Functions of the language that are not compiled yet. */
export const laterNames: ReadonlySet<string> = new Set(["eigvals"]);

export function applyBuiltin(name: string, args: readonly Argument[], span: Span, ctx: Context): Value {
  const found = rows.get(name) ?? (namedFunctions.has(name) ? ofElements : undefined);
  if (!found) throw inBrackets(name, args, span);
  const call = callOf(name, args, span, ctx);
  const row = found.pairwise && call.positional.length === 2 ? ofElements : found;
  checkArguments(call, row);
  return row.apply(call);
}
/** A name of shaped.ts, called with its shape among the arguments. */
function inBrackets(name: string, args: readonly Argument[], span: Span): Fault {
  const isTensor = shaped.get(name)?.gives.kind === "tensor";
  const of = isTensor
    ? (args.find((a) => a.value.kind === "tensor") ?? args.find((a) => a.name === undefined))
    : undefined;
  const sizes = args.filter((a) => a !== of).map((a) => a.span);
  return shapeByPlace(span, name, of?.span ?? (isTensor ? "x" : undefined), sizes);
}
/** A function of the scalar table, applied to every element. */
const ofElements: Omit<Builtin, "summary"> = { takes: [0, Infinity, []], apply: applyScalarFunction };
function applyScalarFunction({ name, positional, span, ctx }: Call): Value {
  const row = namedFunctions.get(name)!;
  if (positional.length !== row.operands.length)
    throw tooManyArguments(span, name, row.operands.length, positional.length);
  const values = positional.map((a) =>
    withParameters(a.value.kind === "lazy" ? a.value.force() : a.value, a.span, ctx),
  );
  const ofNumbers = row.operands[0] === "number";
  const numbers = values.flatMap((v) => (v.kind === "number" ? [v] : []));
  if (numbers.length === values.length) {
    const result = row.evaluate(...numbers.map((v) => v.value));
    const whole = ofNumbers && numbers.every((v) => v.whole);
    if (Number.isFinite(result)) return number(result, whole || (row.whole === true && Number.isInteger(result)));
  }
  // functions of whole numbers give whole numbers, which take the type of what they meet
  if (ofNumbers && values.every((v) => v.kind === "int" || (v.kind === "number" && v.whole))) {
    const result = callScalar(row, ...values.map((v) => integerOf(v)!));
    if (result.dtype === "i32") return int(result as Integer);
  }
  return elementwiseValues(
    name,
    values.map((v) => (row.operands[0] === "f32" && v.kind === "int" ? scalar(asScalarValue(v, span, "f32")) : v)),
    positional.map((a) => a.span),
    span,
  );
}
