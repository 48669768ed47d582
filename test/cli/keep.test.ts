// What a run keeps, whatever ends it: a reader that goes away, a signal, a loss that is no number; checkpoints by steps with their elders, and which one
// --resume takes. Through the command line, on the embedded device.
import * as fs from "node:fs";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { generations, writeWhole } from "../../runtime/files.ts";
import { Keeper, oftenOf } from "../../runtime/keeper.ts";
import type { Plan } from "../../runtime/plan.ts";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { made } from "../model.ts";
import { events, program, stepOf } from "./program.ts";

const { dlm, folder, put, bytes } = program();
const examples = join(import.meta.dirname, "../../examples");
const steps = 400;
const endless = ["--steps", "100000000"]; // it is ended from outside, however fast the machine is and however late the signal
beforeAll(async () => {
  mkdirSync(join(folder, "data"));
  cpSync(join(examples, "data/iris.csv"), join(folder, "data/iris.csv"));
  cpSync(join(examples, "iris.dlm"), join(folder, "iris.dlm"));
  await dlm(["train", "iris.dlm", "--steps", String(steps), "--save", "whole.safetensors"]);
}, 300_000);
/** Going on from the file gives the same bits as a run that was not ended. */
async function expectKept(file: string): Promise<void> {
  const { fit } = JSON.parse(readSafetensors(bytes(file)).metadata["progress"]!).trains as { fit: { step: number } };
  const run = (steps: number): string[] => ["train", "iris.dlm", ...endless, "--stop-after", String(steps), "--save"];
  await dlm([...run(20), "further.safetensors", "--resume", file]);
  await dlm([...run(fit.step + 20), "same.safetensors"]);
  expect(bytes("further.safetensors").equals(bytes("same.safetensors")), `of step ${fit.step}`).toBe(true);
}
const resumed = async (file: string): Promise<boolean> => {
  await dlm(["train", "iris.dlm", "--steps", String(steps), "--resume", file, "--save", "resumed.safetensors"]);
  return bytes("resumed.safetensors").equals(bytes("whole.safetensors"));
};

test.each([
  ["text", []],
  ["events", ["--json"]],
])("nobody reads the output (%s): what was learned is kept, the way on is told, the status is 1", async (_, more) => {
  const save = `closed${more.length}.safetensors`;
  const args = ["train", "iris.dlm", ...endless, "--save", save, ...more];
  const { status, err } = await dlm(args, { onOutput: (_text, _kill, close) => close() });
  expect(status).toBe(1);
  expect(err).toContain("standard output takes no more (nobody reads it any more): stopping at the next step\n");
  expect(err).toContain(`dlm ${args.join(" ")} --resume ${save}\n`);
  await expectKept(save);
});

test.each([
  ["SIGHUP", 129],
  ["SIGTERM", 143],
] as const)("%s: a checkpoint, the way on where errors are told, status %i", async (signal, status) => {
  let sent = false;
  const save = `${signal}.safetensors`;
  const ended = await dlm(["train", "iris.dlm", ...endless, "--save", save], {
    onOutput: (text, kill) => {
      if (!sent && text.includes("parameters")) kill(signal);
      sent ||= text.includes("parameters");
    },
  });
  expect(ended.status).toBe(status);
  expect(ended.err).toContain(`dlm train iris.dlm ${endless.join(" ")} --save ${save} --resume ${save}\n`);
  await expectKept(save);
});

test("a loss that is no number: the last finite state is kept, the status is 1", async () => {
  put(
    "explodes.dlm",
    `model m(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1, bias: false)
data d { rows: 8
  field x: f32[1] = uniform(1, 2)[1] }
train fit on d(batch: 8) { minimize mean(m(x)^2) by sgd(lr: 1e9)
  steps: 40 }`,
  );
  const { status, err } = await dlm(["train", "explodes.dlm"]);
  expect(status).toBe(1);
  expect(err).toMatch(
    /^step \d+, the last good state, is kept\. explodes\.safetensors holds everything so far\. To go on, to the same bits:\n {2}npx dlm train explodes\.dlm --resume explodes\.safetensors\ndlm: the loss of fit is (NaN|-?Infinity) at step \d+/,
  );
  const json = events((await dlm(["train", "explodes.dlm", "--json"])).out);
  expect(json.at(-1)).toMatchObject({ kind: "error" });
  expect(json.at(-2)).toMatchObject({ kind: "saved", path: "explodes.safetensors", what: "checkpoint" });
  const kept = await dlm(["train", "explodes.dlm", "--resume", "explodes.safetensors", "--stop-after", "0"]);
  expect(kept.status).toBe(0);
});

