// Kernels that differ only in numbers are one module: it reads them from a uniform buffer, and the results are the evaluator's.
import { expect, test } from "vitest";
import { compile, type CompileOptions } from "../../compiler/compile.ts";
import { shareModules } from "../../compiler/plan/share.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { dispatchesOf } from "../../runtime/machine.ts";
import { planVersion, type Plan } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";
import { differences } from "./exported.ts";

const anyDevice = { ...targets["swiftshader"]!, lanes: 0 };
const compiled = (text: string, target: CompileOptions["target"] = anyDevice) => {
  const { plan, program, diagnostics } = compile(text, { name: "share.dlm", target });
  if (!plan || !program) throw new Error(renderDiagnostics(diagnostics));
  return { plan, program };
};
const kernels = (plan: Plan) => plan.modules.map((m) => m.code!);
const differing = (code: string): string[] =>
  [...(/^struct \w+ \{\n([^}]*)\}/m.exec(code)?.[1] ?? "").matchAll(/ (\w+), \/\/ (.*)/g)].map(
    (m) => `${m[1]} ${m[2]}`,
  );

/** [name, function, numbers that differ in each of its modules] */
test.each([
  [
    "products of other sizes",
    "(a: f32[16, 96], b: f32[96, 32], c: f32[16, 160], d: f32[160, 32]) -> (f32[16, 32], f32[16, 32]) = (a @ b, c @ d)",
    [["i32 96, 160", "i32 192, 320", "i32 288, 480", "i32 384, 640", "i32 480, 800", "i32 576, 960", "i32 672, 1120"]],
  ],
  [
    "factors in formulas with other workgroups",
    "(a: f32[32, 8], b: f32[16, 8]) -> (f32[32], f32[16]) = (sum(exp(a) * 2.5, axis: 1), sum(exp(b) * 0.125, axis: 1))",
    [["f32 2.5, 0.125"]],
  ],
  [
    "another function",
    "(a: f32[32, 8], b: f32[32, 8]) -> (f32[32], f32[32]) = (max(exp(a), axis: 1), sum(sin(b), axis: 1))",
    [[], []],
  ],
] as const)("%s", async (_, text, expected) => {
  const { plan, program } = compiled(`export fn f${text}`);
  expect(kernels(plan).map(differing)).toEqual(expected);
  for (const d of await differences(plan, program)) expect(d).toBeLessThan(1e-5);
});
test("initial values of all sizes and scales are one kernel", async () => {
  const { device } = await testDevice();
  const { plan } = compiled(`data d { rows: 32 field x: f32[24] = normal[24] field y: f32[3] = normal[3] }
model net(x: f32[B, 24]) -> f32[B, 3] = x |> Linear(40) |> Linear(72) |> Linear(3)
train fit on d(batch: 8) { minimize mse(net(x), y) by adam(lr: 1e-2) steps: 3 }`);
  const draws = kernels(plan).filter((code) => code.includes("dlm_uniform"));
  expect(draws.map(differing)).toEqual([
    ["i32 960, 40, 2880, 72, 216, 3", "f32 0.20412415, 0.20412415, 0.15811388, 0.15811388, 0.11785113, 0.11785113"],
  ]);
  const model = await load(plan, { device });
  try {
    const parameters = await model.parameters();
    for (const [name, fanIn] of [
      ["linear", 24],
      ["linear2", 40],
      ["linear3", 72],
    ] as const)
      for (const part of ["w", "b"]) {
        const values = [...parameters[`net.${name}.${part}`]!.data];
        const most = Math.max(...values.map(Math.abs));
        expect(most).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(fanIn)));
        expect(most).toBeGreaterThan(0.5 / Math.sqrt(fanIn));
        expect(new Set(values).size).toBe(values.length);
      }
  } finally {
    model.close();
  }
});

// ---- the rules, on texts

const lavapipe = targets["lavapipe"]!;
const kernel = (body: string) =>
  `@group(0) @binding(0) var<storage, read_write> x: array<f32>;\n\n@compute @workgroup_size(8)\nfn main(@builtin(workgroup_id) group: vec3u) {\n${body}\n}\n`;
