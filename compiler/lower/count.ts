// The price of code that exists: instructions of the loop IR by kind, times their trips, and a least-recently-used simulation of the registers
// over each innermost body. price.ts answers the same without code; tests hold the two against each other.
import { components, type Expr } from "../kernel/expr.ts";
import type { Statement } from "../kernel/ir.ts";
import type { Cost, Target } from "../kernel/target.ts";
import type { Emitted } from "./template.ts";

const memoryKinds: ReadonlySet<Cost> = new Set(["load", "load4", "workgroup"]);
/** Kinds that a vec4 pays four times. */
const byElement: ReadonlySet<Cost> = new Set([
  "alu",
  "divide",
  "function",
  "select",
  "compare",
  "integer",
  "broadcast",
  "reduce",
]);

export interface Count {
  readonly memory: number; // ns of loads of one SIMD group
  readonly work: number; // ns of everything else
}
export function countCode(body: readonly Statement[], target: Target, trips = 1): Count {
  const { ns } = target;
  let memory = 0;
  let work = 0;
  const pay = (cost: Cost, width: number): void => {
    const price = ns[cost] * (byElement.has(cost) ? width : 1) * trips;
    if (memoryKinds.has(cost)) memory += price;
    else work += price;
  };
  for (const s of body) {
    switch (s.kind) {
      case "let":
      case "set":
        pay(s.cost, s.value.type.width);
        break;
      case "store":
        work += trips * (s.value.type.width === 4 ? ns.store4 : ns.store);
        break;
      case "barrier":
        work += trips * ns.barrier;
        break;
      case "var":
      case "moves":
      case "invoke":
      case "comment":
        break;
      case "for":
      case "if":
      case "exchange": {
        const inner = countCode(s.body, target, s.kind === "for" ? trips * s.trips : trips);
        memory += inner.memory;
        work += inner.work + (s.kind === "for" ? trips * s.trips * ns.loop : 0);
        if (s.kind === "for" && !s.body.some((t) => t.kind === "for"))
          work += trips * s.trips * spills(s.body, target.registers) * (ns.spill / 2);
        break;
      }
      default:
        s satisfies never;
    }
  }
  return { memory, work };
}
/** The variables that an expression reads, in order; of a vector perhaps one component. */
function* reads(e: Expr): Generator<{ readonly name: string; readonly component?: string }> {
  const of = e.op === "member" ? e.args[0]! : e;
  if (of.op === "name") yield { name: of.text, ...(of === e ? {} : { component: e.text }) };
  else for (const a of e.args) yield* reads(a);
}
/** Sums that come from memory and go there in one round of a body whose values fill the registers. What is only read comes with its instruction. */
function spills(body: readonly Statement[], registers: number): number {
  const held = new Map<string, boolean>(); // name -> changed since it was loaded; in order of use
  const width = new Map<string, number>();
  let count = 0;
  let counting = false;
  const touch = (name: string, changes: boolean, fresh: boolean): void => {
    const known = held.get(name);
    if (known === undefined && !fresh && counting && sums.has(name)) count++;
    held.delete(name);
    held.set(name, (known ?? false) || changes);
    if (held.size <= registers) return;
    const [oldest, changed] = held.entries().next().value!;
    held.delete(oldest);
    if (changed && counting && sums.has(oldest)) count++;
  };
  const names = new Set<string>();
  const sums = new Set<string>(); // with their components
  for (const s of body) {
    const { element } = s.kind === "let" ? s.value.type : { element: undefined };
    if (s.kind === "let" && element !== "bool" && element !== "i32") {
      names.add(s.name);
      width.set(s.name, s.value.type.width);
    } else if (s.kind === "set") {
      const { text, type } = s.target;
      names.add(text);
      width.set(text, type.width);
      for (const end of type.width === 4 ? components.map((c) => `.${c}`) : [""]) sums.add(text + end);
    }
  }
  for (const round of [0, 1]) {
    counting = round === 1;
    for (const s of body) {
      if (s.kind !== "let" && s.kind !== "set") continue;
      const own = s.kind === "let" ? s.name : s.target.text;
      const used = [...reads(s.value)].filter(({ name }) => names.has(name));
      for (let k = 0; k < (width.get(own) ?? 1); k++) {
        for (const { name, component = components[k] } of used)
          touch(width.get(name) === 4 ? `${name}.${component}` : name, false, false);
        if (names.has(own))
          touch(width.get(own) === 4 ? `${own}.${components[k]}` : own, true, s.kind === "let" || s.operator === "=");
      }
    }
  }
  return count;
}

/** ns of one run. */
export function priceOfCode(emitted: Emitted, target: Target): number {
  const { memory, work } = countCode(emitted.body, target);
  const group = Math.max(memory, work) + target.overlap * Math.min(memory, work);
  const each = target.workgroupNs + Math.ceil(emitted.workgroup / target.simd) * group;
  return (
    target.launchNs +
    Math.max(target.latency * group, Math.ceil(emitted.groups / target.cores / target.resident) * each)
  );
}