test("checkpoints by steps, the last three of them; a damaged one is passed over for the one before", async () => {
  const args = ["--steps", String(steps), "--save", "many.safetensors"];
  const { status } = await dlm(["train", "iris.dlm", ...args, "--checkpoint", "90"]);
  expect(status).toBe(0);
  const many = (): string[] => readdirSync(folder).filter((name) => name.startsWith("many"));
  expect(many().sort()).toEqual(["many.safetensors", "many.safetensors.1", "many.safetensors.2"]);
  expect(bytes("many.safetensors").equals(bytes("whole.safetensors"))).toBe(true);
  expect(await resumed("many.safetensors.2")).toBe(true); // of step 270
  put("many.safetensors", bytes("many.safetensors").subarray(0, 900));
  const again = await dlm(["train", "iris.dlm", "--steps", String(steps), "--resume", "many.safetensors"]);
  expect(again.status).toBe(0);
  expect(again.err).toMatch(/^many\.safetensors: .*; the one before it is taken\ngoing on from many\.safetensors\.1\n/);
  expect(bytes("iris.safetensors").equals(bytes("whole.safetensors"))).toBe(true);
  const gone = await dlm(["train", "iris.dlm", "--resume", "nowhere.safetensors"]);
  expect(gone).toEqual({ status: 1, out: "", err: "dlm: cannot read nowhere.safetensors: there is no such file\n" });
});

test("a checkpoint with NaN in it is passed over for the one before; --allow-nan takes it", async () => {
  const args = ["--steps", String(steps), "--save", "nan.safetensors"];
  expect(await dlm(["train", "iris.dlm", ...args, "--checkpoint", "90"])).toMatchObject({ status: 0 });
  const damaged = (file: string): void => {
    const content = Buffer.from(bytes(file));
    content.fill(0xff, content.length - 8); // the last number, or two
    put(file, content);
  };
  damaged("nan.safetensors");
  const again = ["train", "iris.dlm", "--steps", String(steps), "--resume", "nan.safetensors", "--no-save"];
  const { status, err } = await dlm(again);
  expect(status).toBe(0);
  expect(err).toMatch(
    /^nan\.safetensors: this checkpoint has NaN in [\w.]+, in [12] of \d+ numbers: .*--allow-nan.*; the one before it is taken\ngoing on from nan\.safetensors\.1\n/,
  );
  for (const file of ["nan.safetensors.1", "nan.safetensors.2"]) damaged(file);
  expect(await dlm(again)).toMatchObject({
    status: 1,
    out: "",
    err: expect.stringContaining(": this checkpoint has NaN in "),
  });
  expect(await dlm([...again, "--allow-nan"])).toMatchObject({ status: 0, err: "" });
});

test("what a killed write left behind blocks nothing and is removed when it is old", async () => {
  const left = [".stale.safetensors.1.tmp", ".stale.safetensors.0a1b2c3d4e5f6071.tmp"];
  for (const name of left) writeFileSync(join(folder, name), "half");
  utimesSync(join(folder, left[0]!), new Date(0), new Date(0));
  const { status } = await dlm(["train", "iris.dlm", "--steps", "5", "--save", "stale.safetensors"]);
  expect(status).toBe(0);
  expect(left.map((name) => existsSync(join(folder, name)))).toEqual([false, true]); // the other one may still be written
});

test("--checkpoint and --keep say what they take", async () => {
  const { status, err } = await dlm(["train", "iris.dlm", "--checkpoint", "often"]);
  expect(status).toBe(2);
  expect(err).toContain("It is a time (5m, 30s, 2h), a number of steps (1000) or epochs (2epochs), or off.");
  expect((await dlm(["train", "iris.dlm", "--keep", "0"])).status).toBe(2);
});

/** 12 rows in batches of 5: an epoch is 2.4 steps. */
const counted = (settings: string): string => `data d { rows: 12
  field x: f32 = uniform(1, 2)[] }
model m(x: f32[B]) -> f32[B] {
  param w: f32 ~ 0
  return x - w }
train fit on d(batch: 5) { minimize mean(m(x)^2) by sgd(lr: 0.1)
  steps: 20
  ${settings} }`;
