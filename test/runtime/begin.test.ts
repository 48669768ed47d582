// States of a train block that begin as parameters are: as these are when the block takes its first step, trained before or loaded.
import { describe, expect, test } from "vitest";
import type { PlanTrain } from "../../runtime/plan.ts";
import { made, withModel } from "../model.ts";

const points = `data d { rows: 32
  field x: f32[3] = normal[3]
  field y: f32[2] = for i in 0..2: x[i] - x[2] }
model net(x: f32[B, 3]) -> f32[B, 2] = x |> Linear(4, act: tanh) |> Linear(2)
`;
const first = `train first on d(batch: 16) { minimize mse(net(x), y) by adam(lr: 0.1) steps: 5 }
`;
const second = (body: string, step = "sgd(lr: 0.0)"): string => `train second on d(batch: 16) {
${body}
  minimize mse(net(x), y) by ${step}
  steps: 3
}`;
type Metrics = Readonly<Record<string, number>>;
const classes = ["software", "discrete", "integrated"];

describe.each(classes)("for %s devices", (target) => {
  const moved = (text: string): Promise<Metrics> =>
    withModel(made(points + first + text, { target }), async (model) => {
      await model.train("first");
      return (await model.train("second")).metrics;
    });
  test.each([
    ["of all parameters", "state old = net"],
    ["of arithmetic of them", "state old = 0.5 * net + 0.5 * net"],
    ["of one that begins as another", "state a = net\n  state old = a"],
    ["that keep up", "state old = net\n  next old = 0.9 * old + 0.1 * net"],
  ])("%s", async (_, state) => {
    const metrics = await moved(second(`${state}\n  metric far = sum((net - old)^2)`));
    expect(metrics["far"]).toBeLessThan(1e-9);
  });
  test("of a tensor of parameters", async () => {
    const { mask, size } = await moved(
      second(`state keep = where(abs(net) > 0.3, 1.0, 0.0)
  metric mask = sum(abs(keep - where(abs(net) > 0.3, 1.0, 0.0)))
  metric size = sum(keep)`),
    );
    expect(mask).toBe(0);
    expect(size).toBeGreaterThan(0);
  });
  test("of an optimizer: weights that are drawn to slow ones stay where they are", async () => {
    const { far } = await moved(
      second("  state old = net\n  metric far = sum((net - old)^2)", "sgd(lr: 0.0) >> lookahead(k: 1, alpha: 0.5)"),
    );
    expect(far).toBeLessThan(1e-9);
  });
});

describe("that the block itself does not read", () => {
  const trained = (text: string, last: string): Promise<Metrics> =>
    withModel(made(points + first + text), async (model) => {
      await model.train("first");
      await model.train("second");
      return last === "" ? {} : (await model.train(last)).metrics;
    });
  test("another block does", async () => {
    const text = `${second("  state old = net")}
train third on d(batch: 16) {
  metric far = sum((net - second.old)^2)
  minimize mse(net(x), y) by sgd(lr: 0.0)
  steps: 1
}`;
    expect((await trained(text, "third"))["far"]).toBeLessThan(1e-9);
  });
  test("an export does", async () => {
    const text = `${second("  state old = net")}
export fn before(x: f32[B, 3]) -> f32[B, 2] = second.old(x)
export fn now(x: f32[B, 3]) -> f32[B, 2] = net(x)`;
    await withModel(made(points + first + text), async (model) => {
      await model.train("first");
      await model.train("second");
      const x = { x: [[0.5, -1, 2]] };
      const [old] = Object.values(await model.run("before", x));
      const [now] = Object.values(await model.run("now", x));
      now!.data.forEach((v, i) => expect(old!.data[i]).toBeCloseTo(Number(v), 5));
    });
  });
});

describe("loaded weights", () => {
  const text = `${points}${second("  state smooth = net\n  next smooth = 0.9 * smooth + 0.1 * net\n  metric far = sum((net - smooth)^2)\n  metric size = sum(net^2)", "sgd(lr: 0.0) >> lookahead(k: 1, alpha: 0.5)")}`;
  const trained = (): Promise<{ readonly bytes: Uint8Array; readonly size: number }> =>
    withModel(made(points + first + "export fn size() -> f32 = sum over w in net: sum(w^2)"), async (model) => {
      await model.train("first");
      const [size] = Object.values(await model.run("size"));
      return { bytes: await model.checkpoint({ weights: true }), size: Number(size!.data[0]) };
    });
  test("by `load:`, and by whoever holds the model", async () => {
    const { bytes, size } = await trained();
    const loading = made(text.replace("steps: 3", 'steps: 3\n  load: from("w.safetensors", into: net)'));
    const read = async (): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(bytes);
    for (const metrics of [
      await withModel(loading, async (m) => (await m.train("second")).metrics, { read }),
      await withModel(made(text), async (m) => {
        await m.loadWeights(bytes, "net");
        return (await m.train("second")).metrics;
      }),
    ]) {
      expect(metrics["far"]).toBeLessThan(1e-9);
      expect(metrics["size"]).toBeCloseTo(size, 4);
    }
  });
});

test("a run that goes on keeps its states", async () => {
  const text = points + second("  state old = net\n  metric far = sum((net - old)^2)", "sgd(lr: 0.1)");
  const far = await withModel(made(text), async (m) => (await m.train("second")).metrics["far"]!);
  expect(far).toBeGreaterThan(1e-6);
  await withModel(made(text), async (m) => {
    await m.train("second", { stopAfter: 1 });
    const checkpoint = await m.checkpoint();
    await withModel(made(text), async (other) => {
      await other.restore(checkpoint);
      expect((await other.train("second")).metrics["far"]).toBe(far);
    });
  });
});
test("states that begin from numbers alone need no program for it", () => {
  const plan = (text: string): PlanTrain => made(points + text).plan.trains[0]!;
  expect(plan(first).begin).toBeUndefined();
  expect(plan(second("  state old = net\n  next old = net")).begin?.commands.length).toBeGreaterThan(0);
});
