// Paths: a run of capitals is one word, and weights that an earlier version saved under other underscores still load.
import { expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../runtime/safetensors.ts";
import { made, withModel } from "../model.ts";

const layers = [
  "PReLU",
  "MyReLU",
  "GRUCell",
  "LSTM",
  "BatchNormal2d",
  "LPPool2d",
  "SwiGLU",
  "LeNet",
  "XNet",
  "ViT",
  "Conv1dBlock",
];
test("layers' names as parts of paths", () => {
  const text = `${layers.map((l) => `layer ${l}(k: int = 1)(x: f32[B, 2]) -> f32[B, 2] {\n  param a: f32[2] ~ ones\n  return x * a\n}`).join("\n")}
model net(x: f32[B, 2]) -> f32[B, 2] = x |> ${layers.map((l) => `${l}()`).join(" |> ")}
export fn f(x: f32[B, 2]) -> f32[B, 2] = net(x)`;
  expect(made(text).program.parameters.map((p) => p.path.split(".")[1])).toEqual([
    "prelu",
    "my_relu",
    "gru_cell",
    "lstm",
    "batch_normal2d",
    "lp_pool2d",
    "swi_glu",
    "le_net",
    "x_net",
    "vit",
    "conv1d_block",
  ]);
});
test("weights and checkpoints with the names of before", async () => {
  const text = `data d {\n  rows: 4\n  field x: f32[2] = [f32(row), 1.0]\n}
layer PReLU()(x: f32[B, D]) -> f32[B, D] {
  param a: f32[] ~ 0.25
  return where(x > 0, x, a * x)
}
model net(x: f32[B, 2]) -> f32[B, 2] = x |> Linear(2) |> PReLU()
train fit on d(batch: 4) {\n  minimize mse(net(x), x) by adam(lr: 0.1)\n  steps: 3\n}`;
  const { all, weights } = await withModel(made(text), async (model) => {
    await model.train("fit");
    return {
      all: await model.parameters({ all: true }),
      weights: [await model.checkpoint({ weights: true }), await model.checkpoint()],
    };
  });
  const older = weights.map((bytes) => {
    const { tensors, ...rest } = readSafetensors(bytes);
    return writeSafetensors({
      ...rest,
      tensors: new Map([...tensors].map(([k, x]) => [k.replace("prelu", "p_re_lu"), x])),
    });
  });
  await withModel(made(text), async (model) => {
    await model.loadWeights(older[0]!);
    expect((await model.parameters())["net.prelu.a"]).toEqual(all["net.prelu.a"]);
    await model.reset();
    await model.loadWeights(older[0]!, "net");
    expect((await model.parameters())["net.prelu.a"]).toEqual(all["net.prelu.a"]);
    await model.restore(older[1]!);
    expect(await model.parameters({ all: true })).toEqual(all);
  });
});
