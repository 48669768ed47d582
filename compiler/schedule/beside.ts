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
  readonly busy: readonly number[]; // what its instructions and each of the caches take, which is shared with the others'
  readonly memory: number; // what all cores wait for
  readonly onCore: number; // workgroups of a core
  readonly serial: number; // from the beginning of one to its end, where nothing else is in the way
  readonly registers: number;
  readonly workgroupMemory: number;
  readonly driver: number; // ns: the share of one run in what its compilation costs
}
/** By what it takes alone. Undefined where the kernel has no schedule for it. */
export function cheapestBeside(spec: KernelSpec, launch: Beside, target: Target): Chosen | undefined {
  const bytes = bytesOf(analyse(nestOf(spec)));
  const { workgroup, inTurn } = launch;
  const { simd, gpu } = target;
  return cheapestBy(spec, `beside ${workgroup} ${inTurn}`, launch, target, (o) => {
    if (o.threads !== workgroup && o.threads % (simd * gpu!.inStep)) return Infinity; // its lanes would be of several tiles
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
  if (!chosen) return undefined;
  const load = loadOf(chosen.placement, bytesOf(analyse(nestOf(spec))), launch.workgroup, target);
  return { ...load, driver: chosen.total - nsOf([load], launch.workgroup, target) };
}
/** `bytes`: that the kernel reads and writes at least. */
function loadOf(
  o: Pick<Placement, "countAlone" | "threads" | "others">,
  bytes: number,
  workgroup: number,
  target: Target,
): Load {
  const gpu = target.gpu!;
  const c = o.countAlone!;
  const onCore = groupsBeside(o.others, o.threads, workgroup) / target.cores;
  const waves = Math.ceil(workgroup / target.simd);
  const fetched = o.others * c.bytes;
  return {
    busy: [
      onCore * (waves / gpu.simds) * c.issue,
      onCore * waves * c.cache,
      onCore * waves * c.banks,
      Math.max(fetched / target.cores / gpu.sharedBytes, fetched / gpu.allShared),
      onCore * gpu.start,
    ],
    memory: bytes / gpu.memoryBytes,
    serial: c.serial + Math.ceil(waves / gpu.simds) * c.issue,
    onCore,
    registers: c.registers,
    workgroupMemory: c.workgroupMemory,
    driver: 0,
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
  const onCore = loads.reduce((n, l) => n + l.onCore, 0);
  const whole = Math.ceil(onCore) / onCore; // some cores have one more than others
  const waiting = (loads.reduce((n, l) => n + l.onCore * l.serial, 0) * whole) / together;
  const busy = loads[0]!.busy.map((_, k) => loads.reduce((n, l) => n + l.busy[k]!, 0) * whole);
  const cycles = Math.max(
    most("serial"),
    combined(
      combined(waiting, ...busy),
      loads.reduce((n, l) => n + l.memory, 0),
    ),
  ); // no launch is done before its longest workgroup
  return target.launchNs + cycles / gpu.ghz + loads.reduce((n, l) => n + l.driver, 0);
}
