// What kernels cost as launches and as parts of them. In: kernels, a target. Out: ns.
import type { KernelStep } from "../kernel/graph.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import { specKey } from "../kernel/spec-key.ts";
import type { Target } from "../kernel/target.ts";
import { cheapestInChain } from "../schedule/chain.ts";
import { choose } from "../schedule/choose.ts";
import { estimate, nestOf } from "../schedule/nest.ts";
import type { OnGrid } from "./local.ts";

/** Prices of kernels, once for all that differ in their tensors alone. */
export class Prices {
  readonly target: Target;
  private readonly known = new Map<string, number>();
  private readonly keys = new WeakMap<KernelSpec, string>();

  constructor(target: Target) {
    this.target = target;
  }
  /** ns of a launch. */
  alone({ spec }: KernelStep): number {
    return this.once(this.keyOf(spec), () => choose(nestOf(spec), this.target).total);
  }
  /** ns as a part of a launch. */
  inside({ spec }: KernelStep, { grid, workgroup }: OnGrid): number {
    const groups = grid.reduce((n, s) => n * estimate(s.step.extent), 1);
    const key = `${groups} ${workgroup} ${this.keyOf(spec)}`;
    const chain = { groups, workgroup, inTurn: this.target.inTurn };
    return this.once(key, () => cheapestInChain(spec, chain, this.target)?.total ?? Infinity);
  }
  private once(key: string, price: () => number): number {
    let ns = this.known.get(key);
    if (ns === undefined) this.known.set(key, (ns = price()));
    return ns;
  }
  private keyOf(spec: KernelSpec): string {
    let key = this.keys.get(spec);
    if (key === undefined) this.keys.set(spec, (key = specKey(spec).key));
    return key;
  }
}
