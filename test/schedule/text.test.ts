// What the lowering writes, without a device: brackets, names, hoisting; nests; the space; the schedules chosen for well-known kernels.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import fc from "fast-check";
import { compile } from "../../compiler/compile.ts";
import { priceOfCode } from "../../compiler/lower/count.ts";
import {
  bool,
  call,
  component,
  element,
  f32,
  i32,
  i32Number,
  name,
  negate,
  operation,
  substitute,
  u32Number,
  wide,
  type Expr,
} from "../../compiler/kernel/expr.ts";
import type { Let, Statement } from "../../compiler/kernel/ir.ts";
import { tidy } from "../../compiler/lower/tidy.ts";
import { printExpr, printModule } from "../../compiler/wgsl/print.ts";
import { lowerKernel } from "../../compiler/lower/lower.ts";
import { flatNest, nestOf } from "../../compiler/schedule/nest.ts";
import { rank } from "../../compiler/schedule/choose.ts";
import { bytesInTurn, cheapestBy, turnsOf, type Sized } from "../../compiler/schedule/rowwise.ts";
import { corners, enumerate } from "../../compiler/schedule/space.ts";
import { leastPrice, priceOf } from "../../compiler/schedule/price.ts";
import { printSchedule } from "../../compiler/schedule/schedule.ts";
import { splitReduction, stepsOfPart } from "../../compiler/schedule/split.ts";
import { emitKernel } from "../../compiler/lower/template.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { f32Text } from "../../compiler/scalar/dtype.ts";
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
  printModule(
    lowerKernel(
      overSources(c.spec),
      layoutFor((s) => s.dtype),
      target,
    ).module,
  );

test("a value takes its place with no more brackets than it needs", () => {
  const [a, b, q] = [name("a", f32), name("b", f32), name("q", f32)];
  const [i, j, d] = [name("i", i32), name("j", i32), name("d", bool)];
  const known = new Map<string, Expr>([
    ["s", operation("+", a, b)],
    ["n", operation("+", i, i32Number(1))],
    ["p", operation("*", a, b)],
    ["c", operation("<", name("x", f32), name("y", f32))],
    ["u", negate(a)],
    ["f", call("exp", [a], f32)],
    ["v", operation("+", name("g", wide(f32)), name("h", wide(f32)))],
    ["e", call("exp", [name("g", wide(f32))], wide(f32))],
    ["m", operation("&", d, name("e", bool))],
  ]);
  const [s, n, p, c, u] = [name("s", f32), name("n", i32), name("p", f32), name("c", bool), name("u", f32)];
  const [v, e, m] = [name("v", wide(f32)), name("e", wide(f32)), name("m", bool)];
  const to = (e: Expr): string => printExpr(substitute(e, known));
  expect(to(operation("*", s, s))).toBe("(a + b) * (a + b)");
  expect(to(operation("+", p, p))).toBe("a * b + a * b");
  expect(to(operation("-", q, s))).toBe("q - (a + b)");
  expect(to(operation("+", s, q))).toBe("a + b + q");
  expect(to(operation("+", q, s))).toBe("q + (a + b)"); // the order of f32 additions is the sum's own
  expect(to(operation("+", j, n))).toBe("j + i + 1");
  expect(to(operation("+", j, operation("*", n, i32Number(2))))).toBe("j + (i + 1) * 2");
  expect(to(operation("/", q, p))).toBe("q / (a * b)");
  expect(to(operation("+", component(v, 0), component(e, 1)))).toBe("(g + h).x + exp(g).y");
  expect(to(operation("&&", c, d))).toBe("x < y && d");
  expect(to(operation("||", c, operation("&&", c, d)))).toBe("x < y || (x < y && d)");
  expect(to(operation("&", m, d, d))).toBe("(d & e) & d & d");
  expect(to(call("max", [s, u], f32))).toBe("max(a + b, -a)");
  expect(to(operation("-", q, u))).toBe("q - -a");
  expect(to(negate(s))).toBe("-(a + b)");
  expect(to(element("w", n, f32))).toBe("w[i + 1]");
  expect(to(operation("==", c, d))).toBe("(x < y) == d");
  expect(to(operation(">>", n, u32Number(2)))).toBe("(i + 1) >> 2u");
});
/** A random expression over integers, with its value as JavaScript has it: every operator but division keeps integers. */
interface Sample {
  readonly expr: Expr;
  readonly value: number;
}
const samples: fc.Arbitrary<Sample> = fc.letrec<{ node: Sample }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small" },
    fc.integer({ min: -9, max: 9 }).map((n) => ({ expr: i32Number(n), value: n })),
    tie("node").map(({ expr, value }) => ({ expr: negate(expr), value: -value })),
    fc
      .record({ a: tie("node"), b: tie("node"), op: fc.constantFrom("+" as const, "-" as const, "*" as const) })
      .map(({ a, b, op }) => ({
        expr: operation(op, a.expr, b.expr),
        value: op === "+" ? a.value + b.value : op === "-" ? a.value - b.value : a.value * b.value,
      })),
  ),
})).node;
const evaluated = (lines: readonly string[], value: string): number =>
  Number(new Function([...lines, `return ${value};`].join("\n"))()) + 0; // no -0