test("checkpoints as the train block says; flags win", async () => {
  const kept = async (settings: string, ...flags: readonly string[]): Promise<number[]> => {
    for (const name of readdirSync(folder)) if (name.startsWith("counted")) rmSync(join(folder, name));
    put("counted.dlm", counted(settings));
    const { status, err } = await dlm(["train", "counted.dlm", ...flags]);
    expect([status, err]).toEqual([0, ""]);
    const names = readdirSync(folder).filter((name) => name.startsWith("counted.safetensors"));
    return names.sort().map((name) => stepOf(bytes(name)));
  };
  expect(await kept("checkpoint: every 7 steps")).toEqual([20, 14, 7]);
  expect(await kept("checkpoint: every 6 steps keep: 2")).toEqual([20, 18]);
  expect(await kept("checkpoint: every 6 steps keep: 3", "--checkpoint", "8", "--keep", "4")).toEqual([20, 16, 8]);
  expect(await kept("checkpoint: every 3 epochs keep: 9")).toEqual([20, 15, 8]); // 7.2 and 14.4 steps
  expect(await kept("keep: 9", "--checkpoint", "1 epoch")).toEqual([20, 17, 15, 12, 10, 8, 5, 3]);
  expect(await kept("checkpoint: every 5 steps", "--checkpoint", "off")).toEqual([20]);
  expect(await kept("checkpoint: off")).toEqual([20]);
  expect(await kept("checkpoint: every 1000 hours keep: 1")).toEqual([20]);
});
test("how often is as the block says that is trained, and as usual without a word", () => {
  const each = (settings: string): Plan["trains"][number] => made(counted(settings)).plan.trains[0]!;
  const said = ["every 90 seconds", "every 0.5 minutes", "every 2 hours", "every 1 step", "every 2 epochs", "off"];
  expect(said.map((s) => each(`checkpoint: ${s}`).checkpoint)).toEqual([
    { seconds: 90 },
    { seconds: 30 },
    { seconds: 7200 },
    { steps: 1 },
    { epochs: 2 },
    "off",
  ]);
  expect(each("").checkpoint).toBeUndefined();
  expect(["5m", "0.5 h", "30s", "1000", "1 step", "2epochs", "off", "0", "1.5", "5 days"].map(oftenOf)).toEqual([
    { seconds: 300 },
    { seconds: 1800 },
    { seconds: 30 },
    { steps: 1000 },
    { steps: 1 },
    { epochs: 2 },
    "off",
    undefined,
    undefined,
    undefined,
  ]);
});
test("however many are kept, rotating looks at those that are there", () => {
  const file = join(folder, "rotated");
  for (const n of [0, 1, 2, 3, 4]) writeWhole(fs, file, String(n), n === 3 ? 3 : 2 ** 31);
  expect(generations(fs, file).map((f) => readFileSync(f, "utf8"))).toEqual(["4", "3", "2", "1"]); // the third of three went
  rmSync(`${file}.2`);
  writeWhole(fs, file, "5", 2 ** 31);
  expect(generations(fs, file).map((f) => readFileSync(f, "utf8"))).toEqual(["5", "4", "3", "1"]);
});

test("a checkpoint that cannot be written while training goes on is not worth the run", () => {
  const told: unknown[] = [];
  const written: number[] = [];
  let isFull = true;
  const put = (bytes: Uint8Array): void => {
    if (isFull) throw new Error("the disk is full");
    written.push(bytes[0]!);
  };
  const keeper = new Keeper(put, made(counted("")).plan, { often: { steps: 10 } }, (error) => told.push(error));
  const take = (step: number): void =>
    void keeper.snapshotsOf("fit").take({ train: "fit", step, bytes: Uint8Array.of(step), regular: step % 10 === 0 });
  take(10);
  take(15); // not due
  expect([told.length, written, keeper.savedStep]).toEqual([1, [], undefined]);
  isFull = false;
  take(20);
  expect([told.length, written, keeper.savedStep]).toEqual([1, [20], 20]);
  take(25);
  expect(keeper.rescue()).toBe(true); // the last good state, which is newer than the file
  expect([written, keeper.savedStep]).toEqual([[20, 25], 25]);
});
