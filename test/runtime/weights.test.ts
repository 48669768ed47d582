// A model that is only used: no data are read, no kernels of training compiled, and it gives what the trained one gives. Weights of 16 bits become f32 as they are.
import { expect, test } from "vitest";
import { load, type LoadOptions, type Model, type ModelEvent } from "../../runtime/index.ts";
import { readSafetensors, widened, writeSafetensors, type StoredTensor } from "../../runtime/safetensors.ts";
import { testDevice } from "../device.ts";
import { made } from "../model.ts";

const text = `data d {
  field x: f32[3] = csv("x.csv", columns: 0..3)
  field y: i32 in 0..2 = csv("x.csv", column: 3)
  field z: i32 in 0..40 = i32(x[0] + x[1])
  holdout test = 0.25
}
model net(x: f32[B, 3]) -> f32[B, 2] = x |> Linear(4) |> BatchNorm1d() |> Linear(2)
train fit on d(batch: 4, seed: 2) {
  minimize cross_entropy(net(x), y) by adam(lr: 1e-2)
  steps: 12
}
export fn predict(x: f32[B, 3]) -> f32[B, 2] = softmax(net(x))
export fn centred(x: f32[B, 3]) -> f32[B, 3] = x - mean(d.x)`;
const { plan } = made(text);
const rows = Array.from({ length: 16 }, (_, i) => [i, (i * 7) % 5, i % 3, i % 2]);
const read = (path: string): Promise<Uint8Array> =>
  path === "x.csv"
    ? Promise.resolve(new TextEncoder().encode(rows.map((row) => row.join()).join("\n") + "\n"))
    : Promise.reject(new Error(path));
const x = [
  [1, 2, 3],
  [-1, 0, 0.5],
];
async function using<T>(
  options: Omit<LoadOptions, "device">,
  use: (model: Model) => Promise<T>,
  of = plan,
): Promise<T> {
  const { device } = await testDevice();
  const model = await load(of, { device, ...options });
  try {
    return await use(model);
  } finally {
    model.close();
  }
}
/** Without what needs the data. */
const alone = made(text.split("\n").slice(0, -1).join("\n"), { views: true }).plan;
const trained = await using(
  { read },
  async (model) => {
    await model.train("fit");
    const [weights, checkpoint] = [await model.checkpoint({ weights: true }), await model.checkpoint()];
    return {
      weights,
      checkpoint,
      predicted: (await model.run("predict", { x }))["predict"]!.data,
      modules: model.cost.modules,
      bytes: model.cost.bytes,
    };
  },
  alone,
);

test.each(["weights", "checkpoint"] as const)("%s: the same results, from less, without data", async (what) => {
  await using(
    { weights: trained[what] },
    async (model) => {
      expect((await model.run("predict", { x }))["predict"]!.data).toEqual(trained.predicted);
      expect(model.trains).toEqual([]);
      expect(model.data).toEqual({});
      expect(model.cost.modules).toBeLessThan(trained.modules / 2);
      expect(model.cost.bytes).toBeLessThan(trained.bytes / 2);
      await expect(model.train()).rejects.toThrow("it was loaded with `weights`, to be used");
    },
    alone,
  );
});
test("an export that reads data reads them, split as they were for training", async () => {
  const whole = await using({ read }, (model) => model.run("centred", { x }));
  await using({ read, weights: trained.weights }, async (model) => {
    expect(model.data["d"]!.splits).toEqual({ train: 12, test: 4 });
    expect((await model.run("centred", { x }))["centred"]!.data).toEqual(whole["centred"]!.data);
  });
});
const renamed = (change: (name: string, tensor: StoredTensor) => StoredTensor | undefined): Uint8Array => {
  const { tensors, metadata } = readSafetensors(trained.weights);
  const kept = [...tensors].flatMap(([name, t]) => {
    const changed = change(name, t);
    return changed ? [[name, changed] as const] : [];
  });
  return writeSafetensors({ metadata, tensors: new Map(kept) });
};
test("what an export reads must be in the file, states too", async () => {
  const names = [...readSafetensors(trained.weights).tensors.keys()];
  for (const missing of names) {
    const weights = renamed((name, t) => (name === missing ? undefined : t));
    await expect(using({ weights }, async () => {}, alone)).rejects.toThrow(`the file of weights lacks ${missing}`);
  }
  expect(names.some((name) => /mean|var/.test(name))).toBe(true);
});

