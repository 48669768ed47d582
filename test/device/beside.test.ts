// Kernels that wait for none of each other as one launch: training on a device against the evaluator, what may join and what may not.
import { describe, expect, test } from "vitest";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { compile } from "../../compiler/compile.ts";
import { dispatchesOf } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";
import { compareTraining } from "./training.ts";

/** Launches cost so much that whatever can be joined is. */
const always: Target = { ...targets["discrete"]!, launchNs: 1e7 };
const others: Readonly<Record<string, Target>> = {
  "workgroups of 256": { ...always, together: [256] },
  "little memory": { ...always, workgroupMemory: 6144 },
  "eight cores": { ...targets["integrated"]!, launchNs: 1e7 },
  "many buffers": { ...always, storageBuffers: 16 },
};
interface Case {
  readonly fields?: string;
  readonly model: string;
  readonly loss?: string;
  readonly by?: string;
  readonly settings?: string;
}
const program = ({ fields, model, loss, by, settings, batch = 6 }: Case & { batch?: number }): string => `
data rows {
  rows: ${2 * batch}
${fields ?? "  field x: f32[8] = normal[8]\n  field y: f32[3] = normal[3]"}
}
${model}
train fit on rows(batch: ${batch}, seed: 7, shuffle: false) {
  minimize ${loss ?? "mse(net(x), y)"} by ${by ?? "sgd(lr: 0.2)"}
  steps: 3
${settings ?? ""}
}`;
const images = "  field x: f32[8, 8, 2] = normal[8, 8, 2]\n  field y: f32[3] = normal[3]";
const rows = "  field x: f32[6, 8] = normal[6, 8]\n  field y: f32[6, 8] = normal[6, 8]";
const table: Readonly<Record<string, Case>> = {
  layers: {
    model: `model net(x: f32[B, D]) -> f32[B, 3] = x |> Linear(64, act: relu) |> Linear(32, act: tanh) |> Linear(3)`,
  },
  "layers of odd sizes": {
    model: `model net(x: f32[B, D]) -> f32[B, 3] = x |> Linear(37, act: relu) |> Linear(13, act: tanh) |> Linear(5) |> Linear(3)`,
  },
  "equal layers": { model: `model net(x: f32[B, D]) -> f32[B, 3] = x |> stack 3 of Linear(D, act: tanh) |> Linear(3)` },
  "equal layers of rows": {
    fields: rows,
    model:
      `model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> stack 2 of Linear(D, act: tanh) |> LayerNorm() |> Linear(D)`.replace(
        "stack 2 of Linear(D, act: tanh)",
        "stack 2 of Linear(D, act: tanh)",
      ),
  },
  convolutions: {
    fields: images,
    model: `model net(x: f32[B, H, W, C]) -> f32[B, 3] = x |> Conv2d(4, 3) |> relu |> MaxPool2d(2) |> Conv2d(8, 3, padding: same) |> tanh |> flatten |> Linear(3)`,
  },
  "norms of batches": {
    model: `model net(x: f32[B, D]) -> f32[B, 3] = x |> Linear(16) |> BatchNorm() |> relu |> Linear(16) |> BatchNorm() |> Linear(3)`,
  },
  "a norm of the gradient": {
    model: `model net(x: f32[B, D]) -> f32[B, 3] = x |> Linear(24, act: relu) |> Linear(3)`,
    by: "clip_norm(0.5) >> adam(lr: 0.01)",
  },
  "weights in two places": {
    model: `model net(x: f32[B, D]) -> f32[B, 3] {
  let one = Linear(D, act: tanh)
  return one(one(x)) |> Linear(3)
}`,
  },
  "several batches a step": {
    model: `model net(x: f32[B, D]) -> f32[B, 3] = x |> Linear(24, act: relu) |> Linear(3)`,
    settings: "  accumulate: 2",
  },
  "a table": {
    fields: "  field x: i32[5] in 0..9 = for t in 0..5: (row * 3 + t) % 9\n  field y: f32[3] = normal[3]",
    model: `model net(x: i32[B, T] in 0..9) -> f32[B, 3] = mean(x |> Embedding(9, 16) |> Linear(12, act: gelu), axis: 1) |> Linear(3)`,
  },
  "a loop": {
    fields: rows,
    model: `model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> LSTM(12) |> Linear(D)`,
  },
  "nets beside one another": {
    model: `model net(x: f32[B, D]) -> f32[B, 3] = (x |> Linear(20, act: relu) |> Linear(3)) + (x |> Linear(20, act: tanh) |> Linear(3)) * (x |> Linear(3, bias: false))`,
  },
};
const labelsOf = (c: Case, target: Target, batch = 32): readonly string[] =>
  dispatchesOf(compile(program({ ...c, batch }), { name: "model.dlm", target }).plan!.trains[0]!.step.commands).map(
    (d) => d.label,
  );
