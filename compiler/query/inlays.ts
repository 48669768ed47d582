// Shapes behind the steps of pipes: what came through `|>` so far. In: a document with what elaboration knows. Out: offsets and short texts.
import { below, isExpression } from "../../grammar/ast.ts";
import { Fault, Quiet } from "../elaborate/errors.ts";
import type { Evaluation } from "../elaborate/knowledge.ts";
import { inside, type Document } from "./document.ts";
import { typeOf, type Axis, type TypeText } from "./types.ts";

export interface Inlay {
  readonly offset: number;
  readonly text: string; // "[B, 64]"
  readonly type: string; // the same as a type, "f32[B, 64]"
}
const mostCalls = 16; // of one expression: further ones say nothing new

export function inlaysOf(document: Document, from = 0, to = Infinity): Inlay[] {
  const { knowledge } = document.elaborated();
  if (!knowledge) return [];
  const found = inside(knowledge, () =>
    [...below(document.file)].flatMap((part): Inlay[] => {
      if (!isExpression(part) || part.kind !== "binary" || part.operator !== "|>") return [];
      const offset = part.span.end;
      if (offset < from || offset > to) return [];
      const found = shapeOf(knowledge.expressions.get(part) ?? []);
      return found ? [{ offset, ...found }] : [];
    }),
  );
  return found.sort((a, b) => a.offset - b.offset);
}
/** The shape in all calls: an axis that differs between them has the name of the dim that is as long in each. */
function shapeOf(calls: readonly Evaluation[]): Pick<Inlay, "text" | "type"> | undefined {
  const types = calls.slice(0, mostCalls).flatMap((c) => {
    const type = typeIn(c);
    return type?.shape ? [type] : [];
  });
  const first = types[0]?.shape;
  const shapes = types.flatMap((t) => (t.shape ? [t.shape] : []));
  if (!first || shapes.some((s) => s.length !== first.length)) return undefined;
  const text = `[${first.map((_, d) => axisText(shapes.map((s) => s[d]!))).join(", ")}]`;
  return { text, type: `${types[0]!.dtype ?? ""}${text}` };
}
function axisText(calls: readonly Axis[]): string {
  const extents = new Set(calls.map((a) => a.extent));
  const [only] = extents;
  if (extents.size === 1) return String(only);
  const common = calls[0]!.names.find((n) => calls.every((a) => a.extent === n || a.names.includes(n)));
  const symbolic = calls.find((a) => typeof a.extent === "string")?.extent;
  return common ?? (symbolic === undefined ? "_" : String(symbolic));
}
/** Of a value that is computed when it is asked for, asking may find a mistake that is told elsewhere. */
function typeIn({ value, scope }: Evaluation): TypeText | undefined {
  try {
    return typeOf(value, scope);
  } catch (error) {
    if (error instanceof Fault || error instanceof Quiet) return undefined;
    throw error;
  }
}
