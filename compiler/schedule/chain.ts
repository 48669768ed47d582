// What a kernel costs inside a launch of a GPU whose workgroups do several kernels for a tile of rows each. In: the kernel of one workgroup. Out: its
// schedule there, and ns. Everything that workgroups read of their own, as the weights of a layer, each of them asks the caches for.
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Target } from "../kernel/target.ts";
import { analyse } from "./access.ts";
import type { Count } from "./gpu-count.ts";
import { bytesOf, combined, residentGroups } from "./gpu.ts";
import { nestOf } from "./nest.ts";
import { compileNs } from "./price.ts";
import { cheapestBy, type Chosen, type Launch, type Sized } from "./rowwise.ts";

export interface Chain extends Pick<Launch, "workgroup" | "inTurn"> {
  readonly groups: number; // workgroups of the launch
}
/** Undefined where the kernel has no schedule for it that takes less than `most` ns. */
export function cheapestInChain(spec: KernelSpec, chain: Chain, target: Target, most = Infinity): Chosen | undefined {
  const gpu = target.gpu!;
  const onCore = Math.ceil(chain.groups / target.cores);
  const own = bytesOf(analyse(nestOf(spec)));
  const fromMemory = own <= nearBytes ? 0 : (own * chain.groups) / gpu.memoryBytes; // a second cache holds what is small
  const { groups, workgroup, inTurn } = chain;
  const totalOf = (o: Sized): number => {
    const rounds = Math.max(1, onCore / together(o.count!, workgroup, target));
    const cycles = cyclesOf(o, workgroup, onCore, rounds, own, target) + fromMemory;
    return cycles / gpu.ghz + rounds * target.ns.barrier + compileNs(o.compileMs, target);
  };
  return cheapestBy(spec, `chain ${groups} ${workgroup} ${inTurn}`, chain, target, totalOf, most);
}
/** Workgroups that a core has at a time: each may take all the memory that a workgroup is granted. */
function together({ registers }: Count, workgroup: number, { gpu, simd, workgroupMemory }: Target): number {
  const { simds, workgroups } = gpu!;
  const byMemory = Math.floor(gpu!.workgroupMemory / workgroupMemory);
  const groups = residentGroups({ registers, workgroupMemory: 0 }, 1, gpu!) * simds;
  return Math.max(1, Math.min(workgroups, byMemory, Math.floor((groups * simd) / workgroup)));
}
/** Of all workgroups of a core, so many of which follow one another. `bytes`: what one reads and writes. */
function cyclesOf(
  { count, threads, others }: Sized,
  workgroup: number,
  onCore: number,
  rounds: number,
  bytes: number,
  { gpu, simd }: Target,
): number {
  const c = count!;
  const all = onCore * Math.max(1, (others * threads) / simd); // SIMD groups
  return combined(
    Math.ceil(all / gpu!.simds) * c.issue,
    rounds * Math.ceil((others * threads) / workgroup) * c.serial,
    all * c.cache,
    all * c.banks,
    (onCore * Math.min(others * c.bytes, again * bytes)) / gpu!.sharedBytes,
  );
}
const nearBytes = 2 ** 20; // of one workgroup
const again = 2; // times that the first cache asks for the same, at most
