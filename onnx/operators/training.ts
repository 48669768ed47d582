// Steps of optimizers (ai.onnx.preview.training): the rate, the count of steps, then parameters, gradients and states by kind.
import type { NodeReader } from "../node.ts";
import { float, range, type Result, type Value } from "../value.ts";
import type { Writer } from "../writer.ts";
import type { Operator, Operators } from "./operator.ts";

/** Inputs behind rate and count come in groups: all parameters, all gradients, then each state of all. */
function step(
  node: NodeReader,
  writer: Writer,
  groups: number,
  update: (rate: string, count: string, own: readonly string[]) => string[],
): Result[] {
  const [rate, count] = [node.input(0), node.input(1)];
  const values = node.inputs(2);
  const n = values.length / groups;
  const results: Result[][] = range(groups - 1).map(() => []);
  for (const i of range(n)) {
    const own = range(groups).map((k): Value => values[k * n + i]!);
    const texts = update(
      writer.text(rate),
      `f32(${writer.text(count)})`,
      own.map((v) => writer.text(v)),
    );
    for (const [k, text] of texts.entries())
      results[k]!.push({ shape: own[0]!.shape, type: "f32", text: writer.let("updated", text) });
  }
  return results.flat();
}
const penalised = (node: NodeReader, writer: Writer, absent: number): ((x: string, g: string) => string) => {
  const weight = node.float("norm_coefficient", absent);
  return (x, g) => writer.let("gradient", `${float(weight)} * ${x} + ${g}`);
};
const adagrad: Operator = (node, writer) => {
  const [decay, eps] = [node.float("decay_factor", 0), node.float("epsilon", 1e-6)];
  const gradient = penalised(node, writer, 0);
  return step(node, writer, 3, (rate, count, [x, g, h]) => {
    const own = gradient(x!, g!);
    const squares = writer.let("squares", `${h} + ${own}^2`);
    return [`${x} - ${rate} / (1 + ${count} * ${float(decay)}) * ${own} / (sqrt(${squares}) + ${float(eps)})`, squares];
  });
};
const adam: Operator = (node, writer) => {
  const [alpha, beta, eps] = [node.float("alpha", 0.9), node.float("beta", 0.999), node.float("epsilon", 1e-6)];
  const after = node.float("norm_coefficient_post", 0);
  const gradient = penalised(node, writer, 0);
  return step(node, writer, 4, (rate, count, [x, g, v, h]) => {
    const own = gradient(x!, g!);
    const mean = writer.let("mean", `${float(alpha)} * ${v} + ${float(1 - alpha)} * ${own}`);
    const squares = writer.let("squares", `${float(beta)} * ${h} + ${float(1 - beta)} * ${own}^2`);
    // the count is 0 before the first step, which has no correction
    const corrected = writer.let(
      "rate",
      `where(${count} > 0, ${rate} * sqrt(1 - ${float(beta)}^${count}) / max(1 - ${float(alpha)}^${count}, 1e-30), ${rate})`,
    );
    const moved = `${x} - ${corrected} * ${mean} / (sqrt(${squares}) + ${float(eps)})`;
    return [after ? `${float(1 - after)} * (${moved})` : moved, mean, squares];
  });
};
const momentum: Operator = (node, writer) => {
  const [alpha, beta] = [node.float("alpha", 0), node.float("beta", 0)];
  const mode = node.word("mode", ["standard", "nesterov"], "standard");
  const gradient = penalised(node, writer, 0);
  return step(node, writer, 3, (rate, count, [x, g, v]) => {
    const own = gradient(x!, g!);
    // the first step takes the gradient whole
    const share = writer.let("share", `where(${count} > 0, ${float(beta)}, 1.0)`);
    const moved = writer.let("momentum", `${float(alpha)} * ${v} + ${share} * ${own}`);
    const by = mode === "standard" ? moved : `(${own} + ${float(alpha)} * ${moved})`;
    return [`${x} - ${rate} * ${by}`, moved];
  });
};

export const training: Operators = {
  "ai.onnx.preview.training.Adagrad": adagrad,
  "ai.onnx.preview.training.Adam": adam,
  "ai.onnx.preview.training.Momentum": momentum,
};
