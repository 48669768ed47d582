// Runs that are killed, interrupted or hung up on at random moments, saves included, for each step is saved: the newest checkpoint is whole and goes on to
// the same bits. A few here; DLM_KILLS=200 kills 200 times and sends each signal 50 times. Also several writers of one file.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { program } from "./program.ts";
import { uninterrupted, type Uninterrupted } from "./uninterrupted.ts";

const { dlm, folder } = program();
const kills = Number(process.env["DLM_KILLS"] ?? 4);
const most = 1_000_000;
const rows = Array.from({ length: 32 }, (_, i) => `${Math.sin(i)},${Math.cos(i)}\n`).join("");
const text = `data d { field x: f32[2] = csv("d.csv", columns: 0..2) }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(8, act: tanh) |> Dropout(0.1) |> Linear(1)
train fit on d(batch: 8, seed: 1) { minimize mean((net(x) - 1)^2) by adam(lr: 1e-3)
  steps: ${most} }
`;
let whole: Uninterrupted;
beforeAll(async () => {
  whole = await uninterrupted("m.dlm", text, { "d.csv": rows });
}, 600_000);
afterAll(() => whole.close());

function prepared(name: string): string {
  const own = join(folder, name);
  mkdirSync(join(own, "kept"), { recursive: true });
  writeFileSync(join(own, "m.dlm"), text);
  writeFileSync(join(own, "d.csv"), rows);
  return own;
}
const checkpoints = (own: string): string[] =>
  readdirSync(join(own, "kept"))
    .filter((name) => !/^\..*\.tmp$/.test(name))
    .sort();
/** Everything with a final name is whole and of this run, and the newest goes on. */
async function faults(own: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const name of checkpoints(own)) {
    const bytes = readFileSync(join(own, "kept", name));
    const fault = (await whole.fault(bytes)) ?? (name === "m" ? await whole.faultGoingOn(bytes) : undefined);
    if (fault !== undefined) wrong.push(`${name}: ${fault}`);
  }
  return wrong;
}
const train = ["train", "m.dlm", "--checkpoint", "1", "--save", "kept/m", "--json"];
const statuses = { SIGKILL: null, SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A run to which the signal is sent so long after its first checkpoint; `again` times. */
async function ended(name: string, signal: keyof typeof statuses, again = 1): Promise<string[]> {
  const own = prepared(name);
  let sent = 0;
  let isWatching = false;
  const { status, err } = await dlm(train, {
    cwd: name,
    onOutput: (_, kill) => {
      if (isWatching) return;
      isWatching = true;
      void (async () => {
        while (!checkpoints(own).length) await wait(2);
        await wait(Math.random() * 700);
        for (; sent < again; sent++) kill(signal);
      })();
    },
  });
  const wrong = await faults(own);
  if (status !== statuses[signal]) wrong.push(`status ${status}: ${err}`);
  if (!checkpoints(own).includes("m")) wrong.push("there is no checkpoint");
  if (signal !== "SIGKILL") {
    const left = readdirSync(join(own, "kept")).filter((file) => file.endsWith(".tmp"));
    if (left.length) wrong.push(`left behind: ${left.join(", ")}`);
    if (/internal error|\n\s+at /.test(err)) wrong.push(err);
  }
  return wrong.map((fault) => `${name}: ${fault}`);
}
/** So many at a time; all that is wrong. */
async function inTurn(runs: readonly (() => Promise<string[]>)[]): Promise<string[]> {
  const wrong: string[] = [];
  const left = [...runs];
  const next = async (): Promise<void> => {
    for (let run = left.pop(); run; run = left.pop()) wrong.push(...(await run()));
  };
  await Promise.all(Array.from({ length: kills > 10 ? 6 : 2 }, next));
  return wrong;
}
const hour = 3600_000;

test("killed: what has the name of a checkpoint is one", { timeout: hour }, async () => {
  expect(await inTurn(Array.from({ length: kills }, (_, i) => () => ended(`kill${i}`, "SIGKILL")))).toEqual([]);
});
test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s, once or as often as it comes: a checkpoint of the step at which the run stopped",
  { timeout: hour },
  async (signal) => {
    const times = Math.ceil(kills / 4);
    const runs = Array.from({ length: times }, (_, i) => () => ended(`${signal}${i}`, signal, i % 2 ? 1 : 3));
    expect(await inTurn(runs)).toEqual([]);
  },
);
test("several runs that save in one place, one of them killed: every file is whole", { timeout: hour }, async () => {
  const own = prepared("together");
  const run = async (end: number, signal?: "SIGKILL"): Promise<number | null> => {
    const args = signal ? train : [...train, "--stop-after", String(end)];
    const first = { sent: false };
    return (
      await dlm(args, {
        cwd: "together",
        onOutput: (out, kill) => {
          if (!signal || first.sent || !out.includes("progress")) return;
          first.sent = true;
          setTimeout(() => kill(signal), Math.random() * 500);
        },
      })
    ).status;
  };
  const outcomes = await Promise.all([run(60), run(90), run(0, "SIGKILL")]);
  expect(outcomes).toEqual([0, 0, null]);
  expect(await faults(own)).toEqual([]);
  expect(checkpoints(own)[0]).toBe("m");
  const { metadata } = readSafetensors(readFileSync(join(own, "kept/m")));
  expect(metadata["kind"]).toBe("checkpoint");
});
