// Kernels that differ only in numbers are one module: it reads them from a uniform buffer, and the results are the evaluator's.
import { expect, test } from "vitest";
import { compile, type CompileOptions } from "../../compiler/compile.ts";
import {
  call,
  element,
  f32,
  i32,
  i32Number,
  member,
  name,
  numberLike,
  operation,
  u32,
  u32Bits,
  u32Number,
  type Expr,
} from "../../compiler/kernel/expr.ts";
import type { Module, Statement } from "../../compiler/kernel/ir.ts";
import { printModule } from "../../compiler/wgsl/print.ts";
import { canonicalModule } from "../../compiler/plan/canonical.ts";
import { shareModules } from "../../compiler/plan/share.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { dispatchesOf } from "../../runtime/plan.ts";
import { planVersion, type Plan } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";
import { differences } from "./exported.ts";

const f32Number = (x: number): Expr => numberLike(x, f32);

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

// ---- the rules, on kernels written out

const lavapipe = targets["lavapipe"]!;
type Body = readonly Statement[];
const kernel = (body: Body): Module => ({
  comment: [],
  enables: [],
  overrides: [],
  bindings: [{ name: "x", space: "storage, read_write", type: "array<f32>" }],
  memory: [],
  helpers: [],
  functions: [],
  workgroup: 8,
  parameters: ["group"],
  body,
});
const group = member(name("group", u32), "x", u32);
const groupNumber = call("i32", [group], i32);
const x = (at: number): Expr => element("x", i32Number(at), f32);
const store = (value: Expr): Statement => ({ kind: "store", tensor: "x", at: i32Number(0), value });
const make = (own: string, value: Expr, comment?: string): Statement => ({
  kind: "let",
  name: own,
  value,
  cost: "none",
  pinned: false,
  ...(comment === undefined ? {} : { comment }),
});
const loop = (to: number, body: Body): Statement => ({
  kind: "for",
  variable: "i",
  from: i32Number(0),
  to: i32Number(to),
  step: i32Number(1),
  trips: to,
  body,
});
const toF32 = (e: Expr): Expr => call("f32", [e], f32);
const plus = (a: Expr, b: Expr): Expr => operation("+", a, b);
const times = (a: Expr, b: Expr): Expr => operation("*", a, b);
const over = (a: Expr, n: number): Expr => operation("/", a, i32Number(n));
const planOf = (bodies: readonly Body[]): Plan => ({
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
  modules: bodies.map((_, i) => ({ name: `k${i}` })),
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
const shared = (bodies: readonly Body[], starts = 1, compileMs = 50, target = lavapipe) =>
  shareModules(planOf(bodies), bodies.map(kernel), new Map(bodies.map((_, i) => [i, { compileMs, starts }])), target);

/** [what, a kernel, by a number] */
const numbers: readonly (readonly [string, (n: number) => Body, number, number])[] = [
  ["integers", (n) => [store(toF32(plus(times(group, u32Number(n)), u32Number(4))))], 3, 5],
  [
    "the same number in several places",
    (n) => [make("a", plus(times(groupNumber, i32Number(n)), i32Number(n)))],
    12,
    8,
  ],
  ["exponents and signs", (n) => [store(plus(f32Number(n), f32Number(0.5)))], -1e-8, -2500],
  ["other names and comments", (n) => [make(`a${n}`, f32Number(n), `${n}`), store(name(`a${n}`, f32))], 2, 3],
  ["divisors outside of loops", (n) => [make("a", over(groupNumber, n))], 12, 10],
];
test.each(numbers)("one module: %s", (_, of, one, other) => {
  const { plan, moduleOf } = shared([of(one), of(other)]);
  expect(moduleOf).toEqual([0, 0]);
  expect(plan.modules).toHaveLength(1);
  expect(differing(plan.modules[0]!.code!)).toHaveLength(1);
  const bound = dispatchesOf(plan.exports[0]!.program.commands).map((d) => d.bindings[1]!);
  expect(bound.map((x) => [x.binding, x.buffer, x.offset, x.bytes, x.access])).toEqual([
    [1, 1, 0, 4, "uniform"],
    [1, 1, 256, 4, "uniform"],
  ]);
});
const apart: readonly (readonly [string, Body, Body])[] = [
  ["masks", [make("a", u32Bits(24))], [make("a", u32Bits(40))]],
  ["shifts", [make("a", operation("<<", group, u32Number(3)))], [make("a", operation("<<", group, u32Number(4)))]],
  [
    "lanes",
    [store(call("subgroupBroadcast", [x(1), u32Number(3)], f32))],
    [store(call("subgroupBroadcast", [x(1), u32Number(4)], f32))],
  ],
  [
    "divisors in loops",
    [loop(9, [store(toF32(over(name("i", i32), 12)))])],
    [loop(9, [store(toF32(over(name("i", i32), 10)))])],
  ],
  ["kinds of numbers", [make("a", i32Number(3))], [make("a", f32Number(3))]],
  ["code", [store(plus(x(0), f32Number(1)))], [store(operation("-", x(0), f32Number(1)))]],
];
test.each(apart)("two modules: %s", (_, a, b) => {
  const { plan, moduleOf } = shared([a, b]);
  expect(moduleOf).toEqual([0, 1]);
  expect(plan.buffers).toHaveLength(1);
  expect(kernels(plan)).toEqual([a, b].map((body) => printModule(kernel(body))));
});
test("what invocations exchange has its other form as long as its numbers are those of one kernel", () => {
  const sum = name("sum", f32);
  const exchange = (n: number): Statement => ({
    kind: "exchange",
    body: [make("sum", plus(x(n), f32Number(1)))],
    direct: [make("sum", call("subgroupShuffleXor", [x(n), u32Number(n)], f32))],
    reach: 2 * n,
  });
  const lanes = (bodies: readonly Body[]): (number | undefined)[] =>
    shared(bodies, 1, 50, targets["discrete"]!).plan.modules.map((m) => m.subgroups?.lanes);
  const differing = (n: number, far: number): Body => [exchange(far), store(plus(sum, f32Number(n)))];
  expect(lanes([differing(2, 4), differing(3, 4)])).toEqual([8]);
  expect(lanes([differing(2, 4), differing(2, 8)])).toEqual([undefined]);
  expect(lanes([differing(2, 4)])).toEqual([8]);
});
test("names and comments make no other module, operators and helpers do", () => {
  const of = (
    tensor: string,
    value: string,
    comment: string,
    sign: "+" | "-" = "+",
    helpers = ["dlm_tanh"],
  ): string => {
    const read = element(tensor, i32Number(0), f32);
    const own = name(value, f32);
    return canonicalModule({
      ...kernel([
        { kind: "comment", lines: [comment] },
        make(value, call("dlm_tanh", [read], f32), comment),
        { kind: "store", tensor, at: i32Number(0), value: operation(sign, own, f32Number(1)) },
      ]),
      comment: [comment],
      bindings: [{ name: tensor, space: "storage, read_write", type: "array<f32>" }],
      helpers,
    });
  };
  expect(of("y", "y_1", "one")).toBe(of("q", "a", "another")); // `a` and `q` are variables of dlm_tanh
  expect(of("y", "v", "one")).not.toBe(of("y", "v", "one", "-"));
  expect(of("y", "v", "one")).not.toBe(of("y", "v", "one", "+", ["dlm_sigmoid", "dlm_tanh"]));
});
test("what runs lose counts against what compilation gains", () => {
  const bodies = [12, 10].map((n) => [make("a", over(groupNumber, n))]);
  const { number, divideBy } = lavapipe.ns;
  const least = ((50 + lavapipe.compile.module) * 1e6 * lavapipe.cores) / (number + divideBy) / 2; // starts of SIMD groups of each: one of both is compiled all the same
  expect(shared(bodies, 0.9 * least).plan.modules).toHaveLength(1);
  expect(shared(bodies, 1.1 * least).plan.modules).toHaveLength(2);
});
test("the words are the numbers, as the device reads them", () => {
  const body = (a: number, b: number, c: number): Body => [
    store(plus(times(toF32(u32Number(a)), f32Number(b)), toF32(i32Number(c)))),
  ];
  const { plan } = shared([body(3, 0.1, 7), body(4000000000, 2.5, 2147483647)]);
  const words = new Int32Array(Uint8Array.from(atob(plan.buffers[1]!.data!), (c) => c.charCodeAt(0)).buffer);
  expect([...words.subarray(0, 3)]).toEqual([3, new Int32Array(Float32Array.of(0.1).buffer)[0], 7]);
  expect([...words.subarray(64, 67)]).toEqual([
    4000000000 | 0,
    new Int32Array(Float32Array.of(2.5).buffer)[0],
    2147483647,
  ]);
});
