// Small plans with hand-written kernels, for tests of the runtime without a compiler: a line y = w x + b fitted by gradient descent.
import type { Dispatch, Plan, PlanColumn, PlanDataset, PlanTrain } from "../../runtime/plan.ts";

const one = (size: string) => ({ sum: [{ factor: 1, dims: [size] }] });
const four = (size: string) => ({ sum: [{ factor: 4, dims: [size] }] });

const kernels = {
  // the slope starts with a number that depends on the seed
  init: `
@group(0) @binding(0) var<storage, read_write> p: array<f32>;
@group(0) @binding(1) var<storage, read_write> count: array<i32>;
@group(0) @binding(2) var<storage, read> scalars: array<i32>;
@compute @workgroup_size(1) fn main() {
  p[0] = f32((scalars[0] * 7919) % 1000) / 1000.0;
  p[64] = 0.0;
  count[0] = 0;
}`,
  gradient: (batch: number, window: number, bytes: boolean) => `
@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> count: array<i32>;
@group(0) @binding(2) var<storage, read> x: array<${bytes ? "u32" : "f32"}>;
@group(0) @binding(3) var<storage, read> y: array<f32>;
@group(0) @binding(4) var<storage, read> index: array<i32>;
@group(0) @binding(5) var<storage, read_write> g: array<f32>;
@compute @workgroup_size(1) fn main() {
  var slope = 0.0;
  var bias = 0.0;
  var loss = 0.0;
  for (var b = 0; b < ${batch}; b++) {
    let row = index[(count[0] % ${window}) * ${batch} + b];
    let v = ${bytes ? "f32((x[row / 4] >> u32(8 * (row % 4))) & 0xffu)" : "x[row]"};
    let e = p[0] * v + p[64] - y[row];
    loss += e * e / ${batch}.0;
    slope += 2.0 * e * v / ${batch}.0;
    bias += 2.0 * e / ${batch}.0;
  }
  g[0] = slope;
  g[1] = bias;
  g[2] = loss;
}`,
  // scalars: seed, steps, epoch, measured, test.loss; the rate falls over the planned steps; ring: loss, epoch, measured, test.loss
  update: (window: number) => `
@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> scalars: array<i32>;
@group(0) @binding(2) var<storage, read_write> p: array<f32>;
@group(0) @binding(3) var<storage, read_write> count: array<i32>;
@group(0) @binding(4) var<storage, read_write> ring: array<f32>;
@compute @workgroup_size(1) fn main() {
  let t = count[0];
  let rate = 0.1 * (1.0 - f32(t) / bitcast<f32>(scalars[64]));
  p[0] -= rate * g[0];
  p[64] -= rate * g[1];
  let row = 4 * (t % ${window});
  ring[row] = g[2];
  ring[row + 1] = f32(scalars[128]);
  ring[row + 2] = f32(scalars[192]);
  ring[row + 3] = bitcast<f32>(scalars[256]);
  count[0] = t + 1;
}`,
  errors: `
override dim_rows: i32;
@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> index: array<i32>;
@group(0) @binding(4) var<storage, read_write> kept: array<f32>;
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) group: vec3u) {
  let b = i32(group.y * 65535u + group.x);
  if (b >= dim_rows) { return; }
  let e = p[0] * x[index[b]] + p[64] - y[index[b]];
  kept[b] = e * e;
}`,
  means: `
override dim_rows: i32;
@group(0) @binding(0) var<storage, read> kept: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(1) fn main() {
  var sum = 0.0;
  for (var b = 0; b < dim_rows; b++) { sum += kept[b]; }
  out[0] = sum / f32(dim_rows);
  out[64] = f32(dim_rows);
  out[65] = kept[dim_rows - 1];
}`,
  predict: `
override dim_b: i32;
@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let b = i32(id.x);
  if (b < dim_b) { out[b] = scale[0] * (p[0] * x[b] + p[64]); }
}`,
  horner: `
@group(0) @binding(0) var<uniform> t: i32;
@group(0) @binding(1) var<storage, read_write> out: array<i32>;
@compute @workgroup_size(1) fn main() { out[0] = out[0] * 10 + t; }`,
};