const floatsOf = (t: StoredTensor): Float32Array => new Float32Array(t.bytes.slice().buffer);
const as16 = (dtype: "F16" | "BF16", words: readonly number[]): StoredTensor => ({
  dtype,
  shape: [words.length],
  bytes: new Uint8Array(Uint16Array.from(words).buffer),
});
test("16 bits become 32: every kind of number", () => {
  // IEEE 754: 1, -2, the largest, the least normal, subnormals, zeros, infinities
  const half = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x83ff, 0, 0x8000, 0x7c00, 0xfc00, 0x3555];
  const values = [1, -2, 65504, 2 ** -14, 2 ** -24, -1023 * 2 ** -24, 0, -0, Infinity, -Infinity, 1365 / 4096];
  expect([...floatsOf(widened(as16("F16", half)))]).toEqual(values);
  expect(floatsOf(widened(as16("F16", [0x7e00])))[0]).toBeNaN();
  const brain = [0x3f80, 0xc000, 0x7f7f, 0x0080, 0x0001, 0x8000, 0xff80];
  const longer = [1, -2, 255 * 2 ** 120, 2 ** -126, 2 ** -133, -0, -Infinity];
  expect([...floatsOf(widened(as16("BF16", brain)))]).toEqual(longer);
});
test.each(["F16", "BF16"] as const)("weights of %s are taken, and told", async (dtype) => {
  const words = (t: StoredTensor): number[] =>
    Array.from(floatsOf(t), (v) =>
      dtype === "BF16" ? new Uint32Array(Float32Array.of(v).buffer)[0]! >>> 16 : v > 0 ? 0x3400 : 0xb800,
    );
  const narrow = renamed((name, t) => (name.includes("linear") ? { ...as16(dtype, words(t)), shape: t.shape } : t));
  const wide = renamed((name, t) =>
    name.includes("linear") ? widened({ ...as16(dtype, words(t)), shape: t.shape }) : t,
  );
  const events: ModelEvent[] = [];
  const predicted = (weights: Uint8Array): Promise<unknown> =>
    using(
      { weights, onEvent: (e) => events.push(e) },
      async (m) => (await m.run("predict", { x }))["predict"]!.data,
      alone,
    );
  expect(await predicted(narrow)).toEqual(await predicted(wide));
  expect(events).toEqual([{ kind: "converted", file: "the file of weights", from: dtype, tensors: 4 }]);
});
test("other types are refused", async () => {
  const weights = renamed((name, t) =>
    name.endsWith("linear1.b") || name.endsWith("linear.b")
      ? { dtype: "I16", shape: t.shape, bytes: t.bytes.slice(0, t.bytes.length / 2) }
      : t,
  );
  await expect(using({ weights }, async () => {}, alone)).rejects.toThrow(
    / is F32\[\d\] in this model and I16\[\d\] in the file/,
  );
});
test("NaN in weights is told, unless it is allowed; a web page in their place is told to be one", async () => {
  const name = [...readSafetensors(trained.weights).tensors.keys()].find((key) => /linear/.test(key))!;
  const damaged = (word: number): Uint8Array =>
    renamed((key, t) => {
      if (key !== name) return t;
      const bytes = t.bytes.slice();
      new DataView(bytes.buffer).setUint32(4, word, true);
      return { ...t, bytes };
    });
  const weights = damaged(0x7fc00000);
  await expect(using({ weights }, async () => {}, alone)).rejects.toThrow(
    new RegExp(`^the file of weights has NaN in ${name.replaceAll(".", "\\.")}, in 1 of \\d+ numbers: .*allowNaN`),
  );
  await using({ weights, allowNaN: true }, async () => {}, alone);
  await using({ weights: damaged(0x7f800000) }, async () => {}, alone); // infinity is a number to compute with
  const page = new TextEncoder().encode("\n<!DOCTYPE html><html><body>not found</body></html>");
  await expect(using({ weights: page }, async () => {}, alone)).rejects.toThrow(/it is a web page/);
});
test("a checkpoint with NaN in it is not trained on from, wherever it is, unless that is allowed", async () => {
  const { tensors, metadata } = readSafetensors(trained.checkpoint);
  const damaged = (name: string, word: number): Uint8Array => {
    const t = tensors.get(name)!;
    const bytes = t.bytes.slice();
    new DataView(bytes.buffer).setUint32(bytes.length - 4, word, true);
    return writeSafetensors({ metadata, tensors: new Map([...tensors, [name, { ...t, bytes }]]) });
  };
  const floats = [...tensors].flatMap(([name, t]) => (t.dtype === "F32" ? [name] : []));
  expect(floats.length).toBeGreaterThan(2 * alone.states.filter((t) => t.kind === "parameter").length); // moments, too
  const restored = (bytes: Uint8Array, options: { readonly allowNaN?: boolean } = {}): Promise<number> =>
    using(
      { read, ...options },
      async (model) => {
        await model.restore(bytes);
        return model.step("fit");
      },
      alone,
    );
  const before = await restored(trained.checkpoint);
  for (const name of floats) {
    const count = tensors.get(name)!.bytes.length / 4;
    await expect(restored(damaged(name, 0xffc00001))).rejects.toThrow(
      `this checkpoint has NaN in ${name}, in 1 of ${count} numbers: the training that they come from failed, or the file is damaged; load them all the same with \`allowNaN: true\` (--allow-nan)`,
    );
  }
  expect(await restored(damaged(floats[0]!, 0x7fc00000), { allowNaN: true })).toBe(before);
  expect(await restored(damaged(floats[0]!, 0xff800000))).toBe(before); // as of weights
});
