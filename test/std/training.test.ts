// Optimizers, schedules, initialisers and augmentation without reference cases, against their rules written out here.
import { describe, expect, test } from "vitest";
import { numbers } from "../grad/check.ts";
import { programOf } from "../graph/programs.ts";
import { result, trained } from "./results.ts";

const near = (got: readonly number[], want: readonly number[], digits = 7): void => {
  expect(got.length).toBe(want.length);
  want.forEach((w, i) => expect(got[i]!, `element ${i}`).toBeCloseTo(w, digits));
};
const norm = (x: readonly number[]): number => Math.hypot(...x);

/** An optimizer's rule: parameters and their gradient to new parameters; k counts from 0. */
type Update = (p: number[], g: number[], k: number) => number[];
const start = [0.5, -1, 2];
const slopes = Array.from({ length: 6 }, (_, k) => numbers(3, 7 + k));
const after = (by: string, count: number): number[][] =>
  trained(
    `model net() -> f32[3] {
  param w: f32[3] ~ [${start.join(", ")}]
  return w
}
train fit {
  let g: f32[${count}, 3] = [${slopes.map((g) => `[${g.join(", ")}]`).join(", ")}]
  minimize sum(net() * g[step % ${count}]) by ${by}
  steps: ${count}
}
`,
    count,
  )("net.w");
