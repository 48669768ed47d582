// Kernels over the same rows as one launch: training on a device against the evaluator, with rows of all kinds and sizes, and what may not be joined.
import { describe, expect, test } from "vitest";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { compile } from "../../compiler/compile.ts";
import { testDevice } from "../device.ts";
import { numbers } from "../grad/check.ts";
import { made, withModel } from "../model.ts";
import { compareTraining } from "./training.ts";

const integrated = targets["integrated"]!;
/** Launches cost so much that whatever can be joined is. */
const always: Target = { ...integrated, cores: 1, launchNs: 1e7 };
const workgroupOf = (memory: number): Target => ({ ...always, workgroupMemory: memory });

interface Case {
  readonly fields?: string;
  readonly model: string;
  readonly loss?: string;
}
const program = ({ fields, model, loss, batch = 6 }: Case & { batch?: number }): string => `
data rows {
  rows: ${2 * batch}
${fields ?? "  field x: f32[6, 8] = normal[6, 8]\n  field y: f32[6, 8] = normal[6, 8]"}
}
${model}
train fit on rows(batch: ${batch}, seed: 7, shuffle: false) {
  minimize ${loss ?? "mse(net(x), y)"} by sgd(lr: 0.2)
  steps: 3
}`;
const table: Record<string, Case> = {
  "layers behind one another": {
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Linear(12, act: gelu) |> LayerNorm() |> Linear(D, act: tanh) |> Linear(D)`,
  },
  "one axis of rows": {
    fields: "  field x: f32[9] = normal[9]\n  field y: f32[3] = normal[3]",
    model: `model net(x: f32[B, D]) -> f32[B, 3] = x |> Linear(10, act: relu) |> LayerNorm() |> Linear(7, act: silu) |> Linear(3)`,
  },
  "a transformer": {
    model: `
layer Block()(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x + (x |> LayerNorm() |> MultiHeadAttention(heads: 2, causal: true))
  return h + (h |> LayerNorm() |> Linear(2 * D, act: gelu) |> Linear(D))
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> stack 2 of Block() |> LayerNorm() |> Linear(D)`,
  },
  "classes by number": {
    fields: "  field x: f32[5, 6] = normal[5, 6]\n  field y: i32[5] in 0..7 = for t in 0..5: (row * 5 + t * t) % 7",
    model: `model net(x: f32[B, T, D]) -> f32[B, T, 7] = x |> Linear(11, act: relu) |> RMSNorm() |> Linear(7)`,
    loss: "cross_entropy(net(x), y)",
  },
  "largest of a row, and where": {
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x |> Linear(D)
  let best = for b, t: max(h[b, t, :])
  let where_ = for b, t: f32(argmax(h[b, t, :]))
  return for b, t, k: tanh(h[b, t, k] - best[b, t]) + 0.1 * where_[b, t]
}`,
  },
  "what reads other rows": {
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x |> Linear(D, act: tanh)
  let mixed = for b, t in 0..T, k: sum(h[b, :, k]) / 6.0 + h[b, T - 1 - t, k]
  return mixed |> LayerNorm() |> Linear(D)
}`,
  },
  "what reads other rows of the batch": {
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Linear(D) |> BatchNorm() |> Linear(D, act: relu) |> Linear(D)`,
  },
  "rows that no tile divides": {
    fields: "  field x: f32[37, 4] = normal[37, 4]\n  field y: f32[37, 4] = normal[37, 4]",
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Linear(D, act: tanh) |> LayerNorm() |> Linear(D)`,
  },
  dropout: {
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Linear(D, act: relu) |> Dropout(0.4) |> LayerNorm() |> Linear(D)`,
  },
  "rows in another order": {
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] = transpose(x) |> Linear(5, act: tanh) |> Linear(T) |> transpose |> LayerNorm() |> Linear(D)`,
  },
  "a loop whose rounds are launches": {
    // the norm over the batch keeps the loop from being one launch
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] {
  let first = Linear(D, act: tanh)
  let second = Linear(D)
  let third = LayerNorm()
  return scan (v in x along T; h = zeros[B, D], m = zeros[B, D]) {
    let z = second(third(first(v + h)))
    next h = tanh(z + m) / (1 + mean(z^2, axis: 0)), m = h + third(z)
    yield h
  }
}`,
  },
  "more slices of flat buffers than a launch binds, of odd sizes": {
    fields: "  field x: f32[5, 7] = normal[5, 7]\n  field y: f32[5, 7] = normal[5, 7]",
    model: `
layer Odd(n: int)(x: f32[B, T, D]) -> f32[B, T, D] = x |> Linear(n, act: tanh) |> LayerNorm() |> Linear(n + 2, act: silu) |> Linear(D) |> RMSNorm()
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> stack 3 of Odd(3) |> Odd(5) |> Linear(D)`,
  },
  "a convolution between": {
    fields: "  field x: f32[8, 8, 2] = normal[8, 8, 2]\n  field y: f32[3] = normal[3]",
    model: `model net(x: f32[B, H, W, C]) -> f32[B, 3] = x |> Conv2d(4, 3) |> relu |> GroupNorm(groups: 2) |> flatten |> Linear(6, act: tanh) |> Linear(3)`,
  },
};
const launchesOf = (c: Case, target: Target): number =>
  compile(program({ ...c, batch: 8 }), { name: "model.dlm", target }).plan!.trains[0]!.step.commands.length;

