// Kernels under schedules of the whole space, not only the one that is chosen: those of test/schedule at random sizes, and those that fusion makes of random
// programs. Each runs on the driver against the direct evaluation of its specification; on other targets' schedules too.
import { compile } from "../../compiler/compile.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import type { KernelSpec } from "../../compiler/kernel/kernel.ts";
import type { Step } from "../../compiler/kernel/graph.ts";
import { within } from "../../compiler/graph/compilation.ts";
import { nestOf } from "../../compiler/schedule/nest.ts";
import { enumerate } from "../../compiler/schedule/space.ts";
import { targets } from "../../compiler/kernel/target.ts";
import * as known from "../schedule/cases.ts";
import { check as checkKernel, randomValues } from "../schedule/check.ts";
import { compilationOf, evaluateSpec, overSources, sourcesOf } from "../schedule/reference.ts";
import { shorter, type Area, type On, type Outcome } from "./area.ts";
import { exactProgram } from "./exact.ts";
import { random, type Random } from "./random.ts";
import { smoothProgram } from "./smooth.ts";
import { trainingArea } from "./training.ts";

interface KernelCase {
  readonly seed: number;
  /** The program whose kernels are tried; otherwise one of the known kernels. */
  readonly text?: string;
  /** One of its kernels, and one schedule of that: without them, some of each. */
  readonly kernel?: number;
  readonly schedule?: number;
  readonly target?: string;
}
function knownKernel(r: Random): known.Case {
  const n = (): number => r.pick([1, 2, 3, 5, 8, 13, 17, 32, 33]);
  return r.pick([
    () => known.product(r.pick(["NN", "TN", "NT"]), n(), n(), n(), r.chance(0.4)),
    () => known.scores(r.int(1, 2), r.int(1, 3), n(), r.int(1, 5), r.chance(0.5)),
    () => known.causalValues(r.int(1, 2), r.int(1, 3), r.int(1, 9), n()),
    () => known.conv(r.int(1, 2), r.int(3, 9), r.int(1, 4), n(), r.pick([1, 3, 5]), r.int(1, 2), r.chance(0.5)),
    () => known.convInput(r.int(1, 2), r.int(3, 9), r.int(1, 4), n()),
    () => known.convWeight(r.int(1, 2), r.int(3, 9), r.int(1, 4), n()),
    () => known.gatheredProduct(r.int(1, 40), n(), n(), n()),
    () => known.batchedProduct(r.int(1, 4), n(), n(), n()),
    () => known.dilatedConv(r.int(1, 2), r.int(3, 9), r.int(1, 5), n(), r.int(1, 3)),
    () => known.pool(r.int(1, 2), 2 * r.int(1, 5), r.int(1, 9)),
    () => known.poolGradient(r.int(1, 2), 2 * r.int(1, 5), r.int(1, 9)),
    () => known.softmax(n(), n()),
    () => known.softmaxGradient(n(), n()),
    () => known.layerNorm(n(), n()),
    () => known.crossEntropy(n(), n()),
    () => r.pick(known.cases),
  ])();
}
function make(seed: number): KernelCase {
  const r = random(seed);
  if (r.chance(0.4)) return { seed };
  return {
    seed,
    text: r.pick([() => exactProgram(seed).text, () => smoothProgram(seed).text, () => trainingArea.make(seed).text])(),
  };
}
const specs = (steps: readonly Step[]): KernelSpec[] => steps.flatMap((s) => (s.kind === "kernel" ? [s.spec] : [])); // bodies of loops read their steps

async function check(c: KernelCase, on: On): Promise<Outcome> {
  const r = random(c.seed + 1);
  const device = { device: on.device, name: on.target.name, lanes: on.lanes };
  let kernels: known.Case[];
  if (c.text === undefined) kernels = [knownKernel(r)];
  else {
    const { plan, programs, diagnostics } = compile(c.text, { name: "fuzz.dlm", target: on.target });
    if (!plan)
      return renderDiagnostics(diagnostics) ? "refused" : Promise.reject(new Error("no plan, and no diagnostics"));
    kernels = programs.flatMap((p) => {
      const dims = Object.fromEntries(p.simplified.dims.map((d) => [d.name, 3 + (c.seed % 5)]));
      return specs(p.kernels.steps).map((spec) => ({ name: spec.name, spec, dims }));
    });
  }
  const tried =
    c.kernel === undefined
      ? kernels.map((k, i) => [k, i] as const).filter(() => kernels.length <= 4 || r.chance(4 / kernels.length))
      : [[kernels[c.kernel]!, c.kernel] as const];
  const own = [on.target, targets["software"]!, ...Object.values(targets).filter((t) => t.class !== "software")];
  for (const [kernel, i] of tried) {
    const spec = overSources(kernel.spec);
    const expected = evaluateSpec(spec, randomValues(sourcesOf(spec), kernel.dims ?? {}, c.seed), kernel.dims);
    if ([...expected.values()].some((x) => x.some(Number.isNaN))) continue; // drawn integers lead outside where the program's own could not
    const inside = <T>(run: () => T): T => within(compilationOf(spec), run);
    const nest = inside(() => nestOf(spec));
    for (const target of own.filter((t) => c.target === undefined || t.name === c.target)) {
      const space = inside(() => enumerate(nest, target));
      const staged = [...space.keys()].filter((s) => space[s]!.schedule.joined); // of a contraction, one of each kind
      const others = [...space.keys()].filter((s) => !space[s]!.schedule.joined);
      const lists = staged.length ? [staged, others] : [others, others];
      const chosen =
        c.schedule !== undefined ? [c.schedule] : lists.flatMap((list) => (list.length ? [r.pick(list)] : []));
      for (const s of chosen)
        try {
          await checkKernel(device, kernel, { target, schedule: space[s]!.schedule, seed: c.seed });
        } catch (error) {
          throw new Error(
            `${(error as Error).message.split("\n")[0]}\nkernel ${i}, schedule ${s} of ${space.length} for ${target.name}\n${(error as Error).message}`,
          );
        }
    }
  }
  return "held";
}
export const kernelArea: Area<KernelCase> = {
  name: "kernels",
  make,
  check,
  smaller: function* (c) {
    if (c.text !== undefined) for (const text of shorter(c.text)) yield { ...c, text };
  },
};
