// dlm tune: what it measures lies beside the model, is used by other commands, and passed over with a word where it fits no more.
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTuned } from "../../compiler/cli/tuned.ts";
import { compile } from "../../compiler/compile.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { alternatives, scheduleNamed } from "../../compiler/schedule/alternatives.ts";
import { nestOf } from "../../compiler/schedule/nest.ts";
import { printSchedule } from "../../compiler/schedule/schedule.ts";
import { within } from "../../compiler/graph/compilation.ts";
import type { TunedKernel } from "../../runtime/api.ts";
import type { Command, Plan } from "../../runtime/plan.ts";
import { made, withModel } from "../model.ts";
import { program } from "./program.ts";

const { dlm, node, bytes, put, folder } = program();
const model = (width: number): string => `data d { rows: 64
  field x: f32[48] = uniform(-1, 1)[48] }
model net(x: f32[B, 48]) -> f32[B, 1] = x |> Linear(${width}, act: gelu) |> Linear(${width}, act: tanh) |> Linear(1)
train fit on d(batch: 64) { minimize mean(net(x)^2) by adam(lr: 1e-2)
  steps: 3 }`;

test("measures, writes beside the model, and is read again", { timeout: 300_000 }, async () => {
  put("net.dlm", model(96));
  const { status, out, err } = await dlm(["tune", "net.dlm", "--kernels", "3", "--seconds", "6", "--json"]);
  expect([status, err]).toEqual([0, ""]);
  const events = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.length).toBe(3);
  for (const { kind, schedules, chosen, why } of events) {
    expect(kind).toBe("tuned");
    expect(why).toMatch(/^(faster|best|noisy)$/);
    expect(chosen > 0).toBe(why === "faster");
    expect(new Set(schedules.map((s: { schedule: string }) => s.schedule)).size).toBe(schedules.length);
    expect(schedules.every((s: { microseconds: number }) => s.microseconds > 0)).toBe(true);
    expect(chosen).toBeLessThan(schedules.length);
  }
  const told = await dlm(["tune", "net.dlm", "--kernels", "3", "--seconds", "0.3"]);
  expect([told.status, told.err]).toEqual([0, ""]);
  expect(told.out).toMatch(
    /\d of 3 kernels measured in \d+\.\d s, by (timestamps|repetition); --seconds N takes longer\n/,
  );
  expect(told.out).toMatch(
    /(\n {2}\w+ +([\d.]+ [mu]s)? +([\d.]+ [mu]s {2}threads|kept|the clock).*){3}\n.*net\.tune\.json/,
  );
  const kept = JSON.parse(bytes("net.tune.json").toString());
  expect([kept.format, kept.devices.length]).toEqual([1, 1]);
  // of this device, a kernel that there is not
  const stranger = { key: "0123", kernel: "gone", schedule: "threads a:8", microseconds: [2, 1] };
  put("net.tune.json", JSON.stringify({ ...kept, devices: [{ ...kept.devices[0], kernels: [stranger] }] }));
  const trained = await dlm(["train", "net.dlm", "--no-save", "--no-run"]);
  expect(trained.status).toBe(0);
  expect(trained.err).toContain("net.tune.json: its schedule is of kernels that the model has no more");
  put("net.tune.json", "{}");
  const ignored = await dlm(["train", "net.dlm", "--no-save", "--no-run"]);
  expect([ignored.status, ignored.err]).toEqual([
    0,
    expect.stringContaining("net.tune.json is not used: its format is not 1"),
  ]);
});
test("every alternative is another schedule of the space, and computes the same", { timeout: 300_000 }, async () => {
  const software = targets["software"]!;
  const target = { ...software, launchNs: 0, ns: { ...software.ns, barrier: 1e6 } };
  const text = model(64);
  const plain = made(text, { target });
  const found: Record<string, string> = {};
  const { lowered } = plain.programs.find((p) => p.name === "fit.step")!;
  within(plain.program.compilation, () => {
    for (const { step, kernel } of lowered) {
      if (kernel.key === undefined) continue;
      const nest = nestOf(step.spec);
      const list = alternatives(nest, target, 3).map(printSchedule);
      expect(new Set([...list, printSchedule(kernel.schedule)]).size).toBe(list.length + 1);
      for (const name of list) expect(printSchedule(scheduleNamed(name, nest, target)!)).toBe(name);
      if (list.length) found[kernel.key] = list[0]!;
    }
  });
  expect(Object.keys(found).length).toBeGreaterThan(3);
  const tuned = made(text, { target, tuned: () => found });
  expect([...tuned.tuned].sort()).toEqual(Object.keys(found).sort());
  const losses = await Promise.all(
    [plain, tuned].map((of) => withModel(of, async (m) => (await m.train("fit", { stopAfter: 3 })).loss)),
  );
  expect(Math.abs(losses[0]! - losses[1]!)).toBeLessThan(1e-5 * Math.abs(losses[0]!));
  // of other texts, nothing is used and nothing changes
  const other = compile(model(80), { target, tuned: () => found });
  expect(other.tuned.size).toBeLessThan(Object.keys(found).length);
});
test("a trainer that was compiled with alternatives is tuned without the compiler", { timeout: 300_000 }, async () => {
  put("alone.dlm", model(96));
  const targets = ["--target", "software", "--target", "discrete"];
  const compiled = await dlm(["compile", "alone.dlm", "-o", "tuned", "--no-page", "--alternatives", ...targets]);
  const plain = await dlm(["compile", "alone.dlm", "-o", "plain", "--no-page", ...targets]);
  expect([compiled.status, compiled.err, plain.status]).toEqual([0, "", 0]);
  const [withThem, without] = ["tuned", "plain"].map((of) => JSON.parse(bytes(`${of}/plan.json`).toString()) as Plan);
  // the plan is otherwise what it is without
  const bare = (commands: readonly Command[]): Command[] =>
    commands.map((c) => {
      if (c.kind !== "dispatch") return c;
      const { alternatives: _, ...own } = c;
      return own;
    });
  expect(bare(withThem!.trains[0]!.step.commands)).toEqual(without!.trains[0]!.step.commands);
  expect(withThem!.trains[0]!.step.commands).not.toEqual(without!.trains[0]!.step.commands);
  expect(withThem!.modules.slice(0, without!.modules.length)).toEqual(without!.modules);
  expect(withThem!.modules.length).toBeGreaterThan(without!.modules.length);
  const index = bytes("tuned/shaders/INDEX.md").toString();
  for (const { name } of withThem!.modules) {
    expect(bytes(`tuned/shaders/${name}.wgsl`).length).toBeGreaterThan(100);
    expect(index).toContain(`[${name}](${name}.wgsl)`);
  }
  put(
    "use.mjs",
    `import { load } from "./tuned/trainer.mjs";
import * as plain from "./plain/trainer.mjs";
const train = async (model, n) => (await model.train("fit", { stopAfter: n, steps: 8 })).loss;
const whole = await load();
const losses = [await train(whole, 8)];
await whole.close();
const model = await load();
await train(model, 4);
const { kernels, tuning, seconds, method } = await model.tune({ milliseconds: 1500 });
losses.push(await train(model, 4));
await model.close();
const again = await load({ tuning: JSON.parse(JSON.stringify(tuning)) });
losses.push(await train(again, 8));
await again.close();
const other = await plain.load();
const refused = await other.tune().catch((error) => error.message);
await other.close();
console.log(JSON.stringify({ losses, kernels, seconds, method, refused }));
process.exit(0);`,
  );
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(join(import.meta.dirname, "../../node_modules/webgpu"), join(folder, "node_modules/webgpu"));
  const used = await node(["use.mjs"]);
  expect(used.err).toBe("");
  const { losses, kernels, seconds, method, refused } = JSON.parse(used.out.trim().split("\n").at(-1)!) as Used;
  expect(losses[1]).toBeCloseTo(losses[0]!, 4);
  expect(losses[2]).toBeCloseTo(losses[0]!, 4);
  if (!kernels.some((k) => k.taken)) expect(new Set(losses).size).toBe(1);
  expect(kernels.length).toBeGreaterThan(2);
  for (const k of kernels) expect(k.lines.join()).toMatch(/alone\.dlm:\d+|std\//);
  expect(method).toMatch(/^(timestamps|repetition)$/);
  expect(seconds).toBeLessThan(10);
  expect(refused).toBe("it was compiled without --alternatives");
});
interface Used {
  readonly losses: readonly number[];
  readonly kernels: readonly TunedKernel[];
  readonly seconds: number;
  readonly method: string;
  readonly refused: string;
}
test("files that dlm did not write are no schedules", () => {
  expect(readTuned(put("odd.tune.json", `{ "format": 1, "devices": [{ "device": 1 }] }`)).problem).toBe(
    "it is not what dlm writes",
  );
  expect(readTuned(put("odd.tune.json", "{")).problem).toBe("it is no JSON");
  expect(readTuned("nowhere.tune.json")).toEqual({ devices: [] });
});
