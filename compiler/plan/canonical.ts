// A module without what only people read: no comments, names numbered by their first appearance, helper functions by their name alone. Two
// kernels of equal canonical text are one module.
import type { Module } from "../kernel/ir.ts";
import { printModule } from "../wgsl/print.ts";

export function canonicalModule(m: Module): string {
  const numbered = new Map(m.overrides.map((name) => [name, name])); // sizes of the run
  const number = (name: string): string => {
    let own = numbered.get(name);
    if (own === undefined) numbered.set(name, (own = `v${numbered.size}`));
    return own;
  };
  return printModule(m, { name: number, comments: false }, m.helpers);
}
