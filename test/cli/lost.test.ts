// The device is lost while `dlm train` runs, at its first call and its last, in steps, saves and evaluations: words, a status that is not 0, and what was
// saved goes on to the same bits.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { program } from "./program.ts";

const { dlm, folder, faulty, put, bytes } = program();
const model = `data d { rows: 8
  field x: f32[2] = uniform(-1, 1)[2]
  holdout test = 0.25 }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(4, act: tanh) |> Linear(1)
train fit on d(batch: 2, seed: 1) {
  minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  evaluate: 3
  steps: 7
  checkpoint: every 1 step
}`;
const train = (file: string, ...more: readonly string[]): string[] => ["train", "lost.dlm", "--save", file, ...more];
const disturbed = (env: Readonly<Record<string, string>>): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--import ${pathToFileURL(faulty).href}`,
  ...env,
});

test("whenever the device is lost", { timeout: 600_000 }, async () => {
  put("lost.dlm", model);
  const list = join(folder, "calls.txt");
  const whole = await dlm(train("whole.safetensors"), { env: disturbed({ DLM_CALLS: list }) });
  expect([whole.status, whole.err]).toEqual([0, ""]);
  const calls = readFileSync(list, "utf8").trim().split("\n");
  const nth = (call: string, share: number): number => {
    const all = calls.flatMap((c, n) => (c === call ? [n] : []));
    return all[Math.floor(share * (all.length - 1))]!;
  };
  const points = [
    0,
    nth("device.createComputePipelineAsync", 0),
    ...[0, 0.1, 0.2, 0.4, 0.6, 0.8, 1].map((share) => nth("queue.submit", share)),
    ...[0, 0.3, 0.5, 0.9, 1].map((share) => nth("buffer.mapAsync", share)),
  ];
  let saved = 0;
  for (const at of points) {
    const where = `call ${at}, ${calls[at]}`;
    const { status, err } = await dlm(train("kept.safetensors"), { env: disturbed({ DLM_LOST_AT: String(at) }) });
    expect([where, status]).toEqual([where, 1]);
    expect(err, where).toMatch(/(^|\n)dlm: the device is lost \(the driver was reset\): /);
    if (!existsSync(join(folder, "kept.safetensors"))) continue;
    saved++;
    expect(err, where).toMatch(
      /^step \d, the last good state, is kept\. kept\.safetensors holds everything so far\. To go on, to the same bits:\n {2}npx dlm train lost\.dlm --save kept\.safetensors --resume kept\.safetensors\n/,
    );
    expect((await dlm(train("further.safetensors", "--resume", "kept.safetensors"))).status, where).toBe(0);
    expect(bytes("further.safetensors").equals(bytes("whole.safetensors")), where).toBe(true);
    for (const elder of ["", ".1", ".2"]) rmSync(join(folder, `kept.safetensors${elder}`), { force: true });
  }
  expect(saved).toBeGreaterThan(6);
  expect(saved).toBeLessThan(points.length); // before the first step there was nothing to save
});
