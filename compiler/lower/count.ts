// The price of code that exists: instructions of the loop IR by kind, times their trips, and a least-recently-used simulation of the registers
// over each innermost body. price.ts answers the same without code; tests hold the two against each other.
import type { Statement } from "./ir.ts";
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
        pay(s.cost, s.type.width);
        break;
      case "set":
        pay(s.cost, s.width);
        break;
      case "store":
        work += trips * (s.width === 4 ? ns.store4 : ns.store);
        break;
      case "line":
        if (s.cost === "barrier" || s.cost === "fill") work += trips * s.count * ns[s.cost];
        break;
      case "var":
        break;
      case "for":
      case "if": {
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
const token = /(?<![\w.])([a-z]\w*)(?:\.([xyzw]))?(?![\w(])/gi;
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
    if (s.kind === "let" && s.type.element !== "bool" && s.type.element !== "i32") {
      names.add(s.name);
      width.set(s.name, s.type.width);
    } else if (s.kind === "set") {
      names.add(s.name);
      width.set(s.name, s.width);
      for (const end of s.width === 4 ? [".x", ".y", ".z", ".w"] : [""]) sums.add(s.name + end);
    }
  }
  for (const round of [0, 1]) {
    counting = round === 1;
    for (const s of body) {
      if (s.kind !== "let" && s.kind !== "set") continue;
      const used = [...s.code.matchAll(token)].filter(([, name]) => names.has(name!));
      for (let k = 0; k < (width.get(s.name) ?? 1); k++) {
        for (const [, name, component] of used)
          touch(width.get(name!) === 4 ? `${name}.${component ?? "xyzw"[k]}` : name!, false, false);
        if (names.has(s.name))
          touch(
            width.get(s.name) === 4 ? `${s.name}.${"xyzw"[k]}` : s.name,
            true,
            s.kind === "let" || s.operator === "=",
          );
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
