// A row of the table applied as it stands: no folding, no normal form but the order that its caller gives the operands.
import type { ScalarFunction } from "../scalar/functions.ts";
import { working } from "./compilation.ts";
import { everything, interval, isInteger } from "./forms.ts";
import { scansOf, variablesOf } from "./leaves.ts";
import { reachOfCall, reachOrNone } from "./masks.ts";
import type { Call, DType, Scalar } from "./types.ts";

export function applied(row: ScalarFunction, xs: readonly Scalar[], dtype: DType): Call {
  const make = (id: number): Call => ({
    kind: "call",
    fn: row,
    operands: xs,
    dtype,
    id,
    variables: variablesOf(xs),
    scans: scansOf(xs),
    interval: dtype === "i32" ? (row.bounds?.(...xs.filter(isInteger).map(interval)) ?? everything) : undefined,
    reach: dtype === "f32" ? reachOrNone(reachOfCall(row, xs)) : undefined,
  });
  const compilation = working();
  if (xs.length <= 2) return compilation.internPair<Call>(compilation.rowNumber(row), xs[0]!.id, xs[1]?.id ?? 0, make);
  return compilation.intern<Call>(`C${row.name}(${xs.map((x) => x.id).join(",")})`, make);
}
/** Has any scalar of this compilation called it? Of functions of one or two operands. */
export const isUsed = (row: ScalarFunction): boolean => working().hasRow(row);