test("what is printed means what the tree means", () => {
  fc.assert(
    fc.property(samples, ({ expr, value }) => {
      expect(evaluated([], printExpr(expr))).toBe(value + 0);
    }),
    { seed: 7, numRuns: 300 },
  );
});
test("arithmetic written out of parts means the same", () => {
  fc.assert(
    fc.property(samples, ({ expr, value }) => {
      const lets: Let[] = [];
      const part = (e: Expr): Expr => {
        if (!e.args.length) return e;
        const whole = { ...e, args: e.args.map(part) };
        const own = `t${lets.length}`;
        lets.push({ kind: "let", name: own, value: whole, cost: "alu", pinned: false });
        return name(own, i32);
      };
      const whole = part(expr);
      const body = tidy([...lets, { kind: "store", tensor: "y", at: i32Number(0), value: whole }]);
      const lines = body.map((s) => (s.kind === "let" ? `const ${s.name} = ${printExpr(s.value)};` : ""));
      const last = body.at(-1)!;
      expect(evaluated(lines, last.kind === "store" ? printExpr(last.value) : "")).toBe(value + 0);
    }),
    { seed: 7, numRuns: 300 },
  );
});
test("values of outer loops and values used twice stay", () => {
  const a = name("a", f32);
  const make = (own: string, fn: string): Let => ({
    kind: "let",
    name: own,
    value: call(fn, [a], f32),
    cost: "alu",
    pinned: false,
  });
  const [once, twice] = [name("once", f32), name("twice", f32)];
  const body: Statement[] = [
    make("once", "f"),
    make("twice", "g"),
    make("never", "h"),
    make("outer", "e"),
    {
      kind: "for",
      variable: "k",
      from: i32Number(0),
      to: i32Number(4),
      step: i32Number(1),
      trips: 4,
      body: [{ kind: "set", target: name("s", f32), operator: "+=", value: name("outer", f32), cost: "alu" }],
    },
    {
      kind: "store",
      tensor: "y",
      at: i32Number(0),
      value: operation("+", operation("+", once, twice), twice),
    },
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
test("no schedule of a corner of the space costs less than the corner's least price", () => {
  for (const target of Object.values(targets))
    for (const c of cases)
      for (const { nest, least, atOnce, candidates } of corners(nestOf(c.spec), target)) {
        if (!least) continue;
        const bound = leastPrice(nest, least, target, atOnce).total;
        for (const { nest: own, schedule } of candidates())
          expect(
            priceOf(own, schedule, target).total,
            `${c.name} for ${target.name}: ${printSchedule(schedule)}`,
          ).toBeGreaterThanOrEqual(bound);
      }
});
test("within a launch no way of a kernel is passed over that costs less", () => {
  for (const target of [targets["discrete"]!, targets["integrated"]!])
    for (const c of cases.filter((x) =>
      nestOf(x.spec).outer.every((a) => typeof nestOf(x.spec).extentOf.get(a) === "number"),
    ))
      for (const workgroup of target.together) {
        const launch = { workgroup, inTurn: target.workgroupMemory };
        const totalOf = ({ count, others, threads }: Sized): number =>
          (others * threads * count!.issue) / target.simd + count!.serial + 3 * count!.cache + count!.bytes;
        const text = `${c.name} for ${workgroup} of ${target.name}`;
        const all = cheapestBy(c.spec, `all ${workgroup}`, launch, target, (o) => ("nest" in o ? totalOf(o) : 0));
        expect(cheapestBy(c.spec, `some ${workgroup}`, launch, target, totalOf)?.total, text).toBe(all?.total);
        if (!all) continue;
        const below = (most: number): number | undefined =>
          cheapestBy(c.spec, `below ${workgroup}`, launch, target, totalOf, most)?.total;
        expect(below(all.total), text).toBeUndefined();
        expect(below(2 * all.total), text).toBe(all.total); // nothing was kept of what was too dear
        expect(below(all.total), text).toBeUndefined();
      }
});
test("what kernels of a launch have in turn is known from their schedules", () => {
  let some = 0;
  for (const target of [targets["discrete"]!, targets["integrated"]!])
    for (const c of cases) {
      const candidates = enumerate(nestOf(overSources(c.spec)), target).filter(
        (x) => turnsOf(x.nest, x.schedule).length,
      );
      for (const { nest, schedule } of candidates.filter((_, i) => i % Math.ceil(candidates.length / 8) === 0)) {
        const { workgroupMemory } = emitKernel(
          nest,
          { ...layoutFor((s) => s.dtype), inTurn: (type, n) => `${type}_${n}` },
          schedule,
        );
        const bytes = workgroupMemory.reduce((n, x) => n + x.bytes, 0);
        expect(bytesInTurn([turnsOf(nest, schedule)]), `${c.name}: ${printSchedule(schedule)}`).toBe(bytes);
        some++;
      }
    }
  expect(some).toBeGreaterThan(100);
  // the largest array of a type in one place, whatever their order in a kernel
  const turn = (bytes: number) => ({ of: "f32 4", bytes });
  expect(bytesInTurn([[turn(2304), turn(768)], [turn(2048), turn(1280)], [{ of: "f32 1", bytes: 512 }]])).toBe(
    2304 + 1280 + 512,
  );
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
    // dx[i, j, l, m] = select(2 * (j mod 2) + l mod 2 == where_[i, floor(j / 2), floor(l / 2), m], dy[i, floor(j / 2), floor(l / 2), m], 0)
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
/** Elements that a body loads before its first sum and that are the same for all invocations, at most. */
function mostShared(code: string): number {
  const varying = new Set(["local_index"]);
  const widths = new Map(
    [...code.matchAll(/> (\w+): array<(vec4f|\w+)>/g)].map(([, n, t]) => [n!, t === "vec4f" ? 4 : 1]),
  );
  let most = 0;
  let shared = 0;
  for (const line of code.split("\n")) {
    if (/^\s*(for|fn) /.test(line) || /^\s*\w+ \+= /.test(line)) {
      most = Math.max(most, shared);
      shared = 0;
    }
    const [, name, value] = /^\s*(?:let|var) (\w+) = (.*);$/.exec(line) ?? [];
    if (!name) continue;
    if (value!.match(/\w+/g)!.some((word) => varying.has(word))) varying.add(name);
    else for (const [, array] of value!.matchAll(/(\w+)\[/g)) shared += widths.get(array!) ?? 0;
  }
  return most;
}
test("GPUs hold few values that all invocations share: many are loaded where they are used", () => {
  const net = (layers: string, shape = "9, 9, 4"): string => `
data d { rows: 16
  field x: f32[${shape}] = normal[${shape}]
}
model net(x: f32[B, ${shape}]) = x |> ${layers} |> flatten |> Linear(3)
train fit on d(batch: 16) { minimize mean(net(x) ^ 2) by sgd(lr: 0.1) steps: 4 }`;
  const texts = [
    readFileSync(new URL("../../bench/models/w2.dlm", import.meta.url), "utf8"),
    net("Conv2d(32, k: 3, pad: 1) |> relu |> Conv2d(48, k: 3, pad: 1)"),
    net("Conv2d(24, k: 5) |> relu |> Conv2d(20, k: 2)", "14, 14, 3"),
    net("Conv1d(40, k: 3, pad: 1) |> tanh |> Conv1d(64, k: 4, stride: 2)", "33, 8"),
    net("Linear(96, act: relu) |> LayerNorm() |> Linear(80)", "7, 32"),
  ];
  for (const target of ["discrete", "integrated"])
    for (const text of texts)
      for (const { name, code } of compile(text, { name: "m.dlm", target }).plan!.modules)
        expect(mostShared(code!), `${name} for ${target}`).toBeLessThanOrEqual(64);
});
