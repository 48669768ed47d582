import { expect, test } from "vitest";
import { onDevice, ownTarget } from "./long.ts";
const bound = 2 ** -14;
test.each(["software", "own", "discrete"])("try %s", async (name) => {
  const target = name === "own" ? await ownTarget() : name;
  for (const n of [1000, 100000, 1000003, 2**24]) {
    const x = { data: new Float32Array(n).fill(0.1), shape: [n] };
    const t0 = performance.now();
    const got = await onDevice(`export fn f(x: f32[N]) -> f32 = mean(x)\nexport fn g(x: f32[N]) -> f32 = sum(x)\nexport fn h(x: f32[N]) -> f32 = std(x)`, { x }, target);
    const t1 = performance.now();
    console.log(target, n, got.f![0], got.g![0]! / (n * Math.fround(0.1)) - 1, got.h![0], t1 - t0);
    const st = await onDevice(`export fn f(x: f32[${n}]) -> f32 = mean(x)\nexport fn v(x: f32[${n}]) -> f32 = mean((x - mean(x))^2)`, { x }, target);
    console.log("static", got.f![0], st.f![0], st.v![0], performance.now() - t1);
  }
}, 100000);
