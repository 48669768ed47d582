// Scalars without operands, and what every constructor needs of its operands: their free variables and the scans that they belong to.
import { largestF32 } from "../scalar/range.ts";
import { remembered, working } from "./compilation.ts";
import { reachOfLiteral } from "./masks.ts";
import type {
  Dim,
  DType,
  Extent,
  Interval,
  Literal,
  Local,
  Scalar,
  Scan,
  ScanSet,
  Variable,
  VariableSet,
} from "./types.ts";

const noVariables: VariableSet = new Set();
const noScans: ScanSet = new Set();
const unions = remembered<ReadonlySet<unknown>, Map<ReadonlySet<unknown>, ReadonlySet<unknown>>>();
/** a and what else is in b; a itself where it contains b, and one set for two that met before: sets stay few. */
export function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): ReadonlySet<T> {
  if (b === a || !b.size) return a;
  if (!a.size) return b;
  let more = false;
  for (const x of b) more ||= !a.has(x);
  if (!more) return a;
  const known = unions();
  let own = known.get(a);
  if (!own) known.set(a, (own = new Map()));
  let both = own.get(b) as ReadonlySet<T> | undefined;
  if (!both) own.set(b, (both = new Set([...a, ...b])));
  return both;
}
export function variablesOf(parts: readonly Scalar[]): VariableSet {
  let all = noVariables;
  for (const x of parts) all = union(all, x.variables);
  return all;
}
export function scansOf(parts: readonly Scalar[]): ScanSet {
  let all = noScans;
  for (const x of parts) all = union(all, x.scans);
  return all;
}
export const unionScans = (sets: readonly ScanSet[]): ScanSet => sets.reduce<ScanSet>(union, noScans);

/** A constant of f32: what lies beyond its range is the largest finite number, as `inf` is. */
export function literal(value: number): Literal {
  value = Math.min(largestF32, Math.max(-largestF32, value));
  const name = Object.is(value, -0) ? "-0" : String(value);
  return working().intern(`l${name}`, (id) => ({
    kind: "literal",
    dtype: "f32",
    value,
    id,
    variables: noVariables,
    scans: noScans,
    reach: reachOfLiteral(value),
  }));
}
export function boolean(value: boolean): Literal {
  return working().intern(`b${value}`, (id) => ({
    kind: "literal",
    dtype: "bool",
    value: value ? 1 : 0,
    id,
    variables: noVariables,
    scans: noScans,
    reach: undefined,
  }));
}
export const asScalar = (x: Scalar | number): Scalar => (typeof x === "number" ? literal(x) : x);
export function dim(name: string): Dim {
  return working().intern(`d${name}`, (id) => ({
    kind: "dim",
    dtype: "i32",
    name,
    id,
    variables: noVariables,
    scans: noScans,
    interval: { low: 1, high: Infinity },
  }));
}
const intervalOfVariable = (extent: Extent): Interval => ({
  low: 0,
  high: (typeof extent === "number" ? extent : Infinity) - 1,
});
/** A loop variable is free in itself; the step of a scan is not, but belongs to it. */
function newVariable(
  id: number,
  extent: Extent,
  name: string,
  position: number | undefined,
  implied: boolean,
  scan: Scan | undefined,
): Variable {
  const own: { -readonly [K in keyof Variable]: Variable[K] } = {
    kind: "variable",
    dtype: "i32",
    extent,
    name,
    position,
    implied,
    id,
    variables: noVariables,
    scans: scan ? new Set([scan]) : noScans,
    interval: intervalOfVariable(extent),
  };
  if (!scan) own.variables = new Set([own]);
  return own;
}
/** A fresh loop variable. */
export function variable(extent: Extent, name = "i", options: { implied?: boolean; scan?: Scan } = {}): Variable {
  return newVariable(working().nextId(), extent, name, undefined, options.implied ?? false, options.scan);
}
/** The canonical variable of an axis of a finished node. */
export function axis(position: number, extent: Extent): Variable {
  return working().internAt(extent, position, (id) =>
    newVariable(id, extent, `a${position}`, position, false, undefined),
  );
}
export function local(name: string, dtype: DType): Local {
  return { kind: "local", name, dtype, id: working().nextId(), variables: noVariables, scans: noScans };
}
export const extentKey = (extent: Extent): string => (typeof extent === "number" ? String(extent) : `#${extent.id}`);
export const sameExtent = (a: Extent, b: Extent): boolean => a === b;
