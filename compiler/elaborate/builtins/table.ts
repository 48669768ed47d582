// Functions below the library, a row each: what index notation cannot say, or what takes shapes, patterns and functions apart.
// In: a name and arguments. Out: a value. The functions of the scalar table are called here too.
import type { Span } from "../../../grammar/diagnostic.ts";
import { namedFunctions } from "../../scalar/table.ts";
import { call as callScalar } from "../../graph/scalar.ts";
import type { Integer } from "../../graph/types.ts";
import type { Argument, Context, Value } from "../context.ts";
import { functionNotYet, settingAsFunction, tooManyArguments } from "../errors.ts";
import { elementwiseValues } from "../expression/operators.ts";
import { asScalarValue, int, integerOf, number, scalar } from "../values.ts";
import { arrays } from "./arrays.ts";
import { callOf, checkArguments, type Builtin, type Builtins, type Call } from "./call.ts";
import { conversions } from "./conversions.ts";
import { categorical, distributions } from "./draws.ts";
import { loaders } from "./loaders.ts";
import { patterns } from "./patterns.ts";
import { reducers } from "./reducers.ts";

const ofTrainBlocks: Builtin = {
  apply: ({ name, span }) => {
    throw settingAsFunction(span, name);
  },
};
const rows: Builtins = {
  ...reducers,
  ...distributions,
  ...conversions,
  ...arrays,
  ...patterns,
  categorical,
  grad: { apply: ({ name, span }) => notYet(name, span) }, // of a value by its name: gradients.ts
  stalled: ofTrainBlocks,
  best: ofTrainBlocks,
  from: ofTrainBlocks,
  ...loaders,
};
export const builtinNames: ReadonlySet<string> = new Set(Object.keys(rows));
/** Functions of the language that are not compiled yet. */
export const laterNames: ReadonlySet<string> = new Set(["svdvals", "eigvals", "histogram", "sort", "fft"]);

export function applyBuiltin(name: string, args: readonly Argument[], span: Span, ctx: Context): Value {
  const found = Object.hasOwn(rows, name) ? rows[name] : namedFunctions.has(name) ? ofElements : undefined;
  if (!found) return notYet(name, span);
  const call = callOf(name, args, span, ctx);
  const row = found.isOfTwoToo && call.positional.length === 2 ? ofElements : found;
  checkArguments(call, row);
  return row.apply(call);
}
function notYet(name: string, span: Span): never {
  throw functionNotYet(span, name);
}
/** A function of the scalar table, applied to every element. */
const ofElements: Builtin = { takes: [0, Infinity, []], apply: applyScalarFunction };
function applyScalarFunction({ name, positional, span }: Call): Value {
  const row = namedFunctions.get(name)!;
  if (positional.length !== row.operands.length)
    throw tooManyArguments(span, name, row.operands.length, positional.length);
  const values = positional.map((a) => (a.value.kind === "lazy" ? a.value.force() : a.value));
  const ofNumbers = row.operands[0] === "number";
  const numbers = values.flatMap((v) => (v.kind === "number" ? [v] : []));
  if (numbers.length === values.length) {
    const result = row.evaluate(...numbers.map((v) => v.value));
    const whole = ofNumbers && numbers.every((v) => v.whole);
    const rounds = name === "floor" || name === "ceil" || name === "round";
    if (Number.isFinite(result)) return number(result, whole || (rounds && Number.isInteger(result)));
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