export interface LineOptions {
  readonly batch?: number;
  readonly window?: number;
  readonly chunk?: number;
  readonly x?: Partial<PlanColumn>;
  readonly dataset?: Partial<PlanDataset>;
  readonly train?: Partial<PlanTrain>;
}
/** Data fed by the host as `x` and `y`. */
export function linePlan({
  batch = 4,
  window = 8,
  chunk = 5,
  x = {},
  dataset = {},
  train = {},
}: LineOptions = {}): Plan {
  const bytes = x.storage === "u8";
  const modules: { name: string; code: string }[] = [];
  const dispatch = (
    label: string,
    code: string,
    bindings: readonly (readonly [
      buffer: number,
      bytes: Dispatch["bindings"][number]["bytes"],
      access?: "read_write" | "uniform",
      offset?: number,
    ])[],
    more: Partial<Dispatch> = {},
  ): Dispatch => {
    if (!modules.some((m) => m.name === label)) modules.push({ name: label, code });
    return {
      kind: "dispatch",
      label,
      module: modules.findIndex((m) => m.name === label),
      entry: "main",
      bindings: bindings.map(([buffer, size, access, offset], i) => ({
        binding: i,
        buffer,
        offset: offset ?? 0,
        bytes: size,
        access: access ?? "read",
      })),
      workgroups: [1, 1],
      lines: ["line.dlm:5"],
      ...more,
    };
  };
  return {
    version: 1,
    name: "line",
    source: "",
    compiler: "test",
    target: "software",
    requires: { features: [], limits: { maxStorageBuffersPerShaderStage: 8 } },
    buffers: [
      { label: "parameters", bytes: 512, role: "state" },
      { label: "step", bytes: 256, role: "state" },
      { label: "ring", bytes: 16 * window, role: "state" },
      { label: "line.x", bytes: 0, role: "data" },
      { label: "line.y", bytes: 0, role: "data" },
      { label: "index", bytes: 4 * window * batch, role: "input" },
      { label: "scalars", bytes: 1280, role: "input" },
      { label: "gradient", bytes: 256, role: "scratch" },
      { label: "rows", bytes: four("rows"), role: "input" },
      { label: "errors", bytes: four("rows"), role: "scratch" },
      { label: "kept", bytes: four("rows"), role: "scratch" },
      { label: "metrics", bytes: 512, role: "output" },
      { label: "input", bytes: four("B"), role: "input" },
      { label: "scale", bytes: 4, role: "input" },
      { label: "output", bytes: four("B"), role: "output" },
      { label: "steps", bytes: 768, role: "steps" },
      { label: "digits", bytes: 256, role: "output" },
    ],
    states: [
      { name: "line.w", kind: "parameter", dtype: "f32", shape: [1], buffer: 0, offset: 0 },
      { name: "line.b", kind: "parameter", dtype: "f32", shape: [], buffer: 0, offset: 256 },
      { name: "fit.step", kind: "counter", dtype: "i32", shape: [], buffer: 1, offset: 0 },
    ],
    datasets: [
      {
        name: "points",
        columns: [
          {
            name: "points.x",
            loader: { kind: "host", name: "x" },
            storage: "f32",
            shape: [],
            buffer: 3,
            place: "line.dlm:2",
            ...x,
          },
          {
            name: "points.y",
            loader: { kind: "host", name: "y" },
            storage: "f32",
            shape: [],
            buffer: 4,
            place: "line.dlm:3",
          },
        ],
        holdouts: [{ name: "test", fraction: 0.25, place: "line.dlm:4" }],
        windowed: false,
        streamable: true,
        ...dataset,
      },
    ],
    trains: [
      {
        name: "fit",
        dataset: "points",
        batch,
        accumulate: 1,
        shuffle: true,
        seed: 3,
        steps: 60,
        window,
        init: {
          name: "fit.init",
          dims: [],
          commands: [
            dispatch("fit_init", kernels.init, [
              [0, 512, "read_write"],
              [1, 4, "read_write"],
              [6, 1280],
            ]),
          ],
        },
        step: {
          name: "fit.step",
          dims: [],
          commands: [
            dispatch("loss_gradient", kernels.gradient(batch, window, bytes), [
              [0, 512],
              [1, 4],
              [3, 4],
              [4, 4],
              [5, 4 * window * batch],
              [7, 12, "read_write"],
            ]),
            dispatch("sgd", kernels.update(window), [
              [7, 12],
              [6, 1280],
              [0, 512, "read_write"],
              [1, 4, "read_write"],
              [2, 16 * window, "read_write"],
            ]),
          ],
        },
        batchIndex: { buffer: 5, offset: 0 },
        ring: { buffer: 2, offset: 0, columns: ["loss", "epoch", "measured", "last"] },
        stepCounter: "fit.step",
        scalars: [
          { name: "seed", dtype: "i32", shape: [], buffer: 6, offset: 0 },
          { name: "steps", dtype: "f32", shape: [], buffer: 6, offset: 256 },
          { name: "epoch", dtype: "i32", shape: [], buffer: 6, offset: 512 },
          { name: "measured", dtype: "i32", shape: [], buffer: 6, offset: 768 },
          { name: "test.loss", dtype: "f32", shape: [], buffer: 6, offset: 1024 },
        ],
        evaluate: {
          chunk,
          rows: {
            name: "fit.evaluate.rows",
            dims: [{ name: "rows" }],
            commands: [
              dispatch(
                "errors",
                kernels.errors,
                [
                  [0, 512],
                  [3, 4],
                  [4, 4],
                  [8, four("rows")],
                  [9, four("rows"), "read_write"],
                ],
                { constants: ["rows"], workgroups: [{ tiles: [[one("rows"), 1]] }, "fold"] },
              ),
            ],
          },
          index: { buffer: 8, offset: 0 },
          kept: [{ name: "kept0", bytesPerRow: 4, from: 9, to: 10 }],
          finish: {
            name: "fit.evaluate.finish",
            dims: [{ name: "rows" }],
            commands: [
              dispatch(
                "means",
                kernels.means,
                [
                  [10, four("rows")],
                  [11, 512, "read_write"],
                ],
                { constants: ["rows"] },
              ),
            ],
          },
          metrics: [
            { name: "loss", dtype: "f32", shape: [], buffer: 11, offset: 0 },
            { name: "more", dtype: "f32", shape: [2], buffer: 11, offset: 256 },
          ],
        },
        ...train,
      },
    ],
    exports: [
      {
        name: "predict",
        program: {
          name: "predict",
          dims: [{ name: "B", at_most: 100000 }],
          commands: [
            dispatch(
              "predict",
              kernels.predict,
              [
                [0, 512],
                [12, four("B")],
                [13, 4],
                [14, four("B"), "read_write"],
              ],
              { constants: ["B"], workgroups: [{ tiles: [[one("B"), 64]] }, "fold"] },
            ),
          ],
        },
        inputs: [
          { name: "x", dtype: "f32", shape: [one("B"), 1], buffer: 12, offset: 0 },
          { name: "scale", dtype: "f32", shape: [], buffer: 13, offset: 0, optional: 1 },
        ],
        outputs: [{ name: "predict", dtype: "f32", shape: [one("B"), 1], buffer: 14, offset: 0 }],
      },
      {
        name: "digits",
        program: {
          name: "digits",
          dims: [],
          commands: [
            { kind: "copy", from: { buffer: 13, offset: 0 }, to: { buffer: 16, offset: 0 }, bytes: 4 },
            {
              kind: "loop",
              count: 3,
              reverse: true,
              stepBuffer: 15,
              body: [
                dispatch("horner", kernels.horner, [
                  [15, 4, "uniform"],
                  [16, 4, "read_write"],
                ]),
              ],
            },
          ],
        },
        inputs: [{ name: "start", dtype: "i32", shape: [], range: [0, 10], buffer: 13, offset: 0 }],
        outputs: [{ name: "digits", dtype: "i32", shape: [], buffer: 16, offset: 0 }],
      },
    ],
    modules,
  };
}
/** y = 3 x - 1, exactly. */
export const linePoints = (n: number, whole = false): { x: Float32Array; y: Float32Array } => {
  const x = Float32Array.from({ length: n }, (_, i) => (whole ? (i * 7) % 3 : Math.fround(((i * 37) % 101) / 50 - 1)));
  return { x, y: x.map((v) => 3 * v - 1) };
};
