// What the lowering writes, without a device: brackets, names, hoisting; nests; the space; the schedules chosen for well-known kernels.
import { expect, test } from "vitest";
import fc from "fast-check";
import { priceOfCode } from "../../compiler/lower/count.ts";
import { inline, precedence, tidy, type Let, type Statement } from "../../compiler/lower/ir.ts";
import { lowerKernel } from "../../compiler/lower/lower.ts";
import { flatNest, nestOf } from "../../compiler/schedule/nest.ts";
import { enumerate, rank } from "../../compiler/schedule/space.ts";
import { leastTotal, priceOf } from "../../compiler/schedule/price.ts";
import { printSchedule } from "../../compiler/schedule/schedule.ts";
import { splitReduction, stepsOfPart } from "../../compiler/schedule/split.ts";
import { emitKernel } from "../../compiler/lower/template.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { f32Text } from "../../compiler/wgsl/names.ts";
import {
  cases,
  columnSums,
  conv,
  elementwise,
  layerNorm,
  poolGradient,
  product,
  softmax,
  sumOfSquares,
} from "./cases.ts";
import { layoutFor } from "./check.ts";
import { overSources } from "./reference.ts";

const lavapipe = targets["lavapipe"]!;
const wgsl = (c: ReturnType<typeof product>, target = lavapipe): string =>
  lowerKernel(
    overSources(c.spec),
    layoutFor((s) => s.dtype),
    target,
  ).wgsl;

