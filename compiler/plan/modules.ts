// The modules of a plan, while it is made: equal kernels are one module. In: modules as trees. Out: a number for each, and what all of them need.
import type { Plan, PlanModule } from "../../runtime/plan.ts";
import type { Module } from "../kernel/ir.ts";
import type { LoweredKernel } from "../lower/lower.ts";
import { wgslName } from "../wgsl/names.ts";
import { canonicalModule } from "./canonical.ts";

/** What is known of a module that is made of one kernel. */
export interface ModuleUse {
  readonly compileMs: number; // of the driver
  readonly starts: number; // of SIMD groups, in all runs that are expected
}

export class Modules {
  readonly list: PlanModule[] = []; // without their code
  readonly trees: Module[] = []; // of the modules
  readonly uses = new Map<number, ModuleUse>();
  private readonly canonicalOf = new Map<Module, string>(); // most kernels are lowered once for many tensors
  private readonly numberOf = new Map<string, number>(); // by canonical text
  private readonly taken = new Map<string, number>(); // how often each name is

  add(name: string, module: Module): number {
    let canonical = this.canonicalOf.get(module);
    if (canonical === undefined) this.canonicalOf.set(module, (canonical = canonicalModule(module)));
    const known = this.numberOf.get(canonical);
    if (known !== undefined) return known;
    const base = wgslName(name);
    const n = (this.taken.get(base) ?? 0) + 1;
    this.taken.set(base, n);
    this.list.push({ name: n === 1 ? base : `${base}_${n}` });
    this.trees.push(module);
    this.numberOf.set(canonical, this.list.length - 1);
    return this.list.length - 1;
  }
  /** A kernel that is run so often; `module` has the bindings of its place. */
  addKernel(name: string, module: Module, { price }: LoweredKernel, runs: number): number {
    const number = this.add(name, module);
    const starts = price.starts * runs + (this.uses.get(number)?.starts ?? 0);
    this.uses.set(number, { compileMs: price.compileMs, starts });
    return number;
  }
  /** The same, to be gone on with. */
  copy(): Modules {
    const made = new Modules();
    made.list.push(...this.list);
    made.trees.push(...this.trees);
    for (const key of ["uses", "canonicalOf", "numberOf", "taken"] as const)
      this[key].forEach((value, k) => (made[key] as Map<unknown, unknown>).set(k, value));
    return made;
  }
  requires(lanes: number): Pick<Plan["requires"], "features" | "subgroupSize"> {
    const usesSubgroups = this.trees.some((m) => m.enables.includes("subgroups"));
    return usesSubgroups ? { features: ["subgroups"], subgroupSize: lanes } : { features: [] };
  }
}
