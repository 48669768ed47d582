// dlm train --watch as a process: every save of the model trains what is there then; errors are told and cost no run; Ctrl-C ends it with everything kept.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { events, program, stepOf, type Event } from "./program.ts";

const { folder, main, put, bytes } = program();
const text = (lr: string, width = 3, steps = 1_000_000): string => `import "parts.dlm"
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(${width}, act: tanh) |> Linear(1)
data d { field x: f32[2] = csv("rows.csv", columns: 0..2) }
train fit on d(batch: 4, seed: 1) { minimize mean((net(x) - target)^2) by adam(lr: ${lr})
  steps: ${steps} }
`;
function watching(args: readonly string[]): {
  readonly until: (wanted: (event: Event) => boolean) => Promise<Event>;
  readonly said: (pattern: RegExp) => Promise<void>;
  readonly end: () => Promise<number | null>; // by Ctrl-C
  readonly ended: Promise<number | null>;
} {
  const child = spawn(process.execPath, [main, "train", "--watch", "--json", ...args], {
    cwd: folder,
    env: { ...process.env, DLM_DEVICE: "embedded" },
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let [out, err, seen] = ["", "", 0];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const when = async <T>(look: () => T | undefined): Promise<T> => {
    for (let i = 0; i < 600; i++) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    child.kill("SIGKILL");
    throw new Error(`not in:\n${out.slice(-3000)}\n${err}`);
  };
  return {
    until: (wanted) =>
      when(() => {
        const lines = out.slice(0, out.lastIndexOf("\n")).split("\n").slice(seen);
        const at = lines.findIndex((line) => line !== "" && events(line).some(wanted));
        if (at < 0) return undefined;
        seen += at + 1;
        return events(lines[at]!)[0];
      }),
    said: async (pattern) =>
      when(() => {
        const found = pattern.exec(err);
        if (!found) return undefined;
        err = err.slice(found.index + found[0].length);
        return true;
      }).then(() => {}),
    ended,
    end: () => {
      child.kill("SIGINT");
      return ended;
    },
  };
}
const trains = (event: Event): boolean => event.kind === "progress";
const begins = (event: Event): boolean => event.kind === "start";

test(
  "what was training goes on where it fits, else begins anew; errors cost no run",
  { timeout: 300_000 },
  async () => {
    put("parts.dlm", "const target = 1\n");
    put("rows.csv", "1,2\n3,4\n0,1\n2,0\n");
    put("w.dlm", text("1e-3"));
    const { until, said, end } = watching(["w.dlm"]);
    await until(trains);
    put("w.dlm", text("3e-3").replace("tanh", "tanhh"));
    await until((event) => event.kind === "diagnostic" && event["code"] === "DLM2001");
    await said(/tanhh/);
    await until(trains); // the run of before
    put("w.dlm", text("3e-3"));
    await until((event) => event.kind === "changed");
    await said(/going on from step \d+: the parameters of the changed model fit/);
    await until(begins);
    expect((await until(trains))["step"]).toBeGreaterThan(1);
    // a text without errors that cannot begin costs nothing
    put("w.dlm", text("3e-3").replace("rows.csv", "gone.csv"));
    await until((event) => event.kind === "error" && String(event["message"]).includes("gone.csv"));
    put("w.dlm", text("3e-3"));
    await said(/going on from step \d+: the parameters of the changed model fit/);
    await until(trains);
    // an import
    put("parts.dlm", "const target = 2\n");
    await until((event) => event.kind === "changed");
    await said(/going on from step \d+/);
    await until(trains);
    put("w.dlm", text("3e-3", 5));
    await said(/beginning anew: .* is F32\[.*5.*\] in this model/);
    await until(trains);
    // one that comes to its end is kept, and the next begins anew
    put("w.dlm", text("3e-3", 5, 20));
    await until((event) => event.kind === "done");
    await said(/watching 2 files; the last good run is kept in (runs\/\S+)/);
    put("w.dlm", text("1e30", 5, 20).replace("adam", "sgd"));
    await until((event) => event.kind === "error" && /no number|NaN|inf/i.test(String(event["message"])));
    await said(/watching 2 files; the last good run is kept in (runs\/\S+)/);
    put("w.dlm", text("1e-3", 5, 1_000_000));
    await until(trains);
    expect(await end()).toBe(130);
    expect(stepOf(bytes("w.safetensors"))).toBeGreaterThan(0);
    expect(readdirSync(`${folder}/runs`).length).toBe(8);
    expect(existsSync(`${folder}/w.safetensors.before`)).toBe(false); // each has a record
  },
);
test("a first text with errors is waited for; a wrong command line is none", { timeout: 300_000 }, async () => {
  put("parts.dlm", "const target = 1\n");
  put("rows.csv", "1,2\n3,4\n0,1\n2,0\n");
  put("first.dlm", "model net(");
  const { until, said, end } = watching(["first.dlm", "--no-save"]);
  await until((event) => event.kind === "diagnostic");
  await said(/watching 1 file\n/);
  put("first.dlm", text("1e-3", 3, 30));
  await until((event) => event.kind === "done");
  await end();
  put("second.dlm", text("1e-3", 3, 30));
  const wrong = watching(["second.dlm", "--train", "nothing"]);
  await wrong.said(/has no train block nothing/);
  expect(await wrong.ended).toBe(2);
});