function rules(): [string, Update][] {
  const [m, v, size, before] = [0, 0, 0.1, 0].map((x) => [x, x, x]) as [number[], number[], number[], number[]];
  let slow = [...start];
  let eta = 0.1;
  return [
    ["sign_sgd(0.1)", (p, g) => p.map((x, i) => x - 0.1 * Math.sign(g[i]!))],
    [
      "adabelief(0.1, eps: 1e-8, decay: 0.1)",
      (p, g, k) =>
        p.map((x, i) => {
          m[i] = 0.9 * m[i]! + 0.1 * g[i]!;
          v[i] = 0.999 * v[i]! + 0.001 * (g[i]! - m[i]!) ** 2 + 1e-8;
          return (
            x - 0.1 * (m[i]! / (1 - 0.9 ** (k + 1)) / (Math.sqrt(v[i]! / (1 - 0.999 ** (k + 1))) + 1e-8) + 0.1 * x)
          );
        }),
    ],
    [
      "rprop(0.1)",
      (p, g) =>
        p.map((x, i) => {
          const turn = Math.sign(g[i]! * before[i]!);
          size[i] = Math.min(50, Math.max(1e-6, size[i]! * (turn > 0 ? 1.2 : turn < 0 ? 0.5 : 1)));
          before[i] = turn < 0 ? 0 : g[i]!;
          return x - Math.sign(before[i]!) * size[i]!;
        }),
    ],
    [
      "asgd(0.1, decay: 0.1)",
      (p, g, k) => {
        const next = p.map((x, i) => x * (1 - 1e-4 * eta) - eta * (g[i]! + 0.1 * x));
        eta = 0.1 / (1 + 1e-4 * 0.1 * (k + 1)) ** 0.75;
        return next;
      },
    ],
    [
      "lars(0.1, momentum: 0, decay: 0.1, trust: 0.5)",
      (p, g) => p.map((x, i) => x - ((0.1 * 0.5 * norm(p)) / (norm(g) + 0.1 * norm(p))) * (g[i]! + 0.1 * x)),
    ],
    ["sgd(lr: 0.1) >> trust_ratio(0.5)", (p, g) => p.map((x, i) => x - ((0.5 * norm(p)) / norm(g)) * g[i]!)],
    [
      "sgd(lr: 0.1) >> lookahead(k: 2, alpha: 0.25)",
      (p, g, k) => {
        const fast = p.map((x, i) => x - 0.1 * g[i]!);
        if (k % 2 === 0) return fast;
        return (slow = slow.map((s, i) => s + 0.25 * (fast[i]! - s)));
      },
    ],
    ["sgd(lr: 1) >> project_box(-1, 0.7)", (p, g) => p.map((x, i) => Math.min(0.7, Math.max(-1, x - g[i]!)))],
    ["sgd(lr: 1) >> project_nonnegative()", (p, g) => p.map((x, i) => Math.max(0, x - g[i]!))],
    [
      "sgd(lr: 0.1) >> project_norm(1)",
      (p, g) => {
        const q = p.map((x, i) => x - 0.1 * g[i]!);
        return q.map((x) => x * Math.min(1, 1 / norm(q)));
      },
    ],
    ["add_decay(0.1) >> sgd(lr: 0.1)", (p, g) => p.map((x, i) => x - 0.1 * (g[i]! + 0.1 * x))],
    ["perceptron_rule(0.5)", (p, g) => p.map((x, i) => x - 0.5 * g[i]!)],
    ["sgd(0.1, dampening: 0.5, decay: 0.1)", (p, g) => p.map((x, i) => x - 0.1 * (g[i]! + 0.1 * x))], // no momentum
    ...(
      [
        ["", norm],
        [", 1", (g) => g.reduce((s, x) => s + Math.abs(x), 0)],
        [", 3", (g) => Math.cbrt(g.reduce((s, x) => s + Math.abs(x) ** 3, 0))],
        [", inf", (g) => Math.max(...g.map(Math.abs))],
      ] as [string, (g: readonly number[]) => number][]
    ).map(([order, size]): [string, Update] => [
      `clip_norm(0.3${order}) >> sgd(1)`,
      (p, g) => p.map((x, i) => x - g[i]! * Math.min(1, 0.3 / (size(g) + 1e-6))),
    ]),
  ];
}
test.each(rules())("optimizer %s", (by, update) => {
  let p = [...start];
  const got = after(by, slopes.length);
  slopes.forEach((g, k) => {
    p = update(p, g, k);
    near(got[k]!, p);
  });
});
test("muon moves by a matrix whose singular values are near 1, the same for every scale of the gradient", () => {
  const moved = (scale: number): number[] => {
    const text = `model net() -> f32[4, 3] {\n  param w: f32[4, 3] ~ zeros\n  return w\n}\ntrain fit {\n  let g = for i in 0..4, j in 0..3: ${scale} * sin(f32(i * i * (j + 1) + 3 * j))\n  minimize sum(net() * g) by muon(lr: 1)\n  steps: 1\n}\n`;
    return trained(text, 1)("net.w")[0]!;
  };
  const x = moved(1);
  near(moved(100), x, 5);
  for (const s of result("= svdvals(x)", { x: ["f32[4, 3]", x] }))
    expect(Math.abs(s / Math.sqrt(4 / 3) - 1)).toBeLessThan(0.35);
});
test("the perceptron learns AND and stops where nothing is wrong", () => {
  const text = `model net(x: f32[B, 2]) -> f32[B] = x |> Linear(1, weights: zeros) |> squeeze(-1)
train fit {
  let x = [[0.0, 0], [0, 1], [1, 0], [1, 1]]
  minimize perceptron_loss(net(x), [0.0, 0, 0, 1], reduce: total) by perceptron_rule()
  steps: 60
}
`;
  const w = trained(text, 60)("net.linear.w");
  expect(w[59]).toEqual(w[50]);
  expect(w[59]!.every((x) => x > 0)).toBe(true);
});
describe("schedules", () => {
  const rates = (schedule: string, count: number): number[] =>
    trained(
      `model net() -> f32 {\n  param w: f32 ~ zeros\n  return w\n}\ntrain fit {\n  state seen: f32 = 0\n  let rate = ${schedule}\n  next seen = rate\n  minimize net()^2 by sgd(lr: rate)\n  steps: ${count}\n}\n`,
      count,
    )("fit.seen").map(([x]) => x!);
  test.each<[string, number[]]>([
    ["linear_warmup(1, warm: 4)", [0.25, 0.5, 0.75, 1, 1, 1]],
    ["linear_warmup(1, warm: 0)", [1, 1, 1, 1, 1, 1]],
    ["cyclic(1, 2, up: 2)", [1, 1.5, 2, 1.5, 1, 1.5]],
    ["cyclic(1, 2, up: 1, down: 2, shrink: 0.5)", [1, 2, 1.5, 1, 1.5, 1.25]],
    ["cyclic(0, 1, up: 1, gamma: 0.5)", [0, 0.5, 0, 0.125, 0, 0.03125]],
    ["inverse_time(1, 1)", [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]],
    ["inverse_sqrt(1, warm: 2)", [0.5, 1, ...[3, 4, 5, 6].map((k) => Math.sqrt(2 / k))]],
    ["polynomial(1, total: 4, power: 2)", [1, 9 / 16, 4 / 16, 1 / 16, 0, 0]],
    ["polynomial(1, total: steps, floor: 0.4)", [1, 0.9, 0.8, 0.7, 0.6, 0.5]],
    ["polynomial(1, total: 3, power: 0)", [1, 1, 1, 1, 1, 1]],
    ["multi_step(1, [1, 3], 0.5)", [1, 0.5, 0.5, 0.25, 0.25, 0.25]],
    ["warmup_linear(1, warm: 2, total: 4, floor: 0.5)", [0.5, 1, 1, 0.75, 0.5, 0.5]],
    ["reduce_on_plateau(1, value: 1, when: true, patience: 1, factor: 0.5)", [1, 1, 0.5, 0.5, 0.25, 0.25]],
    ["reduce_on_plateau(1, value: 1, when: true, patience: 1, factor: 0.5, eps: 0.3)", [1, 1, 0.5, 0.5, 0.5, 0.5]],
    ["reduce_on_plateau(1, value: -f32(step), when: true, patience: 0)", [1, 1, 1, 1, 1, 1]],
    ["reduce_on_plateau(1, value: 1)", [1, 1, 1, 1, 1, 1]], // nothing is measured
  ])("%s", (schedule, want) => near(rates(schedule, 6), want));
  test("every call of a function with state has its own", () => {
    const counter = "fn count(from: f32) -> f32 {\n  state n: f32 = 0\n  next n = n + 1\n  return from + n\n}\n";
    const text = `${counter}model net() -> f32 {\n  param w: f32 ~ zeros\n  return w\n}\ntrain fit {\n  state seen: f32[3] = 0\n  let a = count(10)\n  next seen = [a, count(20), count(30)]\n  minimize net() by sgd(lr: count(0))\n  steps: 3\n}\n`;
    const at = trained(text, 3);
    expect(at("fit.seen")).toEqual([
      [11, 21, 31],
      [12, 22, 32],
      [13, 23, 33],
    ]);
    expect(at("net.w")[2]![0]).toBe(-6);
    expect(at("fit.a.n")[2]).toEqual([3]);
    expect(at("fit.count2.n")[2]).toEqual([3]);
  });
});
describe("initialisers", () => {
  const initial = (use: string, shape: string): number[] =>
    trained(
      `model net() -> f32[${shape}] {\n  param w: f32[${shape}] ~ ${use}\n  return w\n}\ntrain fit {\n  minimize sum(net()) by sgd(lr: 0)\n  steps: 1\n}\n`,
      1,
    )("net.w")[0]!;
  test.each([
    ["orthogonal", "40, 12", 40, 12],
    ["orthogonal", "12, 40", 12, 40],
    ["orthogonal", "3, 3, 4, 10", 36, 10],
  ])("%s of [%s]", (use, shape, m, n) => {
    const w = initial(use, shape);
    const [size, of] = m < n ? [m, "x @ transpose(x)"] : [n, "transpose(x) @ x"];
    const gram = result(`= ${of}`, { x: [`f32[${m}, ${n}]`, w] });
    near(
      gram,
      Array.from({ length: size * size }, (_, i) => (i % (size + 1) ? 0 : 1)),
      6,
    );
  });
  test("dirac gives back what comes, of any rank", () => {
    near(initial("dirac", "3, 2"), [1, 0, 0, 1, 0, 0]);
    near(initial("dirac(2)", "3, 1, 1"), [0, 2, 0]);
    const at = (shape: readonly number[]): number => initial("dirac", [...shape, 1, 1].join(", ")).indexOf(1);
    expect(at([3, 3])).toBe(4);
    expect(at([3, 5])).toBe(7);
    expect(at([3, 3, 3])).toBe(13);
    expect(at([4])).toBe(2); // as in PyTorch
  });
  test("delta_orthogonal is zero but in the middle", () => {
    const w = initial("delta_orthogonal", "3, 3, 2, 2");
    expect(w.filter((x) => x !== 0).length).toBe(4);
    expect(norm(w)).toBeCloseTo(Math.SQRT2, 6);
  });
  test("truncated_normal stays within its limits and has the distribution in between", () => {
    const w = initial("truncated_normal(2, mean: 1, limit: 1.5)", "100, 100");
    expect(Math.max(...w)).toBeLessThanOrEqual(4);
    expect(Math.min(...w)).toBeGreaterThanOrEqual(-2);
    const share = (z: number): number => w.filter((x) => Math.abs(x - 1) < 2 * z).length / w.length;
    expect(share(0.5)).toBeCloseTo(0.3829 / 0.8664, 1);
    expect(share(1)).toBeCloseTo(0.6827 / 0.8664, 1);
  });
  test("sparse leaves out as many weights of every unit as it says", () => {
    const w = initial("sparse(0.3)", "10, 6");
    for (let unit = 0; unit < 6; unit++)
      expect(Array.from({ length: 10 }, (_, i) => w[i * 6 + unit]).filter((x) => x === 0).length).toBe(3);
  });
});
describe("augmentation", () => {
  const [rows, h, w] = [40, 4, 5];
  const picture = Array.from({ length: h * w }, (_, i) => 1 + i);
  /** Of rows that are all this picture, in a training step. */
  const drawn = (use: string, size = h * w): number[][] => {
    const text = `model net() -> f32 {\n  param w: f32 ~ zeros\n  return w\n}\ntrain fit {\n  let x = for b in 0..${rows}, i in 0..${h}, j in 0..${w}, c in 0..1: f32(1 + i * ${w} + j)\n  let y = ${use}\n  state seen: f32[${rows}, ${size}] = 0\n  next seen = reshape[${rows}, ${size}](y)\n  minimize net() by sgd(lr: 0)\n  steps: 1\n}\n`;
    const all = trained(text, 1)("fit.seen")[0]!;
    return Array.from({ length: rows }, (_, b) => all.slice(b * size, (b + 1) * size));
  };
  const [i, j] = [(k: number): number => Math.floor(k / w), (k: number): number => k % w];
  test("random_flip mirrors about half of the rows", () => {
    const flipped = picture.map((_, k) => picture[i(k) * w + (w - 1 - j(k))]!);
    const upside = picture.map((_, k) => picture[(h - 1 - i(k)) * w + j(k)]!);
    for (const [use, other] of [
      ["random_flip(x)", flipped],
      ["random_flip(x, vertical: true)", upside],
    ] as const) {
      const seen = drawn(use).map((y) => (y.join() === other.join() ? 1 : y.join() === picture.join() ? 0 : NaN));
      const count = seen.reduce((a, b) => a + b, 0);
      expect(count).toBeGreaterThan(8);
      expect(count).toBeLessThan(32);
    }
    for (const y of drawn("random_flip(x, 1)")) expect(y).toEqual(flipped);
  });
  test("random_crop takes a part with zeros around, outside training the middle", () => {
    const parts = new Set(drawn("random_crop(x, [2, 3])", 6).map((y) => y.join()));
    const all: string[] = [];
    for (let a = 0; a <= h - 2; a++)
      for (let b = 0; b <= w - 3; b++)
        all.push([0, 1].flatMap((u) => [0, 1, 2].map((v) => picture[(a + u) * w + b + v]!)).join());
    expect([...parts].filter((p) => !all.includes(p))).toEqual([]);
    expect(parts.size).toBeGreaterThan(6);
    expect(result("= random_crop(x, 2)", { x: [`f32[1, ${h}, ${w}, 1]`, picture] })).toEqual([7, 8, 12, 13]);
    expect(result("= random_crop(x, 3, pad: 1)", { x: ["f32[1, 1, 1, 1]", [7]] })).toEqual([0, 0, 0, 0, 7, 0, 0, 0, 0]);
  });
  test("random_cutout clears one square", () => {
    for (const y of drawn("random_cutout(x, 3)")) {
      const cleared = y.flatMap((v, k) => (v === 0 ? [k] : []));
      const spread = (of: (k: number) => number): number =>
        Math.max(...cleared.map(of)) - Math.min(...cleared.map(of)) + 1;
      expect(cleared.length).toBe(spread(i) * spread(j));
      expect(spread(i)).toBeLessThanOrEqual(3);
      expect(y.every((v, k) => v === 0 || v === picture[k])).toBe(true);
    }
  });
  test("rotate turns counter-clockwise about the middle", () => {
    const x = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const given = { x: ["f32[1, 3, 3, 1]", x] } as const;
    near(result("= rotate(x, 0)", given), x);
    near(result("= rotate(x, pi / 2)", given), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
    near(result("= rotate(x, pi)", given), [...x].reverse());
    near(result("= rotate(x, pi / 4)", given).slice(4, 5), [5]);
    near(result("= rotate(x, a)", { x: ["f32[2, 1, 2, 1]", [1, 2, 1, 2]], a: ["f32[2]", [0, Math.PI]] }), [1, 2, 2, 1]);
  });
  test("brightness, contrast and noise change rows within their bounds", () => {
    for (const y of drawn("random_brightness(x, 0.2)")) {
      expect(Math.abs(y[0]! - 1)).toBeLessThanOrEqual(0.2);
      near(
        y.map((v) => v - y[0]!),
        picture.map((v) => v - 1),
      );
    }
    for (const y of drawn("random_contrast(x, 0.5)")) {
      const f = (y[1]! - y[0]!) / 1;
      expect(Math.abs(f - 1)).toBeLessThanOrEqual(0.5);
      near(
        y,
        picture.map((v) => 10.5 + f * (v - 10.5)),
      );
    }
    const noise = drawn("random_noise(x, 0.1)").flatMap((y) => y.map((v, k) => v - picture[k]!));
    expect(norm(noise) / Math.sqrt(noise.length)).toBeCloseTo(0.1, 1);
  });
  test("mixup mixes neighbours and their classes alike", () => {
    const text = `model net() -> f32 {\n  param w: f32 ~ zeros\n  return w\n}\ntrain fit {\n  let (x, q) = mixup(for b in 0..50, d in 0..1: f32(b), for b in 0..50, k in 0..50: f32(b == k), alpha: 1)\n  state seen: f32[50, 51] = 0\n  next seen = concat([x, q], axis: 1)\n  minimize net() by sgd(lr: 0)\n  steps: 1\n}\n`;
    const seen = trained(text, 1)("fit.seen")[0]!;
    const t = Array.from({ length: 50 }, (_, b) => seen[b * 51 + 1 + b]!);
    t.forEach((v, b) => {
      expect(seen[b * 51]).toBeCloseTo(v * b + (1 - v) * ((b + 1) % 50), 6);
      expect(seen[b * 51 + 1 + ((b + 1) % 50)]).toBeCloseTo(1 - v, 6);
    });
    expect(t.reduce((a, b) => a + b) / 50).toBeCloseTo(0.5, 0);
  });
  test("Beta(alpha, alpha) has mean 1/2 and variance 1 / (4 (2 alpha + 1))", () => {
    for (const alpha of [0.2, 1]) {
      const x = result(`= beta_draws(4000, ${alpha})`);
      const m = x.reduce((a, b) => a + b) / x.length;
      expect(m).toBeCloseTo(0.5, 1);
      expect(x.reduce((a, b) => a + (b - m) ** 2, 0) / x.length).toBeCloseTo(1 / (4 * (2 * alpha + 1)), 2);
    }
  });
  test("outside training nothing is drawn", () => {
    const given = { x: [`f32[1, ${h}, ${w}, 1]`, picture] } as const;
    for (const use of ["random_flip(x)", "random_cutout(x, 2)", "random_rotate(x, 1)", "random_noise(x)"])
      expect(result(`= ${use}`, given)).toEqual(picture);
    near(result("= standardised(x)", { x: ["f32[2, 2]", [1, 5, 3, 5]] }), [-1, 0, 1, 0]);
  });
});
describe("ranges of parameters", () => {
  test.each([
    "adamw(b1: 1.5)",
    "adam(lr: -1)",
    "sgd(momentum: -0.1)",
    "clip_norm(-1) >> sgd()",
    "sgd(lr: cyclic(0, 1, up: 0))",
    "sgd(lr: one_cycle(1, total: 5, share: 2))",
  ])("%s", (by) => {
    expect(() =>
      programOf(
        `model net() -> f32 {\n  param w: f32 ~ zeros\n  return w\n}\ntrain fit {\n  minimize net() by ${by}\n  steps: 1\n}\n`,
      ),
    ).toThrow("DLM2010");
  });
});
