// Arguments as other systems take them. In: a fault of a call's arguments, what the declaration states of other systems (`std/facts.ts`). Out: the fault with
// the call as it is written here for a hint, where the declaration says enough.
import type * as ast from "../../../grammar/ast.ts";
import { writing } from "../../../grammar/fixes.ts";
import type { Fix, Span } from "../../../grammar/diagnostic.ts";
import { calledElsewhere, factsOf } from "../../std/facts.ts";
import type { Argument } from "../context.ts";
import * as errors from "../errors.ts";
import { integerOf } from "../values.ts";

export interface Declared {
  readonly name: ast.Name;
  readonly doc?: string;
  readonly hyper?: readonly ast.Param[];
}
export function hintedElsewhere(
  fault: errors.Fault,
  d: Declared,
  params: readonly ast.Param[],
  args: readonly Argument[],
  call: Span,
): errors.Fault {
  const at = fault.diagnostic.span;
  const index = args.findIndex((a) => isSame(a.span, at) || (a.nameSpan !== undefined && isSame(a.nameSpan, at)));
  const wrong = args[index];
  if (!wrong || d.doc === undefined) return fault;
  const { saidByInput, inPlaceOf } = factsOf(d.doc);
  const parameterOf = (a: Argument): ast.Param | undefined =>
    a.name === undefined ? params[args.indexOf(a)] : namedHere(a.name, params, a.span);
  if (wrong.name !== undefined) {
    const instead = inPlaceOf.get(wrong.name);
    if (instead !== undefined) {
      const [, text] = /^`([^`]*)`(?:$|,)/.exec(instead) ?? [];
      const isWhole = text?.includes(":") === true; // with the value that it has here
      const fixes = text === undefined ? [] : [writing(isWhole ? wrong.span : (wrong.nameSpan ?? at), text)];
      return fault.hinting(`in place of \`${wrong.name}\`: ${instead}`, fixes);
    }
    if (saidByInput.includes(wrong.name)) {
      const others = args.filter((a) => a.name === undefined || !saidByInput.includes(a.name));
      const written = callWith(others, params, call, d);
      return fault.hinting(`the input says \`${wrong.name}\`: write ${written}`, callFix(call, written));
    }
    const parameter = parameterOf(wrong);
    if (!parameter || !args.some((a) => a.name === undefined && parameterOf(a) === parameter)) return fault;
  }
  // whole numbers, or lists of some, stand first: the sizes that the input says
  const sizes = args.slice(0, saidByInput.length);
  const areSizes = sizes.every((a) => a.name === undefined && isSize(a)) && (wrong.name !== undefined || isSize(wrong));
  if (params !== d.hyper || !sizes.length || sizes.length < saidByInput.length || !areSizes) return fault;
  const own = wrong.name === undefined ? params[index] : undefined;
  const isMeant = own?.byName && !args.some((a) => a.name === own.name.text);
  const meant = isMeant ? `, or \`${own.name.text}: ${errors.short(at, "...")}\` if that is meant` : "";
  const names = saidByInput.map((n) => `\`${n}\``).join(" and ");
  const others = args.slice(sizes.length);
  const isGiven = (p: ast.Param, i: number): boolean =>
    others.some((a, j) => (a.name === undefined ? i === j : namedHere(a.name, params, a.span) === p));
  if (!params.every((p, i) => p.default || isGiven(p, i))) return fault;
  const written = callWith(others, params, call, d);
  return fault.hinting(`the input says ${names}: write ${written}${meant}`, callFix(call, written));
}
/** In place of the call, where all of its arguments are short enough to be told. */
const callFix = (call: Span, written: string): readonly Fix[] =>
  written.includes("...") || !/^\w+\s*\(/.test(call.file.text.slice(call.start)) ? [] : [writing(call, written)];
/** A window that does not fit into what has its channels first elsewhere. */
export function hintedChannels(fault: errors.Fault, { doc }: Declared): errors.Fault {
  const { code, hint } = fault.diagnostic;
  if (code !== "DLM2007" || hint === undefined || !factsOf(doc).has("channelsLast")) return fault;
  return fault.hinting(`${hint}; channels are the last axis`);
}
const isSize = ({ value }: Argument): boolean => value.kind === "list" || integerOf(value) !== undefined;
const isSame = (a: Span, b: Span): boolean => a.file === b.file && a.start === b.start && a.end === b.end;
/** The parameter that is called so here or elsewhere. */
function namedHere(name: string, params: readonly ast.Param[], { file }: Span): ast.Param | undefined {
  const names = [name, ...calledElsewhere(name, file)];
  return params.find((p) => names.includes(p.name.text));
}
function callWith(args: readonly Argument[], params: readonly ast.Param[], call: Span, d: Declared): string {
  const callee = /^\w+(?=\s*\()/.exec(call.file.text.slice(call.start, call.end))?.[0] ?? d.name.text;
  const texts = args.flatMap((a, i) => {
    const parameter = a.name === undefined ? params[i] : namedHere(a.name, params, a.span);
    if (!parameter) return [];
    const isNamed = a.name !== undefined || parameter.byName;
    return [`${isNamed ? `${parameter.name.text}: ` : ""}${errors.short(a.span, "...")}`];
  });
  return `${callee}(${texts.join(", ")})`;
}
