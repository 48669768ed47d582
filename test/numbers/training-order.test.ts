// A train block is read from top to bottom: what a line sees of parameters, states and gradients, against the same steps in plain arithmetic.
import { describe, expect, test } from "vitest";
import { errorsOf } from "./values.ts";
import { expectTraining } from "./trained.ts";

type Vector = readonly number[];
const xs: readonly Vector[] = [0, 1, 2, 3].map((r) => [r - 1.5, 0.5 * r]);
const ys: Vector = [0, 1, 2, 3].map((r) => 0.3 * r + 0.1);
const file = (block: string, more = ""): string => `
data d {
  rows: 4
  field x: f32[2] = [f32(row) - 1.5, 0.5 * f32(row)]
  field y: f32 = 0.3 * f32(row) + 0.1
}
layer One(start: f32)(x: f32[B, 2]) -> f32[B] {
  param w: f32[2] ~ zeros[2] + start
  return tanh(x @ w)
}
model net(x: f32[B, 2]) -> f32[B] = x |> One(1)
model other(x: f32[B, 2]) -> f32[B] = x |> One(0.5)
${more}
train fit on d(batch: 4, shuffle: false) {
${block}
  steps: 3
}`;
const dot = (a: Vector, b: Vector): number => a.reduce((s, x, i) => s + x * b[i]!, 0);
const net = (w: Vector, x: Vector): number => Math.tanh(dot(w, x));
const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
const mse = (w: Vector, at: readonly Vector[] = xs): number => mean(at.map((x, b) => (net(w, x) - ys[b]!) ** 2));
/** Central differences in f64: about ten digits. */
const slope = (f: (w: Vector) => number, w: Vector): number[] =>
  w.map((_, i) => (f(w.map((v, j) => (j === i ? v + 1e-5 : v))) - f(w.map((v, j) => (j === i ? v - 1e-5 : v)))) / 2e-5);
const step = (w: Vector, g: Vector, lr: number): number[] => w.map((v, i) => v - lr * g[i]!);
/** d sum(net(x)^2) / dx of one row. */
const inputSlope = (w: Vector, x: Vector): number[] => w.map((v) => 2 * net(w, x) * (1 - net(w, x) ** 2) * v);
const squares = (v: readonly number[]): number => v.reduce((s, x) => s + x * x, 0);
const columns = (n: number, one: (k: number) => Record<string, number>): Record<string, number[]> => {
  const all: Record<string, number[]> = {};
  for (let k = 0; k < n; k++) for (const [name, v] of Object.entries(one(k))) (all[name] ??= []).push(v);
  return all;
};
/** Adam with the library's defaults. */
function adam(lr: number): (w: Vector, g: Vector) => number[] {
  let [m, v, t]: [number[], number[], number] = [[], [], 0];
  return (w, g) => {
    t += 1;
    m = g.map((x, i) => 0.9 * (m[i] ?? 0) + 0.1 * x);
    v = g.map((x, i) => 0.999 * (v[i] ?? 0) + 0.001 * x * x);
    return w.map((x, i) => x - (lr * (m[i]! / (1 - 0.9 ** t))) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-8));
  };
}

