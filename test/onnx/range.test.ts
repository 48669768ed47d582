// Functions over all of f32, on a device: what an evaluator in f64 does not see.
import { expect, test } from "vitest";
import { testDevice } from "../device.ts";
import { build, node, tensor } from "./build.ts";
import { runOnDevice } from "./case.ts";

const f32 = (x: number): number => Math.fround(x);
test.each([
  ["Asinh", Math.asinh, [-3e38, -1e25, -2e9, -1e9, -100, -1e-4, 0, 1e-6, 3, 1e10, 2e19, 3e38]],
  ["Acosh", Math.acosh, [1, 1.000001, 1.5, 100, 1e9, 2e9, 2e19, 3e38]],
  ["Atanh", Math.atanh, [-0.9999, -0.5, -1e-5, 0, 1e-7, 0.5, 0.9999]],
] as const)("%s", async (op, exact, numbers) => {
  const x = numbers.map(f32);
  const prepared = build({
    nodes: [node(op, ["x"], ["y"])],
    inputs: { x: tensor([x.length], x) },
    outputs: { y: tensor([x.length], x.map(exact)) },
  });
  if ("kind" in prepared) expect(prepared).toEqual({ kind: "passed" });
  else expect(await runOnDevice(prepared, (await testDevice()).device)).toEqual({ kind: "passed" });
});