test("a value takes its place with no more brackets than it needs", () => {
  const known = new Map([
    ["s", { code: "a + b", binding: precedence.add, integer: false }],
    ["n", { code: "i + 1", binding: precedence.add, integer: true }],
    ["p", { code: "a * b", binding: precedence.multiply, integer: false }],
    ["c", { code: "x < y", binding: precedence.compare, integer: false }],
    ["u", { code: "-a", binding: precedence.unary, integer: false }],
    ["f", { code: "exp(a)", binding: precedence.atom, integer: false }],
  ]);
  const to = (code: string): string => inline(code, known);
  expect(to("s * s")).toBe("(a + b) * (a + b)");
  expect(to("p + p")).toBe("a * b + a * b");
  expect(to("q - s")).toBe("q - (a + b)");
  expect(to("s + q")).toBe("a + b + q");
  expect(to("q + s")).toBe("q + (a + b)"); // the order of f32 additions is the sum's own
  expect(to("q + n")).toBe("q + i + 1");
  expect(to("q + n * 2")).toBe("q + (i + 1) * 2");
  expect(to("q / p")).toBe("q / (a * b)");
  expect(to("s.x + f.y")).toBe("(a + b).x + exp(a).y");
  expect(to("c && d")).toBe("x < y && d");
  expect(to("max(s, u)")).toBe("max(a + b, -a)");
  expect(to("q - u")).toBe("q - -a");
  expect(to("w[n]")).toBe("w[i + 1]");
  expect(to("c == d")).toBe("(x < y) == d");
  expect(to("n >> 2u")).toBe("(i + 1) >> 2u");
});
test("arithmetic written out of parts means the same", () => {
  // random trees over integers, evaluated as JavaScript: every operator but division keeps integers
  const tree: fc.Arbitrary<{ code: string; binding: number; value: number; lets: Let[] }> = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: "small" },
      fc
        .integer({ min: 1, max: 9 })
        .map((n) => ({ code: String(n), binding: precedence.atom as number, value: n, lets: [] as Let[] })),
      fc.record({ a: tie("node"), b: tie("node"), op: fc.constantFrom("+", "-", "*") }).map((x) => {
        const { a, b, op } = x as {
          a: { code: string; binding: number; value: number; lets: Let[] };
          b: { code: string; binding: number; value: number; lets: Let[] };
          op: string;
        };
        const own = (e: typeof a, list: Let[]): string => {
          const name = `t${list.length}_${Math.abs(e.value)}_${e.code.length}_${op === "+" ? "p" : op === "-" ? "m" : "x"}`;
          list.push({
            kind: "let",
            name,
            type: { element: "i32", width: 1 },
            code: e.code,
            binding: e.binding,
            cost: "alu",
            pinned: false,
          });
          return name;
        };
        const lets = [...a.lets, ...b.lets];
        const code = `${own(a, lets)} ${op} ${own(b, lets)}`;
        return {
          code,
          binding: op === "*" ? precedence.multiply : precedence.add,
          value: op === "+" ? a.value + b.value : op === "-" ? a.value - b.value : a.value * b.value,
          lets,
        };
      }),
    ),
  })).node as never;
  fc.assert(
    fc.property(tree, ({ code, value, lets }) => {
      const names = new Set(lets.map((l) => l.name));
      fc.pre(names.size === lets.length);
      const body = tidy([...lets, { kind: "store", tensor: "y", at: "0", code, width: 1 }]);
      const last = body[body.length - 1]!;
      const text = [
        ...body.slice(0, -1).map((s) => `const ${(s as Let).name} = ${(s as Let).code};`),
        `return ${(last as { code: string }).code};`,
      ]
        .join("\n")
        .replaceAll("- -", "- 0 -");
      expect(new Function(text)()).toBe(value);
    }),
    { seed: 7, numRuns: 200 },
  );
});
test("values of outer loops and values used twice stay", () => {
  const make = (name: string, code: string): Let => ({
    kind: "let",
    name,
    type: { element: "f32", width: 1 },
    code,
    binding: precedence.atom,
    cost: "alu",
    pinned: false,
  });
  const body: Statement[] = [
    make("once", "f(a)"),
    make("twice", "g(a)"),
    make("never", "h(a)"),
    make("outer", "e(a)"),
    {
      kind: "for",
      variable: "k",
      from: "0",
      below: "4",
      step: 1,
      trips: 4,
      body: [{ kind: "set", name: "s", operator: "+=", code: "outer", cost: "alu", width: 1 }],
    },
    { kind: "store", tensor: "y", at: "0", code: "once + twice + twice", width: 1 },
  ];
  expect(tidy(body).map((s) => (s.kind === "let" ? s.name : s.kind))).toEqual(["twice", "outer", "for", "store"]);
});
test("numbers are the shortest that are themselves", () => {
  expect([0.1, 0.9, 1 / 3, 1e-8, 16777216, -0, Infinity].map(f32Text)).toEqual([
    "0.1",
    "0.9",
    "0.33333334",
    "1e-8",
    "16777216.0",
    "-0.0",
    "0x1.fffffep+127f",
  ]);
});

test("axes that are walked as one become one", () => {
  expect(nestOf(elementwise([4, 5, 6]).spec).outer).toEqual(["ij", "l"]); // the last one is the bias's
  expect(nestOf(conv(2, 8, 3, 8).spec).outer).toEqual(["i", "j", "l", "m"]);
  const flat = flatNest(nestOf(poolGradient(2, 8, 12).spec));
  expect(flat.outer).toEqual(["flat"]);
  expect(flat.extentOf.get("flat")).toBe(2 * 8 * 8 * 12);
});
test("reductions that need nothing of one another share their loops", () => {
  expect(nestOf(softmax(4, 8).spec).groups.map((g) => g.length)).toEqual([1, 1]);
  expect(nestOf(cases.find((c) => c.name.startsWith("channel sums"))!.spec).groups.map((g) => g.length)).toEqual([2]);
});
test("parts of a reduction cover it", () => {
  for (const n of [64, 100, 1000, 70_001]) {
    const chunk = stepsOfPart(n, 16);
    const { parts, whole } = splitReduction(sumOfSquares(n).spec, chunk);
    expect((parts.axes[0]!.extent as number) * chunk).toBeGreaterThanOrEqual(n);
    expect(whole.stages[0]!.over[0]!.extent).toBe(parts.axes[0]!.extent);
  }
});

