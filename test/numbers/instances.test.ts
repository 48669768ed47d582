// Gradients and arithmetic of instances: parts by path, sums and norms, states, carries of loops, products with the Hessian. On the device and the evaluator.
import { describe, expect, test } from "vitest";
import { errorsOf, valuesOf } from "./values.ts";
import { expectNear, trained } from "./trained.ts";

const data = `const xs = [[-1.5, 0.0], [-0.5, 0.5], [0.5, 1.0], [1.5, 1.5]]
const ys = [[0.1], [0.4], [0.7], [1.0]]
`;
const net = `${data}model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(3, act: tanh) |> Linear(1)
fn slope() = grad(mse(net(xs), ys), wrt: net)
`;
/** All results of one export, which must agree with one another on the device. */
async function allAre(body: string, more = "", tolerance?: number): Promise<void> {
  const { device, evaluator } = await valuesOf(`${net}${more}\nexport fn f() -> f32[2] {\n${body}\n}`, {});
  for (const got of [device, evaluator]) expectNear([got[0]![0]!], [got[0]![1]!], body, tolerance);
  expect(Math.abs(evaluator[0]![0]!)).toBeGreaterThan(1e-6);
}
describe("a gradient", () => {
  test.each([
    ["the sum of its squares, and its norm", "let g = slope()\nreturn [sum(g * g), norm(g)^2]"],
    ["dot", "let g = slope()\nreturn [dot(g, g), l2(g)]"],
    ["its parts by path", "let g = slope()\nreturn [l2(g), sum(g.linear.w^2) + sum(g.linear.b^2) + l2(g.linear2)]"],
    [
      "of a layer within",
      "let g = slope()\nlet h = grad(mse(net(xs), ys), wrt: net.linear)\nreturn [l2(h), l2(g.linear)]",
    ],
    ["mean and largest", "let g = slope()\nreturn [mean(g^2) * 13, max(abs(g))^2 + (l2(g) - max(g * g))]"],
    [
      "elementwise functions",
      "let g = slope()\nlet s = sign(g) * abs(g) + where(g > 0, g, 0 * g)\nreturn [sum(s), sum(g) + sum over w in g: sum(relu(w))]",
    ],
    ["divided by its norm", "let g = slope()\nreturn [norm(g / norm(g)) * norm(g), norm(g)]"],
    [
      "given to a function",
      "let g = slope()\nreturn [size2(g), l2(g)]",
      "fn size2(g: fn) -> f32 = sum over w in g: sum(w * w)",
    ],
    ["similar to itself", "let g = slope()\nreturn [1 + cosine_similarity(g, 2 * g), 1 + cosine_similarity(g, g)]"],
    [
      "a parameter without type takes it",
      "let g = slope()\nreturn [twice(g).linear.b[0], 2 * g.linear.b[0]]",
      "fn twice(g) = 2 * g",
    ],
  ])("%s", (_, body, more = "") => allAre(body, more));
  test("is no layer", () => {
    expect(errorsOf(`${net}export fn f() -> f32[4, 1] {\nlet g = slope()\nreturn g(xs)\n}`)).toEqual(["DLM2006"]);
  });
  test("a bare instance is no tensor", () => {
    expect(errorsOf(`${net}export fn f() -> f32 = mse(net, ys) + sum(net(xs))`)).toEqual(["DLM2006"]);
  });
});
describe("products with the Hessian", () => {
  test("are differences of gradients", () =>
    allAre(
      `let g = slope()
let v = stop(g)
let h = grad(dot(g, v), wrt: net)
let e = 0.01
let (p, m) = (net + e * v, net - e * v)
let d = (grad(mse(p(xs), ys), wrt: p) - grad(mse(m(xs), ys), wrt: m)) / (2 * e)
return [norm(h), norm(d)]`,
      "",
      1e-3,
    ));
  test("conjugate gradients solve with them", async () => {
    const { device, evaluator } = await valuesOf(
      `${net}export fn f() -> f32 {
  let g = slope()
  let b = stop(g)
  let (x, r, p) = fold (k in 0..16; x = 0 * b, r = b, p = b) {
    let hp = grad(dot(g, p), wrt: net) + p
    let a = dot(r, r) / max(dot(p, hp), 1e-12)
    let r1 = r - a * hp
    next x = x + a * p, r = r1, p = r1 + dot(r1, r1) / max(dot(r, r), 1e-12) * p
  }
  return norm(grad(dot(g, x), wrt: net) + x - b) / norm(b)
}`,
      {},
    );
    expect(evaluator[0]![0]).toBeLessThan(1e-6);
    expect(device[0]![0]).toBeLessThan(1e-2);
  });
});
describe("carried by a loop", () => {
  const inner = `let w = fold (k in 0..3; w = net) { next w = w - 0.1 * grad(mse(w(xs), ys), wrt: w) }
let one = net - 0.1 * slope()
let two = one - 0.1 * grad(mse(one(xs), ys), wrt: one)
let three = two - 0.1 * grad(mse(two(xs), ys), wrt: two)
`;
  test("steps of descent are those written out", () => allAre(`${inner}return [mse(w(xs), ys), mse(three(xs), ys)]`));
  test("and so are their gradients", () =>
    allAre(`${inner}return [norm(grad(mse(w(xs), ys), wrt: net)), norm(grad(mse(three(xs), ys), wrt: net))]`));
  test("beside tensors", () =>
    allAre(`let (w, s, n) = fold (k in 0..3; w = net, s = 0.0, n = 0) { next w = 0.5 * w, s = s + l2(w), n = n + 1 }
return [s + l2(w) * f32(n), l2(net) * (1 + 1 / 4 + 1 / 16 + 3 / 64)]`));
  test("of another instance", () => {
    expect(
      errorsOf(`${net}model other(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
export fn f() -> f32 = l2(fold (k in 0..3; w = net) { next w = other }) + sum(other(xs)) + sum(net(xs))`),
    ).toEqual(["DLM2006"]);
  });
});
describe("in a train block", () => {
  const block = (body: string): string =>
    `data d {\n rows: 4\n field x: f32[2] = [f32(row) - 1.5, 0.5 * f32(row)]\n field y: f32[1] = [0.3 * f32(row) + 0.1] }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(3, act: tanh) |> Linear(1)
train fit on d(batch: 4, shuffle: false) {\n${body}\nsteps: 4 }`;
  test("momentum written out is that of sgd", async () => {
    const own = await trained(
      block(`state v = 0 * net
let g = grad(mse(net(x), y), wrt: net)
next v = 0.9 * v + g
metric size = norm(v)
minimize mse(net(x), y) by sgd(lr: 0.1)
metric loss2 = mse(net(x), y)`),
    );
    const begun = await trained(
      block("state v = 3 * net\nmetric m = l2(v)\nmetric n = 9 * l2(net)\nminimize mse(net(x), y) by sgd(lr: 0.1)"),
    );
    expectNear([begun.curves["m"]![0]!], [begun.curves["n"]![0]!], "a state begins as its expression");
    expect(begun.curves["m"]![1]).toBe(begun.curves["m"]![0]);
    // the velocity is the discounted sum of the gradients
    const norms = await trained(
      block(`let g = grad(mse(net(x), y), wrt: net)
metric first = norm(g)
minimize mse(net(x), y) by sgd(lr: 0.1)`),
    );
    expectNear([own.curves["size"]![0]!], [norms.curves["first"]![0]!], "the first step");
    expectNear(own.curves["loss"]!, norms.curves["loss"]!, "losses");
  });
  test("a state takes a gradient as it is", async () => {
    const { curves } = await trained(
      block(`state last = 0 * net
let g = grad(mse(net(x), y), wrt: net)
metric before = norm(last)
next last = g
metric now = norm(last) - norm(g)
metric part = norm(last.linear.w)
metric size = norm(g)
minimize mse(net(x), y) by sgd(lr: 0.1)`),
    );
    expectNear(curves["now"], [0, 0, 0, 0], "now");
    expectNear(curves["before"], [0, ...curves["size"]!.slice(0, 3)], "before");
    expect(curves["part"]![0]).toBeGreaterThan(0);
  });
  test("draws of a distribution for every parameter", async () => {
    const { curves } = await trained(
      block(`let v = 0 * net + normal(0, 1)
metric size = l2(v) / 13
metric twice = dot(v, 0 * net + normal(0, 1)) / 13
metric part = sum(v.linear.w)
minimize mse(net(x), y) by sgd(lr: 0.0)`),
    );
    expect(new Set(curves["part"]).size).toBe(4);
    const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
    expect(mean(curves["size"]!)).toBeGreaterThan(0.3);
    expect(mean(curves["size"]!)).toBeLessThan(2);
    expect(Math.abs(mean(curves["twice"]!))).toBeLessThan(0.8);
  });
});
test("a penalty on the layers of a stack", async () => {
  const { device, evaluator } = await valuesOf(
    `model deep(x: f32[B, 2]) -> f32[B, 2] = x |> stack 3 of Linear(2)
export fn f() -> f32[2] = [l2(deep.linear), l2(deep.linear[0]) + l2(deep.linear[1]) + l2(deep.linear[2])]
export fn g(x: f32[B, 2]) -> f32[B, 2] = deep(x)`,
    {},
  );
  for (const got of [device, evaluator]) expectNear([got[0]![0]!], [got[0]![1]!], "penalty");
});
