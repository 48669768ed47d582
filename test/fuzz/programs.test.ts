// Random programs: sound graphs after every phase, the same values before and after simplification, gradients by central differences where smooth.
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { ExportProgram, Program } from "../../compiler/elaborate/program.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { numbers } from "../grad/check.ts";
import { programOf } from "../graph/programs.ts";
import { checkSimplify } from "../rewrite/compare.ts";
import { randomProgram, type RandomProgram } from "./programs.ts";
import { cases, firstSeed } from "./random.ts";

type Given = ReadonlyMap<string, readonly number[]>;
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
function drawInputs(p: RandomProgram, seed: number): Map<string, number[]> {
  return new Map(
    p.inputs.map((x, i) => [
      x.name,
      numbers(size(x.shape), 100 * seed + i).map((v) =>
        x.dtype === "i32" ? Math.min(x.end! - 1, Math.floor(((v + 1) / 2) * x.end!)) : v,
      ),
    ]),
  );
}
const valuesOf = (e: ExportProgram, given: Given): Map<Source, readonly number[]> =>
  new Map(e.inputs.map((i) => [i.source, given.get(i.name)!]));
const run = (program: Program, name: string, given: Given): Float64Array[] => {
  const e = program.exports.find((x) => x.name === name)!;
  return [...evaluate(e.program, valuesOf(e, given)).outputs.values()];
};
function check(seed: number): void {
  const p = randomProgram(seed);
  const program = programOf(p.text);
  const given = drawInputs(p, seed);
  program.exports.forEach((e, i) => checkSimplify(e.program, valuesOf(e, given), { inexact: (seed + i) % 3 !== 0 }));
  // along one direction
  const floats = p.inputs.filter((x) => x.dtype === "f32");
  const direction = new Map(floats.map((x, i) => [x.name, numbers(size(x.shape), 9000 + 10 * seed + i)]));
  const dot = (gradients: readonly Float64Array[]): number =>
    floats.reduce((sum, x, i) => gradients[i]!.reduce((s, v, k) => s + v * direction.get(x.name)![k]!, sum), 0);
  const shifted = (h: number): Given =>
    new Map([
      ...given,
      ...floats.map((x) => [x.name, given.get(x.name)!.map((v, k) => v + h * direction.get(x.name)![k]!)] as const),
    ]);
  const compare = (what: string, along: number, f: (at: Given) => number): void => {
    const difference = (h: number): number => (f(shifted(h)) - f(shifted(-h))) / (2 * h);
    const [near, far] = [difference(1e-5), difference(1e-4)];
    // a kink between the points moves the two apart: nothing to compare
    if (!p.smooth && Math.abs(near - far) > 1e-5 * (1 + Math.abs(near))) return;
    expect(Math.abs(along - near), `${what}: ${along} against ${near}`).toBeLessThanOrEqual(
      Math.max(1e-5 * (1 + Math.abs(near)), 3 * Math.abs(near - far)),
    );
  };
  compare("first order", dot(run(program, "gradient", given)), (x) => run(program, "forward", x).at(-1)![0]!);
  if (p.smooth)
    compare("second order", dot(run(program, "second", given).slice(1)), (x) => run(program, "second", x)[0]![0]!);
}
const perTest = 25;
test.each(Array.from({ length: Math.ceil(cases(200) / perTest) }, (_, i) => firstSeed + i * perTest))(
  "programs from %i",
  (from) => {
    const failures: string[] = [];
    for (let seed = from; seed < from + perTest && failures.length < 3; seed++)
      try {
        check(seed);
      } catch (error) {
        failures.push(`program ${seed}: ${(error as Error).message.split("\n").slice(0, 4).join(" | ")}`);
      }
    expect(failures).toEqual([]);
  },
);
