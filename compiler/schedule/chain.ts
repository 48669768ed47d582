// What a kernel costs inside a launch of a GPU whose workgroups do several kernels for a tile of rows each. In: the kernel of one workgroup. Out: ns.
// Everything that workgroups read of their own, as the weights of a layer, each of them asks the caches for.
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Target } from "../kernel/target.ts";
import { analyse } from "./access.ts";
import { bytesOf, combined } from "./gpu.ts";
import { nestOf } from "./nest.ts";
import { compileNs, priceOf } from "./price.ts";
import { cheapest, type Placement } from "./rowwise.ts";

/** Of all workgroups, `waves` of which a core does one after the other; Infinity where the kernel has no schedule for it. */
export function priceInChain(
  spec: KernelSpec,
  { groups, workgroup }: { readonly groups: number; readonly workgroup: number },
  target: Target,
): number {
  const waves = Math.ceil(groups / target.cores);
  const launch = { rows: Infinity, workgroup, own: false, inTurn: target.inTurn };
  const found = cheapest(spec, undefined, launch, waves, target);
  if (!found) return Infinity;
  const { placement } = found;
  const { compileMs } = priceOf(placement.nest, placement.schedule, target);
  const own = bytesOf(analyse(nestOf(spec)));
  const bytes = own <= nearBytes ? 0 : own * groups; // a second cache holds what is small
  const cycles = waves * cyclesOf(placement, workgroup, own, target) + bytes / target.gpu!.memoryBytes;
  return cycles / target.gpu!.ghz + waves * target.ns.barrier + compileNs(compileMs, target);
}
/** Of one workgroup on a core that has no other. `bytes`: what it reads and writes. */
function cyclesOf({ count, threads, others }: Placement, workgroup: number, bytes: number, target: Target): number {
  const gpu = target.gpu!;
  const c = count!;
  const each = threads / target.simd; // SIMD groups of one of the kernel's workgroups
  const all = Math.max(1, others * each);
  const turns = Math.ceil((others * threads) / workgroup);
  return combined(
    Math.ceil(all / gpu.simds) * c.issue,
    turns * c.serial,
    all * c.cache,
    all * c.banks,
    Math.min(others * c.bytes, again * bytes) / gpu.sharedBytes,
  );
}
const nearBytes = 2 ** 20; // of one workgroup
const again = 2; // times that the first cache asks for the same, at most
