// The fuzzer's short form: the first cases of every area, on the tests' device. `npm run fuzz` goes on from other seeds for as long as it is told.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { targetOf } from "../../compiler/cli/device.ts";
import { testDevice } from "../device.ts";
import { kindOf, shorter } from "./area.ts";
import { areas } from "./areas.ts";

const counts: Readonly<Record<string, number>> = {
  programs: 24,
  training: 2,
  sources: 40,
  kernels: 5,
  data: 100,
  plans: 100,
  checkpoints: 200,
};
const gradientOfMean = 731130000008; // a loss with the gradient of a mean over the rows: its part of a split knows how many there are in all
test.each(areas.map((a) => [a.name, a] as const))(
  "%s",
  async (name, area) => {
    const { device, facts } = await testDevice();
    const { subgroupSize } = facts;
    const on = {
      device,
      target: targetOf(facts),
      lanes: subgroupSize && subgroupSize.least === subgroupSize.most ? subgroupSize.most : 0,
    };
    const failures: string[] = [];
    const first = Array.from({ length: counts[name]! }, (_, seed) => seed);
    // of train blocks, short ones: a driver takes seconds for each
    const size = (seed: number): number => JSON.stringify(area.make(seed)).length;
    const seeds =
      name === "training"
        ? Array.from({ length: 12 }, (_, seed) => seed)
            .sort((a, b) => size(a) - size(b))
            .slice(0, counts[name])
            .concat(gradientOfMean)
        : first;
    for (const seed of seeds)
      try {
        await area.check(area.make(seed), on);
      } catch (error) {
        failures.push(`seed ${seed}: ${(error as Error).message.split("\n")[0]}`);
      }
    expect(failures).toEqual([]);
  },
  300_000,
);
test("the same seed makes the same case", () => {
  for (const area of areas)
    for (let seed = 0; seed < 30; seed++)
      expect(JSON.stringify(area.make(seed)), `${area.name} ${seed}`).toBe(JSON.stringify(area.make(seed)));
});
test("failures of one kind are told by what they have in common, and texts lose a result, a line or a declaration", () => {
  expect(kindOf("f: v2, i32 element 3 of 7: -1 instead of 2147483647\nmore")).toBe(
    kindOf("f: v5, i32 element 0 of 1: 8 instead of 1.5e-7"),
  );
  const text = "export fn f(x: f32) {\n  let v0 = x\n  let v1 = x\n  return (v0, v1)\n}\nexport fn g(x: f32) = x\n";
  const all = [...shorter(text)];
  expect(all).toContain("export fn g(x: f32) = x\n");
  expect(all).toContain(text.replace("(v0, v1)", "v1"));
  expect(all).toContain(text.replace("  let v0 = x\n", ""));
});
test("npm run fuzz: a case of each area, in processes of its own", () => {
  const run = spawnSync("node", [join(import.meta.dirname, "run.mjs"), "--cases", "1"], { encoding: "utf8" });
  expect(run.stderr).toBe("");
  expect(run.stdout.split("\n").filter((line) => line !== "")).toEqual(
    areas.map(({ name }) => expect.stringMatching(new RegExp(`^${name}: 1 tried, 0 failed`)) as string),
  );
}, 300_000);