describe("no gradient goes through an optimizer", () => {
  test.each([
    ["sgd(lr: 0.5)", () => (w: Vector, g: Vector) => step(w, g, 0.5)],
    ["adam(lr: 0.1)", () => adam(0.1)],
  ] as const)("grad by a field below minimize, %s", async (by, make) => {
    let w: Vector = [1, 1];
    const update = make();
    const want = columns(3, () => {
      const loss = mse(w);
      w = update(w, slope(mse, w));
      return { loss, before: loss, slopes: squares(xs.flatMap((x) => inputSlope(w, x))), later: mse(w) };
    });
    await expectTraining(
      file(`
  let score = mean((net(x) - y)^2)
  minimize mean((net(x) - y)^2) by ${by}
  metric before = score
  metric slopes = sum(grad(sum(net(x)^2), wrt: x)^2)
  metric later = mean((net(x) - y)^2)`),
      want,
      { "net.one.w": w },
      1e-4,
    );
  });
  test("grad by a field, a let and the model, with the gradient of a second objective between", async () => {
    let w: Vector = [1, 1];
    const want = columns(3, () => {
      const loss = mse(w);
      w = step(w, slope(mse, w), 0.5);
      const slopes = squares(xs.flatMap((x) => inputSlope(w, x)));
      const norm = Math.sqrt(squares(slope(mse, w)));
      w = step(
        w,
        slope((v) => mean(xs.map((x) => net(v, x) ** 2)), w),
        0.1,
      );
      return {
        loss,
        slopes,
        norm,
        doubled: squares(
          xs.flatMap((x) =>
            inputSlope(
              w,
              x.map((v) => 2 * v),
            ),
          ),
        ),
        later: mse(w),
      };
    });
    await expectTraining(
      file(`
  minimize mean((net(x) - y)^2) by sgd(lr: 0.5)
  metric slopes = sum(grad(sum(net(x)^2), wrt: x)^2)
  metric norm = norm(grad(mean((net(x) - y)^2), wrt: net.one.w))
  minimize mean(net(x)^2) by sgd(lr: 0.1)
  let twice = 2 * x
  metric doubled = sum(grad(sum(net(twice)^2), wrt: twice)^2)
  metric later = mean((net(x) - y)^2)`),
      want,
      { "net.one.w": w },
      1e-4,
    );
  });
  test("an adversarial example made after the update, trained on: with and without stop", async () => {
    for (const stopped of [true, false]) {
      let w: Vector = [1, 1];
      const moved = (v: Vector): Vector[] => xs.map((x) => x.map((c, i) => c + 0.3 * inputSlope(v, x)[i]!));
      const want = columns(3, () => {
        const loss = mse(w);
        w = step(w, slope(mse, w), 0.5);
        const at = w;
        const hard = mse(w, moved(w));
        w = step(
          w,
          slope((v) => mse(v, moved(stopped ? at : v)), w),
          0.2,
        );
        return { loss, hard, later: mse(w) };
      });
      await expectTraining(
        file(`
  minimize mean((net(x) - y)^2) by sgd(lr: 0.5)
  let g = grad(sum(net(x)^2), wrt: x)
  let adversarial = x + 0.3 * ${stopped ? "stop(g)" : "g"}
  metric hard = mean((net(adversarial) - y)^2)
  minimize mean((net(adversarial) - y)^2) by sgd(lr: 0.2)
  metric later = mean((net(x) - y)^2)`),
        want,
        { "net.one.w": w },
        1e-4,
      );
    }
  });
  test("one model's objective feeds on another that the line above updated by it", async () => {
    // w of net learns to move other's input; v of other was updated by a gradient that depends on w
    let [w, v]: Vector[] = [
      [1, 1],
      [0.5, 0.5],
    ];
    const input = (a: Vector): Vector[] => xs.map((x) => x.map((c) => c + net(a, x)));
    const want = columns(3, () => {
      const loss = mse(v!, input(w!));
      v = step(
        v!,
        slope((b) => mse(b, input(w!)), v!),
        0.5,
      );
      const fixed = v;
      w = step(
        w!,
        slope((a) => mean(input(a).map((x) => net(fixed, x))), w!),
        0.2,
      );
      return { loss, later: mse(v, input(w)) };
    });
    await expectTraining(
      file(`
  minimize mean((other(x + unsqueeze(net(x), -1)) - y)^2) wrt other by sgd(lr: 0.5)
  minimize mean(other(x + unsqueeze(net(x), -1))) wrt net by sgd(lr: 0.2)
  metric later = mean((other(x + unsqueeze(net(x), -1)) - y)^2)`),
      want,
      { "net.one.w": w!, "other.one.w": v! },
      1e-4,
    );
  });
  test("every and accumulate", async () => {
    let w: Vector = [1, 1];
    const want = columns(3, (k) => {
      const loss = mse(w);
      w = step(w, slope(mse, w), k % 2 ? 0.5 : 0);
      return { loss, slopes: squares(xs.flatMap((x) => inputSlope(w, x))), later: mse(w) };
    });
    await expectTraining(
      file(`
  minimize mean((net(x) - y)^2) by sgd(lr: 0.5) every 2
  metric slopes = sum(grad(sum(net(x)^2), wrt: x)^2)
  metric later = mean((net(x) - y)^2)`),
      want,
      { "net.one.w": w },
      1e-4,
    );
    w = [1, 1];
    const halves = (f: (rows: readonly number[]) => number): number => (f([0, 1]) + f([2, 3])) / 2;
    const part = (v: Vector, rows: readonly number[]): number => mean(rows.map((r) => (net(v, xs[r]!) - ys[r]!) ** 2));
    const parts = columns(3, () => {
      const loss = mse(w);
      w = step(w, slope(mse, w), 0.5);
      return {
        loss,
        slopes: halves((rows) => squares(rows.flatMap((r) => inputSlope(w, xs[r]!)))),
        later: halves((rows) => part(w, rows)),
      };
    });
    await expectTraining(
      file(`
  minimize mean((net(x) - y)^2) by sgd(lr: 0.5)
  metric slopes = sum(grad(sum(net(x)^2), wrt: x)^2)
  metric later = mean((net(x) - y)^2)
  accumulate: 2`).replace("batch: 4", "batch: 2"),
      parts,
      { "net.one.w": w },
      1e-4,
    );
  });
});
describe("states and fields are constants too", () => {
  test("a state of the block is read as it was above `next` and as it is below, without a gradient", async () => {
    let [w, c]: [Vector, number] = [[1, 1], 0.5];
    const want = columns(3, () => {
      const old = c;
      c = 0.5 * c + mean(xs.map((x) => net(w, x)));
      const loss = mse(w) * c + old;
      w = step(
        w,
        slope((v) => mse(v) * c, w),
        0.5,
      );
      return { loss, now: c, slopes: squares(xs.flatMap((x) => inputSlope(w, x).map((g) => g * c))) };
    });
    await expectTraining(
      file(`
  state c: f32 = 0.5
  let old = c
  next c = 0.5 * c + mean(net(x))
  minimize mean((net(x) - y)^2) * c + old by sgd(lr: 0.5)
  metric now = c
  metric slopes = sum(grad(c * sum(net(x)^2), wrt: x)^2)`),
      want,
      { "net.one.w": w, "fit.c": [c] },
      1e-4,
    );
  });
  test("smoothed weights follow the updated ones, and their derivative by the weights is none", async () => {
    let [w, s]: Vector[] = [
      [1, 1],
      [1, 1],
    ];
    const want = columns(3, () => {
      const loss = mse(w!);
      w = step(w!, slope(mse, w!), 0.5);
      s = s!.map((v, i) => 0.5 * v + 0.5 * w![i]!);
      return { loss, smooth: mse(s), slopes: squares(slope(mse, w)) };
    });
    await expectTraining(
      file(
        `
  state smooth = net
  minimize mean((net(x) - y)^2) by sgd(lr: 0.5)
  next smooth = 0.5 * smooth + 0.5 * net
  metric smooth = mean((smooth(x) - y)^2)
  metric slopes = sum(grad(mean((net(x) - y)^2) + mean((smooth(x) - y)^2), wrt: net.one.w)^2)`.replace(
          "metric smooth",
          "metric smoothed",
        ),
      ),
      { loss: want["loss"]!, smoothed: want["smooth"]!, slopes: want["slopes"]! },
      { "net.one.w": w!, "fit.smooth.net.one.w": s! },
      1e-4,
    );
  });
  test("a field computed from another is data", async () => {
    let w: Vector = [1, 1];
    const target = xs.map((x) => x[0]! * x[1]!);
    const error = (v: Vector, x: Vector, t: number): number => (net(v, x) - t) ** 2;
    const want = columns(3, () => {
      const loss = mean(xs.map((x, b) => error(w, x, target[b]!)));
      w = step(
        w,
        slope((v) => mean(xs.map((x, b) => error(v, x, target[b]!))), w),
        0.5,
      );
      return { loss, slopes: squares(xs.flatMap((x, b) => slope((z) => error(w, z, target[b]!), x))) };
    });
    await expectTraining(
      file(`
  minimize mean((net(x) - t)^2) by sgd(lr: 0.5)
  metric slopes = sum(grad(sum((net(x) - t)^2), wrt: x)^2)`).replace(
        "  field y: f32 = 0.3 * f32(row) + 0.1",
        "  field t: f32 = x[0] * x[1]",
      ),
      want,
      { "net.one.w": w },
      1e-4,
    );
  });
});
test("a derivative by new parameters of a value from before the update is an error", () => {
  const body = (wrt: string): string =>
    file(`
  let loss = mean((net(x) - y)^2)
  minimize loss by sgd(lr: 0.5)
  metric g = norm(${wrt})`);
  expect(errorsOf(body("grad(loss, wrt: net.one.w)"))).toEqual(["DLM2019"]);
  expect(errorsOf(body("1.0 * [sum over g in grad(loss, wrt: net): sum(g^2)]"))).toEqual(["DLM2019"]);
  expect(errorsOf(body("grad(loss + mean(net(x)^2), wrt: net.one.w)"))).toEqual(["DLM2019"]);
  expect(errorsOf(body("grad(stop(loss) + mean(net(x)^2), wrt: net.one.w)"))).toEqual([]);
  expect(errorsOf(body("grad(loss, wrt: x)"))).toEqual([]); // the slope where it was computed
});
describe("random blocks, line by line", () => {
  interface State {
    w: Vector; // of net
    v: Vector; // of other
    c: number;
    g: Vector[]; // slopes by x that a let above holds
    kept: number;
  }
  interface Line {
    readonly text: (n: number) => string;
    readonly run: (s: State, tell: (value: number) => void) => void;
  }
  const eight = (f: (v: Vector) => number, at: Vector): number[] =>
    at.map((_, i) => {
      const of = (h: number): number => f(at.map((x, j) => (j === i ? x + h : x)));
      return (8 * (of(1e-3) - of(-1e-3)) - (of(2e-3) - of(-2e-3))) / 12e-3;
    });
  const inputs = (s: State): Vector[] => xs.map((x, b) => x.map((c, i) => c + 0.3 * s.g[b]![i]!));
  const lines: readonly Line[] = [
    {
      text: () => "minimize mean((net(x) - y)^2) wrt net by sgd(lr: 0.5)",
      run: (s) => void (s.w = step(s.w, eight(mse, s.w), 0.5)),
    },
    {
      text: () => "minimize mean((other(x + unsqueeze(net(x), -1)) - y)^2) wrt other by sgd(lr: 0.3)",
      run: (s) => {
        const moved = xs.map((x) => x.map((c) => c + net(s.w, x)));
        s.v = step(
          s.v,
          eight((v) => mse(v, moved), s.v),
          0.3,
        );
      },
    },
    {
      text: () => "minimize mean((net(x) * other(x) - c)^2) by sgd(lr: 0.2)",
      run: (s) => {
        const f = (w: Vector, v: Vector): number => mean(xs.map((x) => (net(w, x) * net(v, x) - s.c) ** 2));
        const [dw, dv] = [eight((w) => f(w, s.v), s.w), eight((v) => f(s.w, v), s.v)];
        [s.w, s.v] = [step(s.w, dw, 0.2), step(s.v, dv, 0.2)];
      },
    },
    {
      text: () => "next c = 0.5 * c + mean(net(x))",
      run: (s) => void (s.c = 0.5 * s.c + mean(xs.map((x) => net(s.w, x)))),
    },
    {
      text: (n) => `let g${n} = grad(sum(net(x)^2 * other(x)), wrt: x)`,
      run: (s) => void (s.g = xs.map((x) => eight((z) => net(s.w, z) ** 2 * net(s.v, z), x))),
    },
    {
      text: () => "minimize mean((net(x + 0.3 * stop(G)) - y)^2) wrt net by sgd(lr: 0.4)",
      run: (s) => {
        const moved = inputs(s);
        s.w = step(
          s.w,
          eight((w) => mse(w, moved), s.w),
          0.4,
        );
      },
    },
    {
      text: (n) => `metric slope${n} = sum(grad(sum(net(x) * other(x)) * c, wrt: x)^2)`,
      run: (s, tell) => tell(squares(xs.flatMap((x) => eight((z) => s.c * net(s.w, z) * net(s.v, z), x)))),
    },
    {
      text: (n) => `metric norm${n} = norm(grad(mean((net(x) - y)^2) + c * mean(other(x)), wrt: net.one.w))`,
      run: (s, tell) => tell(Math.sqrt(squares(eight(mse, s.w)))),
    },
    {
      text: (n) => `let kept${n} = mean(net(x)) * c`,
      run: (s) => void (s.kept = s.c * mean(xs.map((x) => net(s.w, x)))),
    },
    { text: (n) => `metric then${n} = KEPT`, run: (s, tell) => tell(s.kept) },
    {
      text: (n) => `metric now${n} = mean(net(x) - other(x)) + c`,
      run: (s, tell) => tell(mean(xs.map((x) => net(s.w, x) - net(s.v, x))) + s.c),
    },
  ];
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", async (seed) => {
    let z = seed;
    const draw = (n: number): number => ((z = (Math.imul(z, 48271) >>> 0) % 2147483647), z % n);
    const chosen = [0, ...Array.from({ length: 9 }, () => draw(lines.length)), 6, 10];
    let [g, kept] = ["g", "kept"];
    const text = chosen.map((k, n) => {
      if (k === 4) g = `g${n}`;
      if (k === 8) kept = `kept${n}`;
      return lines[k]!.text(n).replace("G", g).replace("KEPT", kept);
    });
    const s: State = { w: [1, 1], v: [0.5, 0.5], c: 0.5, g: [], kept: 0 };
    const curves: Record<string, number[]> = { loss: [] };
    for (let k = 0; k < 3; k++) {
      curves["loss"]!.push(mse(s.w));
      s.g = xs.map((x) => eight((a) => net(s.w, a) ** 2, x));
      s.kept = mean(xs.map((x) => net(s.w, x)));
      chosen.forEach((line, n) =>
        lines[line]!.run(s, (value) => {
          const name = /metric (\w+)/.exec(lines[line]!.text(n))![1]!;
          (curves[name] ??= []).push(value);
        }),
      );
    }
    const head = "state c: f32 = 0.5\nlet g = grad(sum(net(x)^2), wrt: x)\nlet kept = mean(net(x))";
    await expectTraining(file(`${head}\n${text.join("\n")}`), curves, { "net.one.w": s.w, "fit.c": [s.c] }, 1e-4);
  });
});
