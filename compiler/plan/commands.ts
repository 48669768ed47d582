// One unit as commands: dispatches with their bindings, loops, copies. In: lowered steps, an address for every tensor. Out: commands.
import { InternalError } from "../../grammar/diagnostic.ts";
import type { Command, Copy, Dispatch } from "../../runtime/plan.ts";
import { baseOf } from "../graph/node.ts";
import type { Node, Scan } from "../graph/types.ts";
import type { KernelStep } from "../kernel/graph.ts";
import type { Declaration, Module } from "../kernel/ir.ts";
import type { Target } from "../kernel/target.ts";
import type { Binding, LoweredKernel } from "../lower/lower.ts";
import type { WholeKernel } from "../lower/whole.ts";
import type { AsLaunches, LoweredLaunch, LoweredStep } from "../programs/lower.ts";
import type { Move } from "../programs/moves.ts";
import { bytesOf, elements } from "../scalar/dtype.ts";
import { wgslName } from "../wgsl/names.ts";
import { shifted, type Address, type AddressOf, type Buffers } from "./buffers.ts";
import type { Modules } from "./modules.ts";

export interface Places {
  readonly buffers: Buffers;
  readonly modules: Modules;
  readonly target: Target;
  readonly addressOf: AddressOf;
}
/** A dispatch's kernel, for dumps. */
export interface Launched {
  readonly step: KernelStep;
  readonly kernel: LoweredKernel;
  readonly module: number;
  readonly asLaunches?: AsLaunches;
}

export function commandsOf(
  steps: readonly LoweredStep[],
  places: Places,
): { readonly commands: readonly Command[]; readonly launched: readonly Launched[] } {
  const launched: Launched[] = [];
  const roundsOf = new Map<Scan, number>(); // the buffer with the numbers of the rounds
  const at = (list: readonly LoweredStep[], depth: number): Command[] =>
    list.flatMap((s): Command[] => {
      if (s.kind === "kernel")
        return (s.moves && copies(s.moves, places)) ?? dispatches(s, places, roundsOf, (made) => launched.push(made));
      const { scan } = s;
      const stepBuffer = places.buffers.rounds(depth, scan.count);
      roundsOf.set(scan, stepBuffer);
      const body = at(s.body, depth + 1);
      return [{ kind: "loop", count: scan.count, reverse: scan.reverse, stepBuffer, body }];
    });
  return { commands: at(steps, 0), launched };
}
/** Memory that is bytes, and copies inside one buffer or of what the kernel itself writes, stay with kernels. */
function copies(moves: readonly Move[], { buffers, addressOf }: Places): Copy[] | undefined {
  const result: Copy[] = [];
  for (const { target, at, count, from } of moves) {
    const to = shifted(addressOf(target), at, target.dtype);
    const source = from && shifted(addressOf(from.node), from.at, from.node.dtype);
    if (buffers.isBytes(target)) return undefined;
    if (from && source) {
      if (buffers.isBytes(from.node) || source.buffer === to.buffer) return undefined;
      if (result.some((c) => c.to.buffer === source.buffer)) return undefined;
    }
    result.push({ kind: "copy", ...(source ? { from: source } : {}), to, bytes: bytesOf(target.dtype) * count });
  }
  return result;
}

// ---- dispatches