const planOf = (bodies: readonly string[]): Plan => ({
  version: planVersion,
  name: "",
  source: "",
  compiler: "",
  target: "",
  requires: { features: [], limits: {} },
  buffers: [{ label: "x", role: "output", bytes: 4 }],
  states: [],
  datasets: [],
  trains: [],
  modules: bodies.map((body, i) => ({ name: `k${i}`, code: kernel(body) })),
  exports: [
    {
      name: "f",
      inputs: [],
      outputs: [],
      program: {
        name: "f",
        dims: [],
        commands: bodies.map((_, module) => ({
          kind: "dispatch",
          label: "",
          module,
          entry: "main",
          bindings: [{ binding: 0, buffer: 0, offset: 0, bytes: 4, access: "read_write" }],
          workgroups: [1, 1],
        })),
      },
    },
  ],
});
const shared = (bodies: readonly string[], starts = 1, compileMs = 50) =>
  shareModules(planOf(bodies), new Map(bodies.map((_, i) => [i, { compileMs, starts }])), lavapipe);

test.each([
  ["integers", "  x[0] = f32(group.x * 3u + 4u);", "  x[0] = f32(group.x * 5u + 4u);"],
  ["the same number in several places", "  let a = i32(group.x) * 12 + 12;", "  let a = i32(group.x) * 8 + 8;"],
  ["exponents and signs", "  x[0] = -1e-8 + 0.5;", "  x[0] = -2.5e+3 + 0.5;"],
  ["other names and comments", "  let a = 2.0; // two\n  x[0] = a;", "  let b = 3.0; // three\n  x[0] = b;"],
  ["divisors outside of loops", "  let a = i32(group.x) / 12;", "  let a = i32(group.x) / 10;"],
])("one module: %s", (_, a, b) => {
  const { plan, moduleOf } = shared([a, b]);
  expect(moduleOf).toEqual([0, 0]);
  expect(plan.modules).toHaveLength(1);
  expect(differing(plan.modules[0]!.code!)).toHaveLength(1);
  const bound = dispatchesOf(plan.exports[0]!.program.commands).map((d) => d.bindings[1]!);
  expect(bound.map((x) => [x.binding, x.buffer, x.offset, x.bytes, x.access])).toEqual([
    [1, 1, 0, 4, "uniform"],
    [1, 1, 256, 4, "uniform"],
  ]);
});
test.each([
  ["hexadecimal numbers", "  x[0] = 0x1.8p+3f;", "  x[0] = 0x1.8p+4f;"],
  ["shifts", "  let a = group.x << 3;", "  let a = group.x << 4;"],
  ["lanes", "  x[0] = subgroupBroadcast(x[1], 3u);", "  x[0] = subgroupBroadcast(x[1], 4u);"],
  ["lengths of arrays", "  var a: array<f32, 4>;", "  var a: array<f32, 8>;"],
  [
    "divisors in loops",
    "  for (var i = 0; i < 9; i++) {\n    x[i] = f32(i / 12);\n  }",
    "  for (var i = 0; i < 9; i++) {\n    x[i] = f32(i / 10);\n  }",
  ],
  ["kinds of numbers", "  let a = 3;", "  let a = 3.0;"],
  ["code", "  x[0] = x[0] + 1.0;", "  x[0] = x[0] - 1.0;"],
])("two modules: %s", (_, a, b) => {
  const plan = planOf([a, b]);
  expect(shared([a, b])).toEqual({ plan, moduleOf: [0, 1] });
});
test("what runs lose counts against what compilation gains", () => {
  const bodies = ["  let a = i32(group.x) / 12;", "  let a = i32(group.x) / 10;"];
  const { number, divideBy } = lavapipe.ns;
  const least = ((50 + lavapipe.compile.module) * 1e6 * lavapipe.cores) / (number + divideBy) / 2; // starts of SIMD groups of each: one of both is compiled all the same
  expect(shared(bodies, 0.9 * least).plan.modules).toHaveLength(1);
  expect(shared(bodies, 1.1 * least).plan.modules).toHaveLength(2);
});
test("the words are the numbers, as the device reads them", () => {
  const { plan } = shared(["  x[0] = f32(3u) * 0.1 + f32(7);", "  x[0] = f32(4000000000u) * 2.5 + f32(2147483647);"]);
  const words = new Int32Array(Uint8Array.from(atob(plan.buffers[1]!.data!), (c) => c.charCodeAt(0)).buffer);
  expect([...words.subarray(0, 3)]).toEqual([3, new Int32Array(Float32Array.of(0.1).buffer)[0], 7]);
  expect([...words.subarray(64, 67)]).toEqual([
    4000000000 | 0,
    new Int32Array(Float32Array.of(2.5).buffer)[0],
    2147483647,
  ]);
});
