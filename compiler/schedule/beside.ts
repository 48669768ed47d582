// Kernels that wait for none of each other in one launch of a GPU: each workgroup does a tile of one of them, or as many of its tiles as have room. In: the
// kernels. Out: the schedule of each, and ns of the launch.
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Target } from "../kernel/target.ts";
import { analyse } from "./access.ts";
import { bytesOf, combined, residentGroups } from "./gpu.ts";
import { nestOf } from "./nest.ts";
import { compileNs } from "./price.ts";
import { cheapestBy, type Chosen, type Launch, type Placement } from "./rowwise.ts";

export type Beside = Pick<Launch, "workgroup" | "inTurn">;
/** A kernel among the others of a launch, if all cores share its workgroups. Times are cycles of one core. */
export interface Load {
  readonly busy: readonly number[]; // what its instructions, caches and memory take, each of which is shared with the others'
  readonly serial: number; // from the begin of a workgroup to its end, where nothing else is in the way ...
  readonly waits: number; // ... and how often a core waits so long, one workgroup after the other
  readonly registers: number;
  readonly workgroupMemory: number;
}
/** By what it takes alone. Undefined where the kernel has no schedule for it. */
export function cheapestBeside(spec: KernelSpec, launch: Beside, target: Target): Chosen | undefined {
  const bytes = bytesOf(analyse(nestOf(spec)));
  const { workgroup, inTurn } = launch;
  return cheapestBy(spec, `beside ${workgroup} ${inTurn}`, launch, target, (o) => {
    const ns = nsOf([loadOf(o, bytes, workgroup, target)], workgroup, target);
    return ns + compileNs(o.compileMs, target);
  });
}
/** Workgroups of a launch that do a kernel of so many tiles, which so many invocations do each. */
export const groupsBeside = (tiles: number, threads: number, workgroup: number): number =>
  Math.ceil(tiles / (workgroup / threads));

/** What `cheapestBeside` takes. */
export function loadBeside(spec: KernelSpec, launch: Beside, target: Target): Load | undefined {
  const chosen = cheapestBeside(spec, launch, target);
  return chosen && loadOf(chosen.placement, bytesOf(analyse(nestOf(spec))), launch.workgroup, target);
}
/** `bytes`: that the kernel reads and writes at least. */
function loadOf(
  o: Pick<Placement, "count" | "threads" | "others">,
  bytes: number,
  workgroup: number,
  target: Target,
): Load {
  const gpu = target.gpu!;
  const c = o.count!;
  const onCore = groupsBeside(o.others, o.threads, workgroup) / target.cores;
  const waves = Math.ceil(workgroup / target.simd);
  const fetched = o.others * c.bytes;
  return {
    busy: [
      onCore * (waves / gpu.simds) * c.issue,
      onCore * waves * c.cache,
      onCore * waves * c.banks,
      Math.max(fetched / target.cores / gpu.sharedBytes, fetched / gpu.allShared),
      bytes / gpu.memoryBytes,
      onCore * gpu.start,
    ],
    serial: c.serial + Math.ceil(waves / gpu.simds) * c.issue,
    waits: onCore,
    registers: c.registers,
    workgroupMemory: c.workgroupMemory,
  };
}
/** ns of a launch of these. All of its workgroups have the registers and the memory of the greediest. */
export function nsOf(loads: readonly Load[], workgroup: number, target: Target): number {
  const gpu = target.gpu!;
  const most = (of: "registers" | "workgroupMemory" | "serial"): number => Math.max(...loads.map((l) => l[of]));
  const waves = Math.ceil(workgroup / target.simd);
  const limits = { registers: most("registers"), workgroupMemory: most("workgroupMemory") };
  const resident = Math.floor((residentGroups(limits, waves, gpu) * gpu.simds) / waves);
  const together = Math.max(1, Math.min(gpu.workgroups, resident)); // workgroups of a core
  const waiting = loads.reduce((n, l) => n + (l.waits * l.serial) / together, 0);
  const busy = loads[0]!.busy.map((_, k) => loads.reduce((n, l) => n + l.busy[k]!, 0));
  const cycles = Math.max(most("serial"), combined(waiting, ...busy)); // no launch is done before its longest workgroup
  return target.launchNs + cycles / gpu.ghz;
}