test("the space of every kernel is not empty and holds each schedule once", () => {
  for (const target of Object.values(targets))
    for (const c of cases) {
      const space = enumerate(nestOf(c.spec), target);
      expect(space.length, `${c.name} for ${target.name}`).toBeGreaterThan(0);
      expect(new Set(space.map((x) => JSON.stringify(x.schedule))).size).toBe(space.length);
    }
});
test("no schedule costs less than the least price of its threads and tile", () => {
  for (const target of Object.values(targets))
    for (const c of cases) {
      const nest = nestOf(c.spec);
      for (const { nest: own, schedule } of enumerate(nest, target)) {
        if (!nest.spec.stages.length || Object.keys(schedule.staged).length) continue;
        const tile = Object.fromEntries(Object.entries(schedule.tile).filter(([axis]) => nest.outer.includes(axis)));
        expect(
          leastTotal(nest, { ...schedule, tile }, target),
          `${c.name} for ${target.name}: ${printSchedule(schedule)}`,
        ).toBeLessThanOrEqual(priceOf(own, schedule, target).total);
      }
    }
});
test("schedules for lavapipe", () => {
  const first = (c: ReturnType<typeof product>): string => printSchedule(rank(nestOf(c.spec), lavapipe)[0]!.schedule);
  expect(
    [
      product("NN", 512, 512, 512),
      conv(64, 14, 32, 64),
      layerNorm(4096, 1024),
      columnSums(4096, 1024),
      elementwise([1 << 20]),
    ].map(first),
  ).toMatchInlineSnapshot(`
    [
      "threads j:8; tile j:8 i:16 k:2; vec4 j; share i; rows i",
      "threads fused:8; fuse i j l; tile m:16 l:7 r:3; vec4 m; scalar sums; share m; rows l",
      "threads k:8; tile i:2 k:4; vec4 k",
      "threads i:64; tile i:4 k:4; vec4 i",
      "threads flat:64; flat; tile flat:4; serial flat:4; vec4 flat",
    ]
  `);
});
test("no kernel takes the driver long, and products share their loads", () => {
  for (const c of cases) {
    const [best] = rank(nestOf(c.spec), lavapipe);
    expect(best!.compileMs, c.name).toBeLessThan(400);
  }
  expect(wgsl(product("NN", 512, 512, 512))).toContain("subgroupBroadcast");
  expect(wgsl(product("NN", 512, 512, 512), targets["software"]!)).not.toContain("subgroup");
  expect(wgsl(product("NN", 64, 64, 64), targets["software"]!)).not.toContain("enable");
});
test("the price agrees with a count of the code", () => {
  for (const target of [lavapipe, targets["swiftshader"]!])
    for (const c of [
      product("NN", 128, 512, 784, true),
      product("NT", 128, 784, 512),
      conv(64, 14, 32, 64),
      softmax(4096, 1024),
      layerNorm(768, 128),
      columnSums(768, 128),
      sumOfSquares(100_000),
      elementwise([1 << 18]),
    ]) {
      const [best] = rank(nestOf(c.spec), target);
      const counted = priceOfCode(
        emitKernel(
          best!.nest,
          layoutFor((s) => s.dtype),
          best!.schedule,
        ),
        target,
      );
      expect(best!.ns / counted, c.name).toBeGreaterThan(0.7);
      expect(best!.ns / counted, c.name).toBeLessThan(1.4);
    }
});
test("the text of a small kernel", () => {
  expect(wgsl(softmax(64, 32))).toMatchInlineSnapshot(`
    "// softmax
    // max0 = max(k < 32) x[i, k]
    // sum1 = sum(k < 32) exp(x[i, k] - max0)
    // y[i, k] = exp(x[i, k] - max0) / sum1 for k < 32
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;

    @compute @workgroup_size(8)
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local_index: u32) {
      var max_ = -0x1.fffffep+127f;
      let zero = min(i32(group.x), 0); // unknown to the driver, which would write short loops out
      let x_at = (i32(group.x) * 8 + i32(local_index)) * 32;
      for (var k = zero; k < 32; k++) {
        max_ = max(max_, x[x_at + k]);
      }
      var sum = 0.0;
      for (var k = zero; k < 32; k++) {
        sum += exp(x[x_at + k] - max_);
      }
      for (var k = zero; k < 32; k++) {
        let x_at_3 = x_at + k;
        y[x_at_3] = exp(x[x_at_3] - max_) / sum;
      }
    }
    "
  `);
  expect(wgsl(poolGradient(2, 8, 16))).toMatchInlineSnapshot(`
    "// pool_dx
    // dx[i, j, l, m] = select(2 * j mod 2 + l mod 2 == where_[i, floor(j / 2), floor(l / 2), m], dy[i, floor(j / 2), floor(l / 2), m], 0)
    @group(0) @binding(0) var<storage, read> where_: array<i32>;
    @group(0) @binding(1) var<storage, read> dy: array<f32>;
    @group(0) @binding(2) var<storage, read_write> dx: array<f32>;

    @compute @workgroup_size(64)
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local_index: u32) {
      let flat = i32(group.x) * 64 + i32(local_index);
      let q = flat / 16;
      let q_1 = flat / 128;
      let where_at = flat / 1024 * 256 + q_1 % 8 / 2 * 64 + q % 8 / 2 * 16 + flat % 16;
      dx[flat] = select(0.0, dy[where_at], q_1 % 2 * 2 + q % 2 == where_[where_at]);
    }
    "
  `);
  expect(wgsl(product("NN", 8, 16, 32, true))).toMatchInlineSnapshot(`
    "// product_nn
    // sum = sum(k < 32) a[i, k] * b[k, j]
    // y[i, j] = max(sum + bias[j], 0)
    enable subgroups;

    @group(0) @binding(0) var<storage, read> a: array<f32>;
    @group(0) @binding(1) var<storage, read> b: array<f32>;
    @group(0) @binding(2) var<storage, read> bias: array<f32>;
    @group(0) @binding(3) var<storage, read_write> y: array<f32>;

    @compute @workgroup_size(8)
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane_index: u32) {
      let lane = i32(lane_index);
      let j = i32(group.x) * 8 + lane;
      var sum_0 = 0.0;
      var sum_1 = 0.0;
      var sum_2 = 0.0;
      var sum_3 = 0.0;
      var sum_4 = 0.0;
      var sum_5 = 0.0;
      var sum_6 = 0.0;
      var sum_7 = 0.0;
      let zero = min(i32(group.x), 0); // unknown to the driver, which would write short loops out
      let a_at = lane * 32;
      for (var k = zero; k < 32; k++) {
        let a_1 = a[a_at + k];
        let b_1 = b[j + k * 16];
        sum_0 += subgroupBroadcast(a_1, 0u) * b_1;
        sum_1 += subgroupBroadcast(a_1, 1u) * b_1;
        sum_2 += subgroupBroadcast(a_1, 2u) * b_1;
        sum_3 += subgroupBroadcast(a_1, 3u) * b_1;
        sum_4 += subgroupBroadcast(a_1, 4u) * b_1;
        sum_5 += subgroupBroadcast(a_1, 5u) * b_1;
        sum_6 += subgroupBroadcast(a_1, 6u) * b_1;
        sum_7 += subgroupBroadcast(a_1, 7u) * b_1;
      }
      let bias_1 = bias[j];
      for (var i = zero; i < 8; i++) {
        y[j + i * 16] = max(sum_0 + bias_1, 0.0);
        sum_0 = sum_1;
        sum_1 = sum_2;
        sum_2 = sum_3;
        sum_3 = sum_4;
        sum_4 = sum_5;
        sum_5 = sum_6;
        sum_6 = sum_7;
      }
    }
    "
  `);
});
