// Rules of numerical stability: formulas as they stand in books become ones that neither overflow nor cancel. They look through pointwise nodes, since
// a formula written over several tensors is several nodes. None is exact: that is their point.
import { interval } from "../graph/scalar.ts";
import type { Integer, Literal, Scalar } from "../graph/types.ts";
import { any, build, call, number, through, value, where, type Bindings, type ScalarRule } from "./rule.ts";

const get = (bound: Bindings, name: string): Scalar => bound[name]!;
const x = any("x");
const y = any("y");
/** Known to be at most about 0, so that exp of it cannot overflow. */
function isNegative(e: Scalar): boolean {
  if (e.kind !== "call") return e.kind === "literal" && e.value <= 0;
  if (e.fn.name === "neg") return e.operands[0]!.kind === "call" && e.operands[0]!.fn.name === "abs";
  if (e.fn.name === "min") return e.operands.some(isNegative);
  if (e.fn.name === "to_f32") return interval(e.operands[0] as Integer).high <= 0;
  return false;
}
export const stability: readonly ScalarRule[] = [
  { name: "log-exp", exact: false, why: "exp overflows", match: call("log", through(call("exp", x))), replace: ({ x }) => x! },
  { name: "exp-log", exact: false, why: "equal where the logarithm exists", match: call("exp", through(call("log", x))), replace: ({ x }) => x! },
  { name: "log-of-softmax", exact: false, why: "the quotient underflows to 0 and its logarithm to -inf", match: call("log", through(call("div", through(call("exp", x)), y))), replace: (b) => build("sub", get(b, "x"), build("log", get(b, "y"))) },
  { name: "log-of-scaled-exp", exact: false, why: "the product underflows", match: call("log", through(call("mul", through(call("exp", x)), y))), replace: (b) => build("add", get(b, "x"), build("log", get(b, "y"))) },
  { name: "log-of-1-plus", exact: false, why: "1 + x loses the digits of a small x", match: call("log", through(call("add", x, value(1)))), replace: (b) => build("log1p", get(b, "x")) },
  // Adam's bias correction: at the first steps the power is nearly 1
  { name: "one-minus-power", exact: false, why: "the difference cancels where the power is near 1", worse: "one product more", match: call("sub", value(1), through(call("pow", where(number("c"), ({ c }) => (c as Literal).value > 0), x))), replace: (b) => build("neg", build("expm1", build("mul", get(b, "x"), Math.log((get(b, "c") as Literal).value)))) },
  { name: "exp-minus-1", exact: false, why: "the difference cancels near 0", worse: "expm1 is a helper on devices", match: call("sub", through(call("exp", x)), value(1)), replace: (b) => build("expm1", get(b, "x")) },
  { name: "exp-plus-minus-1", exact: false, why: "the difference cancels near 0", worse: "expm1 is a helper on devices", match: call("add", through(call("exp", x)), value(-1)), replace: (b) => build("expm1", get(b, "x")) },
  { name: "sigmoid-of-negated", exact: false, why: "exp overflows", match: call("div", value(1), through(call("add", through(call("exp", x)), value(1)))), replace: (b) => build("sigmoid", build("neg", get(b, "x"))) },
  { name: "sigmoid", exact: false, why: "exp overflows to inf / inf", match: call("div", through(call("exp", x)), through(call("add", through(call("exp", x)), value(1)))), replace: (b) => build("sigmoid", get(b, "x")) },
  { name: "sigmoid-scaled", exact: false, why: "exp overflows to inf / inf", match: call("mul", through(call("div", y, through(call("add", through(call("exp", x)), value(1))))), through(call("exp", x))), replace: (b) => build("mul", get(b, "y"), build("sigmoid", get(b, "x"))) },
  { name: "sigmoid-times-exp", exact: false, why: "exp overflows to 0 * inf", match: where(call("mul", through(call("sigmoid", y)), through(call("exp", x))), (b) => build("neg", get(b, "y")) === get(b, "x")), replace: (b) => build("sigmoid", get(b, "x")) },
  { name: "exp-times-exp", exact: false, why: "one of them may overflow where the product does not", match: call("mul", call("exp", x), call("exp", y)), replace: (b) => build("exp", build("add", get(b, "x"), get(b, "y"))) },
  { name: "exp-by-exp", exact: false, why: "both may overflow where the quotient does not", match: call("div", call("exp", x), call("exp", y)), replace: (b) => build("exp", build("sub", get(b, "x"), get(b, "y"))) },
  // a `where` that keeps x small makes this needless but not wrong
  { name: "softplus", exact: false, why: "exp overflows", worse: "right for every x: max(x, 0) + log1p(exp(-|x|))", match: where(call("log1p", through(call("exp", x))), (b) => !isNegative(get(b, "x"))), replace: (b) => build("add", build("max", get(b, "x"), 0), build("log1p", build("exp", build("neg", build("abs", get(b, "x")))))) },
];
