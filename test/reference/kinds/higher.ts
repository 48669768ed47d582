// Derivatives of derivatives, networks that make networks, inner minimisation.
import type { CaseReader } from "../reader.ts";
import { num, type Rule, type Rules } from "../translation.ts";
import { denseParameters, twoLayers } from "./layer.ts";

const net = (c: CaseReader, inputs: number, activation: string): { declarations: string } & typeof denseParameters => ({
  ...denseParameters,
  declarations: twoLayers(inputs, c.extent("fc1.bias", 0), c.extent("fc2.bias", 0), activation),
});
const y =
  (expression: string): Rule =>
  () => ({ outputs: { y: expression } });

export const higher: Rules = {
  gradient_penalty: (c) => ({
    ...net(c, c.extent("x", 1), "tanh"),
    lets: "let f = net(x)\n  let g = grad(sum(f), wrt: x)",
    outputs: { loss: `mean(f) + ${num(c.number("lambda"))} * mean((sqrt(sum(g^2, axis: -1) + 1e-12) - 1)^2)` },
  }),
  hessian_vector_product: (c) => {
    c.says("expr", "sum_i sin(w_i w_{i+1}) + w_{i+1}^4/4 + exp(-w_i^2)");
    const n = c.extent("w", 0);
    return {
      declarations: `fn f(w: f32[${n}]) -> f32 = sum over i in 0..${n - 1}: sin(w[i] * w[i + 1]) + w[i + 1]^4 / 4 + exp(-w[i]^2)`,
      outputs: { f: "f(w)", grad: "grad(f(w), wrt: w)", hvp: "grad(sum(grad(f(w), wrt: w) * v), wrt: w)" },
    };
  },
  hyper_network: (c) => {
    const [rows, outs] = c.output("y") as [number, number];
    return {
      ...net(c, c.extent("task", 1), "tanh"),
      lets: `let w = reshape[${rows}, ${c.extent("x", 1)}, ${outs}](net(task))`,
      outputs: { y: "for b, o: sum over i: x[b, i] * w[b, i, o]" },
    };
  },
  unrolled_descent: (c) => ({
    ...net(c, c.extent("x", 1) + c.extent("y0", 1), "softplus"),
    lets: `let found = descend(|v| net(concat([x, v], axis: -1)), y0, iters: ${c.number("iters")}, lr: ${num(c.number("lr"))})`,
    outputs: { y: "found", loss: "mse(found, target)" },
  }),
  input_gradient: (c) => ({
    ...net(c, c.extent("x", 1), "tanh"),
    lets: "let clean = cross_entropy(net(x), y)\n  let g = grad(clean, wrt: x)",
    outputs: { clean: "clean", input_grad: "g", loss: "0.5 * clean + 0.5 * sum(g^2)" },
    ranges: { y: `0..${c.extent("fc2.bias", 0)}` },
  }),
  maml_step: (c) => ({
    ...net(c, c.extent("x_support", 1), "tanh"),
    lets: `let inner = mse(net(x_support), y_support)\n  let fast = net - ${num(c.number("inner_lr"))} * grad(inner, wrt: net)`,
    outputs: { inner: "inner", loss: "mse(fast(x_query), y_query)" },
  }),
  second_derivative: (c) => {
    const f = c.functionName("function");
    const first = `grad(sum(${f}(x)), wrt: x)`;
    return { outputs: { y: `${f}(x)`, d1: first, d2: `grad(sum(${first}), wrt: x)` } };
  },
  stop_gradient: y("x * stop(x) + sin(x)"),
  straight_through: y("x + stop(where(x >= 0, 1.0, 0.0) - x)"),
};
