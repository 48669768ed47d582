// Checks of a finished plan by brute force. In: a plan and the lifetimes of its tensors. Throws an InternalError where they are unsound.
import { InternalError } from "../../grammar/diagnostic.ts";
import { type Command, type Dispatch, type Plan, programsOf } from "../../runtime/plan.ts";
import type { Compiled, Lifetime } from "./unit.ts";

export function verifyPlan(plan: Plan, programs: readonly Compiled[]): void {
  for (const p of programsOf(plan)) verifyCommands(p.commands, plan, p.name);
  for (const p of programs) verifyMemory(p.memory, p.name);
}
function verifyCommands(commands: readonly Command[], plan: Plan, name: string): void {
  for (const c of commands) {
    if (c.kind === "loop") verifyCommands(c.body, plan, name);
    else if (c.kind === "copy")
      for (const at of c.from ? [c.from, c.to] : [c.to]) verifyRange({ ...at, bytes: c.bytes }, plan, name);
    else {
      verifyDispatch(c, plan, name);
      for (const { dispatches } of c.alternatives?.ways ?? []) verifyCommands(dispatches, plan, name);
    }
  }
}
/** Its code is there, every binding lies in its buffer, and no buffer is bound both for reading and for writing. */
function verifyDispatch(d: Dispatch, plan: Plan, name: string): void {
  if (!plan.modules[d.module]) throw new InternalError(`plan: ${name} runs ${d.label}, which has no module`);
  for (const b of d.bindings) verifyRange(b, plan, `${name}, ${d.label}`);
  const written = new Set(d.bindings.filter((b) => b.access === "read_write").map((b) => b.buffer));
  const both = d.bindings.find((b) => b.access === "read" && written.has(b.buffer));
  if (both)
    throw new InternalError(`plan: ${name}, ${d.label} binds buffer ${both.buffer} for reading and for writing`);
}
type Range = Pick<Dispatch["bindings"][number], "buffer" | "offset" | "bytes">;
function verifyRange({ buffer, offset, bytes }: Range, plan: Plan, name: string): void {
  const whole = plan.buffers[buffer];
  if (!whole) throw new InternalError(`plan: ${name} binds buffer ${buffer}, which is not there`);
  if (typeof bytes === "number" && typeof whole.bytes === "number" && offset + bytes > whole.bytes)
    throw new InternalError(
      `plan: ${name} binds ${bytes} bytes from ${offset} on of ${whole.label}, which has ${whole.bytes}`,
    );
}
/** No two tensors of one buffer are alive at once. */
function verifyMemory(memory: readonly Lifetime[], name: string): void {
  for (const [i, a] of memory.entries())
    for (const b of memory.slice(i + 1))
      if (a.buffer === b.buffer && a.first <= b.last && b.first <= a.last)
        throw new InternalError(`plan: ${name} has ${a.label} and ${b.label} in one buffer at once`);
}
