// Functions that kernels have of their own, against f64: accurate everywhere, and exact where they saturate.
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { erf } from "../../compiler/scalar/special.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";

const x = Array.from({ length: 2001 }, (_, i) => Math.fround((i - 1000) / 80)); // -12.5 .. 12.5
test.each([
  ["tanh", Math.tanh],
  ["erf", erf],
] as const)("%s", async (name, exact) => {
  const { device } = await testDevice();
  const { plan } = compile(`export fn f(x: f32[2001]) -> f32[2001] = ${name}(x)`, { name: "functions.dlm" });
  const model = await load(plan!, { device });
  try {
    const { data } = Object.values(await model.run("f", { x: { shape: [2001], data: x } }))[0]!;
    const worst = Math.max(...x.map((v, i) => (v ? Math.abs(data[i]! / exact(v) - 1) : Math.abs(data[i]!))));
    expect(worst).toBeLessThan(6e-7);
    x.forEach((v, i) => void (Math.abs(v) > 9.5 && expect(data[i]).toBe(Math.sign(v)))); // or 1 - tanh(x)^2 times a large x is not 0
  } finally {
    model.close();
  }
});
