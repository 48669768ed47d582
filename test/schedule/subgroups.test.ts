// Lanes that share a reduction exchange their parts by operations of subgroups where the device can: the text, the same bits, and who is not trusted to.
// The embedded device has subgroups of 4; Mesa's has those of 8 and 16: `DLM_DEVICE=llvmpipe LP_NATIVE_VECTOR_WIDTH=512`.
// At 1024 its own exchange with the lane 16 further is wrong, and such a device is not trusted.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { within } from "../../compiler/graph/compilation.ts";
import { baseOf } from "../../compiler/graph/node.ts";
import type { ReductionOp, Scalar, Source } from "../../compiler/graph/types.ts";
import type { Module } from "../../compiler/kernel/ir.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { lowerKernel, type LoweredKernel } from "../../compiler/lower/lower.ts";
import { nestOf } from "../../compiler/schedule/nest.ts";
import { plainSchedule, printSchedule, type Schedule } from "../../compiler/schedule/schedule.ts";
import { enumerate } from "../../compiler/schedule/space.ts";
import { printModule, subgroupEdits } from "../../compiler/wgsl/print.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { withSubgroups, type Plan, type PlanModule } from "../../runtime/plan.ts";
import { refusalsOf } from "../accepted.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";
import {
  argmaxRows,
  columnSums,
  crossEntropy,
  layerNorm,
  prefixSums,
  rowSums,
  softmax,
  softmaxGradient,
  sumOfSquares,
  type Case,
} from "./cases.ts";
import { generator, layoutFor, randomValues } from "./check.ts";
import { prepare, runOnce, type TestDevice } from "./device.ts";
import { openDevice } from "./open.ts";
import { compilationOf, overSources, sourcesOf } from "./reference.ts";
import { at, SpecBuilder, tensor } from "./spec.ts";

const discrete = targets["discrete"]!;
const on = (schedule: Partial<Schedule>): Schedule => ({ ...plainSchedule, together: "workgroup", ...schedule });
const lowered = (c: Case, schedule?: Schedule): LoweredKernel => {
  const spec = overSources(c.spec);
  return within(compilationOf(spec), () =>
    lowerKernel(
      spec,
      layoutFor((s) => s.dtype),
      discrete,
      schedule ? { schedule } : {},
    ),
  );
};
const main = (code: string): string => /^fn main.*\n([^]*)\}\n$/m.exec(code)![1]!;
const edited = (c: Case, schedule: Schedule): string => {
  const { module } = lowered(c, schedule);
  const edits = subgroupEdits(module);
  return edits ? main(withSubgroups(printModule(module), edits)) : "none";
};
/** Of a subgroup of the tests' device at least; 0 where it has none. */
const leastLanes = (device: GPUDevice): number =>
  device.features.has("subgroups") ? device.adapterInfo.subgroupMinSize : 0;