describe("rows of kernels in one launch", () => {
  const sizes = [1, 5, 6, 32];
  test.each(Object.entries(table).flatMap(([name, c]) => sizes.map((batch) => [name, batch, c] as const)))(
    "%s, batches of %d",
    async (_, batch, c) => {
      const { device } = await testDevice();
      await compareTraining(program({ ...c, batch }), device, { target: always });
    },
    60_000,
  );
  test.each(sizes)("in a loop whose rounds are launches, batches of %d", async (batch) => {
    const { device } = await testDevice();
    const target = { ...always, workgroupNs: 1e9 }; // a launch of all rounds is too long
    const c = table["a loop whose rounds are launches"]!;
    expect(launchesOf(c, target)).toBeGreaterThan(12); // the loop stays one
    await compareTraining(program({ ...c, batch }), device, { target });
  });
  test("are far fewer launches than kernels", () => {
    const apart = { ...always, launchNs: 0 };
    for (const [name, most] of [
      ["layers behind one another", 0.6],
      ["a transformer", 0.6],
      ["what reads other rows", 0.9],
    ] as const)
      expect(launchesOf(table[name]!, always) / launchesOf(table[name]!, apart), name).toBeLessThan(most);
  });
  test.each([3, 8, 32])("fewer rows than cores: %d of many layers", async (batch) => {
    const { device } = await testDevice();
    const c = {
      fields: "  field x: f32[24] = normal[24]\n  field y: f32[24] = normal[24]",
      model: "model net(x: f32[B, D]) -> f32[B, D] = x |> stack 12 of Linear(D, act: tanh)",
    };
    const { trains } = await compareTraining(program({ ...c, batch }), device, { target: targets["discrete"]! });
    expect(trains[0]!.step.commands.length).toBeLessThan(8);
  });
  test.each([6144, 7000, 9000, 16384])("with workgroup memory of %d bytes, and no more", async (bytes) => {
    const { device } = await testDevice();
    for (const name of ["a transformer", "layers behind one another", "largest of a row, and where"]) {
      const source = program({ ...table[name]!, batch: 8 });
      const plan = await compareTraining(source, device, { target: workgroupOf(bytes) });
      for (const { name, code = "" } of plan.modules) {
        const arrays = code.matchAll(/var<workgroup> \w+: array<(\w+), (\d+)>/g);
        const sizes = [...arrays].map(([, type, count]) => Number(count) * (type!.startsWith("vec4") ? 16 : 4));
        expect(
          sizes.reduce((sum, n) => sum + n, 0),
          name,
        ).toBeLessThanOrEqual(bytes);
      }
    }
  });
});

const sizesOfRun = [
  [1, 1],
  [2, 7],
  [5, 3],
] as const;
test.each([
  "export fn g(x: f32[B, 9, 9]) = for b, i in 0..18, j: sum over p in 0..3: x[b, (i - p) / 2, j] ?? 0",
  "export fn g(x: f32[B, T, 3, 8], w: f32[8, 8]) = for b, t: softmax(x[b, t] @ w)",
  "export fn g(x: f32[B, T, 4]) = grad(sum(for b, t in 0..T, s in 0..T: exp(sum over d: x[b, t, d] * x[b, s, d])), wrt: x)",
  "export fn g(x: f32[B, 3, T, 2, S, 6]) = softmax(tanh(x @ x[0, 0, 0, 0, 0]))",
  "export fn g(x: f32[5, B, 7, T, 6]) = softmax(tanh(x @ x[0, 0, 0, 0]))",
  "export fn g(x: f32[B, T, 6], y: f32[T, B, 6]) = (softmax(tanh(x @ x[0, 0])), softmax(tanh(y @ y[0, 0])))",
])("axes that only the run knows, anywhere in a grid: %s", async (text) => {
  const shapes = [...text.matchAll(/(\w+): f32\[([^\]]*)\]/g)].map(
    ([, name, dims]) => [name!, dims!.split(", ")] as const,
  );
  const run = (target: Target, [B, T]: readonly [number, number]): Promise<number[]> =>
    withModel(made(text, { target, verify: true }), async (model) => {
      const inputs = shapes.map(([name, dims], i) => {
        const shape = dims.map((d) => ({ B, T, S: B + T })[d] ?? Number(d));
        const size = shape.reduce((n, m) => n * m, 1);
        return [name, { shape, data: numbers(size, i).map((v) => Math.fround(v / 2)) }] as const;
      });
      return Object.values(await model.run("g", Object.fromEntries(inputs))).flatMap(({ data }) => [...data]);
    });
  for (const sizes of sizesOfRun) {
    const want = await run(targets["software"]!, sizes);
    for (const target of [targets["discrete"]!, { ...targets["discrete"]!, launchNs: 1e5 }, always]) {
      const got = await run(target, sizes);
      expect(got.length).toBe(want.length);
      got.forEach((x, i) => expect(Math.abs(x - want[i]!)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(want[i]!))));
    }
  }
});