/** The kernel, after those that make its parts. */
function dispatches(
  { step, runs, kernel: lowered, asLaunches }: LoweredLaunch,
  places: Places,
  roundsOf: ReadonlyMap<Scan, number>,
  note: (made: Launched) => void,
): Command[] {
  const { buffers } = places;
  const kernel = lowered();
  const partials = new Map<Node, Address>();
  const addressOf: AddressOf = (x) => partials.get(x) ?? places.addressOf(x);
  const kernels = [...(kernel.before ?? []), kernel];
  buffers.addSites(kernels.flatMap((k) => k.bindings.map((b) => b.node)));
  return kernels.map((k) => {
    for (const { node: x, within } of k.bindings) {
      if (x.kind === "scan" || within || buffers.has(x) || step.reads.has(x) || step.writes.has(x) || partials.has(x))
        continue;
      partials.set(x, buffers.partial(buffers.bytesOf(x), partials.size));
    }
    const noteAll = (made: Launched): void => note(asLaunches ? { ...made, asLaunches } : made);
    return dispatch(step, k, runs, { ...places, addressOf }, roundsOf, noteAll);
  });
}
function dispatch(
  step: KernelStep,
  kernel: LoweredKernel,
  runs: number,
  places: Places,
  roundsOf: ReadonlyMap<Scan, number>,
  note: (made: Launched) => void,
): Dispatch {
  const { name } = step.spec;
  const { bindings, module: code } = boundOnce(name, kernel, bindingsOf(kernel.bindings, places, roundsOf));
  const storage = bindings.filter((b) => b.access !== "uniform").length;
  if (storage > places.target.storageBuffers)
    throw new InternalError(`plan: ${name} binds ${storage} buffers: ${kernel.bindings.map(bindingText).join(", ")}`);
  const module = kernel.inside ? places.modules.add(name, code) : places.modules.addKernel(name, code, kernel, runs);
  note({ step, kernel, module });
  return dispatchOf(step, kernel, bindings, module);
}
export const dispatchOf = (
  { spec: { name, lines } }: KernelStep,
  kernel: LoweredKernel,
  bindings: Dispatch["bindings"],
  module: number,
): Dispatch => ({
  kind: "dispatch",
  label: name,
  module,
  entry: kernel.entry,
  ...(kernel.constants.length ? { constants: kernel.constants } : {}),
  bindings,
  workgroups: kernel.workgroups,
  flops: kernel.flops,
  ...(lines?.length ? { lines } : {}),
});
function bindingsOf(
  list: readonly Binding[],
  { buffers, addressOf }: Places,
  roundsOf: ReadonlyMap<Scan, number>,
): Dispatch["bindings"] {
  return list.map(({ node, within, binding, access }) => {
    if (node.kind === "scan")
      return { binding, buffer: roundsOf.get(node)!, offset: 0, bytes: elements.i32.bytes, access };
    const base = baseOf(node);
    const at = within ? shifted(addressOf(within.memory), within.offset, base.dtype) : addressOf(base);
    return { binding, ...at, bytes: buffers.bytesOf(base), access };
  });
}
/** A buffer is bound for writing or for reading in one dispatch, not both: what is read beside it is bound for writing too, and must lie apart. */
export function boundOnce(
  name: string,
  kernel: LoweredKernel,
  bindings: Dispatch["bindings"],
): { readonly bindings: Dispatch["bindings"]; readonly module: Module } {
  const written = bindings.filter((b) => b.access === "read_write");
  let { module } = kernel;
  const result = bindings.map((b): (typeof bindings)[number] => {
    if (b.access !== "read" || !written.some((w) => w.buffer === b.buffer)) return b;
    if (bindings.some((o) => o !== b && overlap(o, b)))
      throw new InternalError(
        `plan: ${name} reads and writes the same memory under two names: ${kernel.bindings.map((x) => `${bindingText(x)} ${x.access}`).join(", ")}`,
      );
    const declared = (d: Declaration, k: number): Declaration =>
      k === b.binding ? { ...d, space: "storage, read_write" } : d;
    module = { ...module, bindings: module.bindings.map(declared) };
    return { ...b, access: "read_write" };
  });
  return { bindings: result, module };
}
type Bound = Dispatch["bindings"][number];
const overlap = (a: Bound, b: Bound): boolean =>
  a.buffer === b.buffer &&
  typeof a.bytes === "number" &&
  typeof b.bytes === "number" &&
  a.offset < b.offset + b.bytes &&
  b.offset < a.offset + a.bytes;
const bindingText = ({ node }: Binding): string =>
  node.kind === "scan" ? "step" : node.kind === "source" ? node.path : (node.label ?? node.kind);

/** A whole step, and many of them, in one launch; `rounds` says how many. */
export function wholeDispatch(
  name: string,
  made: WholeKernel,
  { buffers, modules, addressOf }: Places,
): { readonly dispatch: Dispatch; readonly rounds: Address } {
  const rounds = buffers.at({ label: `${name}.rounds`, role: "input", bytes: elements.i32.bytes });
  const bindings: Dispatch["bindings"] = [
    ...made.bindings.map(({ node, binding, access }) => ({
      binding,
      ...addressOf(node),
      bytes: buffers.bytesOf(node),
      access,
    })),
    { binding: made.rounds, ...rounds, bytes: elements.i32.bytes, access: "uniform" },
  ];
  const dispatch: Dispatch = {
    kind: "dispatch",
    label: wgslName(name),
    module: modules.add(wgslName(name), made.module),
    entry: made.entry,
    bindings,
    workgroups: [1, 1],
    flops: made.flops,
    lines: made.lines,
  };
  return { dispatch, rounds };
}