describe("the text", () => {
  test("of a sum over the lanes of a row", () => {
    expect(
      edited(
        rowSums(8, 64),
        on({
          threads: [
            ["i", 8],
            ["k", 8],
          ],
        }),
      ),
    ).toMatchInlineSnapshot(`
      "  let thread = local_index;
        let k_thread = thread % 8u;
        let i = thread / 8u;
        var sum = 0.0;
        let x_at = i * 64u + k_thread;
        for (var k = 0u; k < 64u; k += 8u) {
          sum += x[x_at + k];
        }
        var sum_lanes = sum;
        sum_lanes += subgroupShuffleXor(sum_lanes, 4u);
        sum_lanes += subgroupShuffleXor(sum_lanes, 2u);
        sum_lanes += subgroupShuffleXor(sum_lanes, 1u);
        let sum_all = sum_lanes;
        if (k_thread == 0u) {
          y[i] = sum_all;
        }
      "
    `);
  });
  test("of the largest and its place, over lanes that are not neighbours", () => {
    expect(
      edited(
        argmaxRows(8, 64),
        on({
          threads: [
            ["k", 4],
            ["i", 2],
          ],
        }),
      ),
    ).toMatchInlineSnapshot(`
      "  let thread = local_index;
        let k_thread = thread / 2u;
        let i = group.x * 2u + thread % 2u;
        var argmax = -0x1.fffffep+127f;
        var argmax_place = 0;
        let x_at = i * 64u + k_thread;
        for (var k = 0u; k < 64u; k += 4u) {
          let x_1 = x[x_at + k];
          let better = x_1 > argmax;
          argmax_place = select(argmax_place, i32(k_thread + k), better);
          argmax = select(argmax, x_1, better);
        }
        var argmax_lanes = argmax;
        var argmax_place_lanes = argmax_place;
        let argmax_upper = (thread & 4u) != 0u;
        let argmax_lanes_other = subgroupShuffleXor(argmax_lanes, 4u);
        let argmax_lanes_its = select(argmax_lanes_other, argmax_lanes, argmax_upper);
        let argmax_place_lanes_other = subgroupShuffleXor(argmax_place_lanes, 4u);
        let argmax_place_lanes_its = select(argmax_place_lanes_other, argmax_place_lanes, argmax_upper);
        argmax_lanes = select(argmax_lanes, argmax_lanes_other, argmax_upper);
        argmax_place_lanes = select(argmax_place_lanes, argmax_place_lanes_other, argmax_upper);
        let argmax_lanes_better = argmax_lanes_its > argmax_lanes || (argmax_lanes_its == argmax_lanes && argmax_place_lanes_its < argmax_place_lanes);
        argmax_place_lanes = select(argmax_place_lanes, argmax_place_lanes_its, argmax_lanes_better);
        argmax_lanes = select(argmax_lanes, argmax_lanes_its, argmax_lanes_better);
        let argmax_upper_1 = (thread & 2u) != 0u;
        let argmax_lanes_other_1 = subgroupShuffleXor(argmax_lanes, 2u);
        let argmax_lanes_its_1 = select(argmax_lanes_other_1, argmax_lanes, argmax_upper_1);
        let argmax_place_lanes_other_1 = subgroupShuffleXor(argmax_place_lanes, 2u);
        let argmax_place_lanes_its_1 = select(argmax_place_lanes_other_1, argmax_place_lanes, argmax_upper_1);
        argmax_lanes = select(argmax_lanes, argmax_lanes_other_1, argmax_upper_1);
        argmax_place_lanes = select(argmax_place_lanes, argmax_place_lanes_other_1, argmax_upper_1);
        let argmax_lanes_better_1 = argmax_lanes_its_1 > argmax_lanes || (argmax_lanes_its_1 == argmax_lanes && argmax_place_lanes_its_1 < argmax_place_lanes);
        argmax_place_lanes = select(argmax_place_lanes, argmax_place_lanes_its_1, argmax_lanes_better_1);
        argmax_lanes = select(argmax_lanes, argmax_lanes_its_1, argmax_lanes_better_1);
        let argmax_all = argmax_place_lanes;
        if (k_thread == 0u) {
          y[i] = select(0u, 1u, u32(argmax_all) == u32(t[i]));
          best[i] = argmax_all;
        }
      "
    `);
  });
  test("of columns in fours", () => {
    expect(
      edited(
        columnSums(64, 8),
        on({
          threads: [
            ["k", 8],
            ["i", 2],
          ],
          tile: { i: 4 },
          vector: "i",
        }),
      ),
    ).toMatchInlineSnapshot(`
      "  let thread = local_index;
        let k_thread = thread / 2u;
        var sum = vec4f();
        let i0_fourth = thread % 2u;
        let x_at = k_thread * 2u + i0_fourth;
        for (var k = 0u; k < 64u; k += 8u) {
          sum += x[x_at + k * 2u];
        }
        var sum_lanes = sum;
        sum_lanes += subgroupShuffleXor(sum_lanes, 8u);
        sum_lanes += subgroupShuffleXor(sum_lanes, 4u);
        sum_lanes += subgroupShuffleXor(sum_lanes, 2u);
        let sum_all = sum_lanes;
        if (k_thread == 0u) {
          y[i0_fourth] = sum_all;
        }
      "
    `);
  });
});