const isBeside = (label: string): boolean => /_beside(_\d+)?$/.test(label);

describe("kernels beside one another", () => {
  test.each(Object.entries(table).flatMap(([name, c]) => [1, 5, 32].map((batch) => [name, batch, c] as const)))(
    "%s, batches of %d",
    async (_, batch, c) => {
      const { device } = await testDevice();
      await compareTraining(program({ ...c, batch }), device, { target: always });
    },
    60_000,
  );
  test.each(
    Object.entries(others).flatMap(([of, target]) =>
      ["layers", "convolutions", "nets beside one another"].map((name) => [of, name, target] as const),
    ),
  )(
    "%s: %s",
    async (of, name, target) => {
      const { device } = await testDevice();
      const source = program({ ...table[name]!, batch: 16 });
      const isHere = target.storageBuffers <= device.limits.maxStorageBuffersPerShaderStage;
      const plan = isHere
        ? await compareTraining(source, device, { target })
        : compile(source, { name: "model.dlm", target }).plan!;
      for (const { name: module, code = "" } of plan.modules) {
        const arrays = code.matchAll(/var<workgroup> \w+: array<(\w+), (\d+)>/g);
        const bytes = [...arrays].map(([, type, count]) => Number(count) * (type!.startsWith("vec4") ? 16 : 4));
        expect(
          bytes.reduce((sum, n) => sum + n, 0),
          module,
        ).toBeLessThanOrEqual(target.workgroupMemory);
        expect(code.match(/@binding/g)?.length ?? 0, `${of}, ${module}`).toBeLessThanOrEqual(target.storageBuffers + 1);
      }
    },
    60_000,
  );
  test("the gradient of a bias is no launch of its own", () => {
    for (const [name, c] of Object.entries(table).filter(([, c]) => !c.settings))
      // several batches a step: a chain has it
      for (const target of ["discrete", "integrated"]) {
        const labels = labelsOf(c, { ...targets[target]!, launchNs: 1e6 });
        expect(
          labels.filter((l) => /(linear|conv)[^,]*_b_grad(_\d+)?$/.test(l)),
          `${name}: ${labels.join()}`,
        ).toEqual([]);
      }
    expect(labelsOf(table["layers"]!, targets["discrete"]!).some(isBeside)).toBe(true);
    // what is left of the others is batched, chained or one launch already
    expect(Object.keys(table).filter((name) => labelsOf(table[name]!, always).some(isBeside))).toEqual(
      expect.arrayContaining([
        "layers",
        "layers of odd sizes",
        "equal layers of rows",
        "convolutions",
        "norms of batches",
        "a table",
        "nets beside one another",
      ]),
    );
  });
  test("no kernel stands beside another where launches cost nothing, on software devices, and where each is looked at", () => {
    for (const c of Object.values(table))
      for (const target of [{ ...always, launchNs: 0 }, targets["software"]!, { ...always, apart: true as const }])
        expect(labelsOf(c, target).filter(isBeside)).toEqual([]);
  });
});
