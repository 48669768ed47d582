// Values carried round the innermost loop: what one step loads of a window is there already for the next.
import type { DType } from "../graph/types.ts";
import { formKey, shift, type Form } from "../kernel/forms.ts";
import { name } from "../kernel/expr.ts";
import type { Let, LoadOf, Statement } from "../kernel/ir.ts";
import type { Values } from "./values.ts";

/** A load whose indices, one step of the loop on, are those of another load now is carried over instead of loaded. Guards shift with the indices. */
export function carryRound(values: Values, loop: { readonly variable: string; readonly step: number }): void {
  const block = values.blocks[values.depth]!;
  const key = (load: LoadOf, by: number): string =>
    `${load.tensor.id}:${load.indices.map((f) => formKey(shift(f, (f.terms.get(loop.variable) ?? 0) * by))).join(";")}`;
  const own = (load: LoadOf): boolean =>
    load.indices.some((f) => f.terms.has(loop.variable)) &&
    load.indices.every((f) =>
      [...f.terms.keys()].every((name) => name === loop.variable || values.names.get(name)!.level < values.depth),
    );
  const loads = block.statements.filter(
    (s): s is Let & { load: LoadOf } =>
      s.kind === "let" && s.load !== undefined && s.value.type.width === 1 && own(s.load),
  );
  const now = new Map(loads.map((s) => [key(s.load, 0), s]));
  const next = new Map<Let & { load: LoadOf }, Let & { load: LoadOf }>();
  for (const s of loads) {
    const other = now.get(key(s.load, loop.step));
    if (other && other !== s) next.set(s, other);
  }
  if (!next.size) return;
  // chain order: a value is overwritten before the one it is taken from
  const sources = new Set(next.values());
  const tail: Statement[] = [];
  const gone = new Set<Statement>();
  const body = values.close();
  for (const head of [...next.keys()].filter((s) => !sources.has(s)))
    for (let s = head; next.has(s); s = next.get(s)!) {
      const indices = s.load.indices.map((f): Form => ({
        terms: new Map([...f.terms].filter(([name]) => name !== loop.variable)),
        constant: f.constant,
      }));
      const outside = s.load.outside;
      const first = values.loadAt(
        { tensor: s.load.tensor, dtype: s.value.type.element as DType },
        indices,
        () => values.addressOfForms(s.load.tensor.shape, indices),
        outside === undefined ? undefined : () => ({ expr: outside, level: 0 }),
      );
      const { type } = s.value;
      const later = name(next.get(s)!.name, type);
      values.push({ kind: "var", name: s.name, value: first.expr });
      tail.push({ kind: "set", target: name(s.name, type), operator: "=", value: later, cost: "none" });
      gone.add(s);
    }
  values.blocks.push({ ...body, statements: [...body.statements.filter((s) => !gone.has(s)), ...tail] });
}