/** Every output as the device leaves it. */
async function outputs(
  on: TestDevice,
  c: Case,
  kernel: LoweredKernel,
  code?: (m: Module) => string,
): Promise<Float64Array[]> {
  const spec = overSources(c.spec);
  const dims = c.dims ?? {};
  const values = randomValues(sourcesOf(spec), dims);
  const prepared = await prepare(on, kernel, values, { dims, ...(code ? { code } : {}) });
  try {
    await runOnce(on, prepared);
    return await Promise.all(spec.stores.map((s) => prepared.read(baseOf(s.target) as Source)));
  } finally {
    prepared.destroy();
  }
}
const exchanging = (m: Module): string => {
  const edits = subgroupEdits(m);
  return edits ? withSubgroups(printModule(m), edits) : printModule(m);
};
const reach = (k: LoweredKernel): number =>
  Math.max(...[...(k.before ?? []), k].map(({ module }) => subgroupEdits(module)?.lanes ?? 0));

/** Rows' least, product, and what of integers: the largest, its first place, the sum. */
function others(m: number, n: number): Case {
  const [x, t] = [tensor("x", [m, n]), tensor("t", [m, n], "i32", { low: -9, high: 9 })];
  const s = new SpecBuilder("others", [m]);
  const of = (op: ReductionOp, from: typeof x): Scalar =>
    s.reduce(op, [n], (k) => at(from, s.i[0]!, k!), `${op}_${from.path}`);
  for (const [op, from] of [
    ["min", x],
    ["argmin", x],
    ["prod", x],
    ["max", t],
    ["argmax", x],
    ["sum", t],
  ] as const) {
    const dtype = op.startsWith("arg") ? "i32" : from.dtype;
    s.store(tensor(`${op}_of_${from.path}`, [m], dtype), of(op, from));
  }
  return { name: `others ${m}x${n}`, spec: s.done() };
}

describe("the same bits as through workgroup memory", () => {
  const bits = async (c: Case, schedules: (lanes: number) => readonly Schedule[]): Promise<void> => {
    const on = await openDevice();
    const lanes = leastLanes(on.device);
    if (!lanes) return; // the device has no subgroups
    for (const schedule of schedules(lanes)) {
      const kernel = lowered(c, schedule);
      expect(reach(kernel), printSchedule(schedule)).toBeGreaterThan(0);
      expect(reach(kernel)).toBeLessThanOrEqual(lanes);
      expect(await outputs(on, c, kernel, exchanging)).toEqual(await outputs(on, c, kernel));
    }
  };
  const kinds = [softmax, softmaxGradient, layerNorm, crossEntropy, rowSums, argmaxRows, prefixSums, others];
  const sizes = [
    [2, 33],
    [7, 65],
    [130, 24],
  ] as const;
  const rows = kinds.flatMap((make) => sizes.map(([m, n]) => make(m, n)));
  test.each(rows.map((c, i) => [c.name, c, i] as const))("%s", async (_, c, i) => {
    const next = generator(i);
    for (let k = 0; k < 8; k++) next();
    const space = enumerate(nestOf(overSources(c.spec)), discrete).map((x) => x.schedule);
    await bits(c, (lanes) => {
      const fit = space.filter((s) => [lowered(c, s)].every((k) => reach(k) > 0 && reach(k) <= lanes));
      return [0, 1].map(() => fit[Math.floor(next() * fit.length)]!);
    });
  });
  const columns: readonly (readonly [Case, (lanes: number) => Partial<Schedule>])[] = [
    [
      columnSums(65, 24),
      (n) => ({
        threads: [
          ["k", n],
          ["i", 1],
        ],
        tile: { i: 4 },
        vector: "i",
      }),
    ],
    [
      columnSums(65, 24),
      (n) => ({
        threads: [
          ["k", n / 2],
          ["i", 2],
        ],
        tile: { i: 4 },
        vector: "i",
      }),
    ],
    [
      columnSums(65, 24),
      (n) => ({
        threads: [
          ["i", 3],
          ["k", n],
        ],
        tile: { i: 2 },
      }),
    ],
    [
      argmaxRows(9, 65),
      (n) => ({
        threads: [
          ["k", 2],
          ["i", n / 2],
        ],
      }),
    ],
    [
      others(9, 65),
      (n) => ({
        threads: [
          ["k", n / 2],
          ["i", 2],
        ],
        tile: { i: 2 },
      }),
    ],
    [sumOfSquares(300), (n) => ({ threads: [["k", n]], tile: { k: 4 }, vector: "k" })],
  ];
  test.each(columns.map(([c, schedule]) => [`${c.name}: ${printSchedule(on(schedule(8)))}`, c, schedule] as const))(
    "%s",
    (_, c, schedule) => bits(c, (lanes) => [on(schedule(lanes))]),
  );
});

