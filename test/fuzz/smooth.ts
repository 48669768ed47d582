// Programs of floating-point formulas and their derivatives (programs.ts), with inputs; in half of them one size is a run-time dim.
import type { ProgramCase } from "./check.ts";
import { randomProgram } from "./programs.ts";
import { random } from "./random.ts";

export function smoothProgram(seed: number): ProgramCase {
  const r = random(seed + 77);
  const p = randomProgram(seed, { runTime: r.chance(0.5), harder: true });
  const inputs = p.inputs.map(
    (x) =>
      [
        x.name,
        {
          shape: x.shape,
          data: Array.from({ length: x.shape.reduce((a, b) => a * b, 1) }, () =>
            x.dtype === "i32" ? r.int(0, x.end! - 1) : Math.fround(r.real(-1, 1)),
          ),
        },
      ] as const,
  );
  return {
    kind: "smooth",
    text: p.text,
    inputs: Object.fromEntries(inputs),
    ...(p.masked
      ? {}
      : { derivatives: { wrt: p.inputs.filter((x) => x.dtype === "f32").map((x) => x.name), smooth: p.smooth } }),
  };
}