const root = join(import.meta.dirname, "../../examples");
const planOf = (path: string, target: string): Plan => {
  const { plan, diagnostics } = compile(readFileSync(join(root, path), "utf8"), { name: path, target });
  if (!plan) throw new Error(renderDiagnostics(diagnostics));
  return plan;
};
const small = ["attention/numbers_gpt.dlm", "representation/ensemble.dlm"];

describe("in a plan", () => {
  const models = [...readdirSync(root).filter((name) => name.endsWith(".dlm")), ...small];
  test.each(["discrete", "integrated"].flatMap((target) => models.map((path) => [path, target] as const)))(
    "the device takes the code of %s for %s devices",
    async (path, target) => {
      const { device } = await testDevice();
      if (!leastLanes(device)) return;
      const plan = planOf(path, target);
      const modules = plan.modules.flatMap(({ name, code, subgroups }): PlanModule[] =>
        subgroups ? [{ name, code: withSubgroups(code!, subgroups) }] : [],
      );
      expect(await refusalsOf({ ...plan, modules })).toEqual([]);
      for (const { code } of modules) {
        expect(code).toContain("subgroupShuffleXor");
        expect(code).toMatch(/^enable subgroups;\n\/\/ /);
      }
    },
  );
  test("of software devices there is none", () => {
    for (const target of ["software", "lavapipe", "swiftshader"])
      expect(planOf("iris.dlm", target).modules.filter((m) => m.subgroups)).toEqual([]);
  });
});

/** Trains on this device: what it is afterwards, and the code that the device was given. */
async function trained(
  plan: Plan,
  device: GPUDevice,
  options: { readonly subgroups?: boolean } = {},
): Promise<{ readonly bytes: Uint8Array; readonly codes: readonly string[] }> {
  const codes: string[] = [];
  const createShaderModule = (d: GPUShaderModuleDescriptor): GPUShaderModule => {
    if (!isProbe(d.code)) codes.push(d.code);
    return device.createShaderModule(d);
  };
  const model = await load(plan, { device: wrapped(device, { createShaderModule }), ...options });
  try {
    await model.train(undefined, { stopAfter: 3 });
    return { bytes: await model.checkpoint(), codes };
  } finally {
    model.close();
  }
}
const isProbe = (code: string): boolean => code.includes("override n: u32;");
const wrapped = (device: GPUDevice, own: Readonly<Record<string, unknown>>): GPUDevice =>
  new Proxy(device, {
    get: (of, key) => {
      if (typeof key === "string" && key in own) return own[key];
      const value = Reflect.get(of, key, of) as unknown;
      return typeof value === "function" ? (value.bind(of) as unknown) : value;
    },
  });
const withEdits = (codes: readonly string[]): string[] => codes.filter((code) => code.includes("subgroupShuffleXor"));

describe("on a device", () => {
  const classifier = (width: number, target: string): Plan =>
    made(
      `data d { rows: 64
  field x: f32[${width}] = uniform(-1, 1)[${width}]
  field y: i32[] in 0..10 = argmax(x) % 10 }
model net(x: f32[B, ${width}]) -> f32[B, 10] = x |> Linear(${width}) |> LayerNorm() |> tanh |> LayerNorm() |> Linear(10)
train fit on d(batch: 32) {
  minimize cross_entropy(net(x), y) by adam(lr: 1e-2)
  metric acc = accuracy(net(x), y)
  steps: 3 }`,
      { target },
    ).plan;
  const plan = classifier(24, "discrete");
  test.each([
    ["discrete", plan],
    ["integrated", classifier(12, "integrated")],
  ] as const)("training gives the same bits, by launches of several kernels too: %s", async (_, plan) => {
    const { device } = await testDevice();
    const lanes = leastLanes(device);
    const without = await trained(plan, device, { subgroups: false });
    const own = await trained(plan, device);
    const expected = plan.modules.filter(({ subgroups }) => subgroups && subgroups.lanes <= lanes);
    expect(expected.length > 0).toBe(lanes >= (plan.target === "discrete" ? 4 : 8));
    expect(withEdits(without.codes)).toEqual([]);
    expect(withEdits(own.codes).map(main).sort()).toEqual(
      expected.map(({ code, subgroups }) => main(withSubgroups(code!, subgroups!))).sort(),
    );
    if (expected.length) expect(withEdits(own.codes).some((code) => code.includes("in one launch"))).toBe(true);
    expect(Buffer.compare(own.bytes, without.bytes)).toBe(0);
  });
  /** Devices that are not to be trusted with it. */
  const doubtful: readonly (readonly [string, (device: GPUDevice) => Readonly<Record<string, unknown>>])[] = [
    ["has no subgroups", (d) => ({ features: new Set([...d.features].filter((f) => f !== "subgroups")) })],
    ["says nothing of them", () => ({ adapterInfo: undefined })],
    ["has smaller ones", () => ({ adapterInfo: { subgroupMinSize: 2, subgroupMaxSize: 64 } })],
    [
      "has them in another order",
      (d) => ({
        createShaderModule: (m: GPUShaderModuleDescriptor) =>
          d.createShaderModule({ ...m, code: isProbe(m.code) ? m.code.replace("(i ^ k)", "(i ^ k ^ 1)") : m.code }),
      }),
    ],
    [
      "does not take the question",
      (d) => ({
        createShaderModule: (m: GPUShaderModuleDescriptor) =>
          d.createShaderModule({ ...m, code: isProbe(m.code) ? "no WGSL" : m.code }),
      }),
    ],
  ];
  test.each(doubtful)("one that %s is given the code as it stands", async (_, own) => {
    const { device } = await testDevice();
    const { codes } = await trained(plan, wrapped(device, own(device)));
    expect(codes.length).toBeGreaterThan(0);
    expect(withEdits(codes)).toEqual([]);
    for (const code of codes) expect(plan.modules.map((m) => m.code)).toContain(code);
  });
  test("one that says that it has them and takes no kernel with them is given the code as it stands", async () => {
    const { device } = await testDevice();
    const isEdited = (code: string): boolean => code.startsWith("enable subgroups;") && !isProbe(code);
    const refusing = wrapped(device, {
      createShaderModule: (m: GPUShaderModuleDescriptor) =>
        device.createShaderModule({ ...m, code: isEdited(m.code) ? "no WGSL" : m.code }),
    });
    const own = await trained(plan, refusing);
    const without = await trained(plan, device, { subgroups: false });
    expect(Buffer.compare(own.bytes, without.bytes)).toBe(0);
  });
  test("files keep the code to the letter: its hash is that of the edits", () => {
    for (const { code, subgroups } of plan.modules) {
      expect(`${code!.trimEnd()}\n`).toBe(code);
      if (subgroups) expect(withSubgroups(code!, subgroups)).toMatch(/^enable subgroups;\n/);
    }
  });
  test("a kernel that somebody has changed is run as it is", async () => {
    const { device } = await testDevice();
    const modules = plan.modules.map((m) => ({ ...m, code: `// mine\n${m.code!}` }));
    const { codes } = await trained({ ...plan, modules }, device);
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.filter((code) => !code.startsWith("// mine\n"))).toEqual([]);
  });
  test("it is asked once", async () => {
    const { device } = await testDevice();
    let questions = 0;
    const asked = wrapped(device, {
      createShaderModule: (m: GPUShaderModuleDescriptor) => {
        if (isProbe(m.code)) questions++;
        return device.createShaderModule(m);
      },
    });
    for (let k = 0; k < 2; k++) (await load(plan, { device: asked })).close();
    expect(questions).toBe(leastLanes(device) ? 1 : 0);
  });
});
