// What every side in JavaScript shares: commands come as JSON lines on standard input, answers leave on file descriptor 3 (libraries print to
// standard output as they like). A side gives `prepare(workload, tensors)`, which returns `{ step(i), drain(), value() }` (or `{ steps(n), value() }`): step i of the workload is put
// under way, all steps are finished, the value (loss of the last step, or mean square of all results) is read.
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { fromSafetensors } from "../tensors.mjs";
import { workloads } from "../workloads.mjs";
import { counted } from "./device.mjs";

export async function serve(prepare) {
  let side;
  let done = 0; // steps
  const commands = {
    /** Everything up to the first value on the host. */
    async prepare({ workload, data }) {
      const tensors = fromSafetensors(readFileSync(data));
      side = await prepare(workloads[workload], tensors);
      return commands.run({ steps: 1, read: true });
    },
    async run({ steps, read }) {
      const before = { ...counted };
      const start = performance.now();
      if (side.steps) await side.steps(steps);
      else {
        for (let i = 0; i < steps; i++) await side.step(done + i);
        await side.drain();
      }
      const ms = performance.now() - start;
      done += steps;
      const used = Object.fromEntries(["dispatches", "submits", "buffers"].map((k) => [k, counted[k] - before[k]]));
      return {
        ms,
        ...used,
        bytes: counted.peak,
        device: counted.device,
        ...(read ? { value: await side.value() } : {}),
        ...side.facts,
      };
    },
    /** On the recorder alone: some steps, written down in a file. */
    async record({ steps, file }) {
      const { begin, written } = await import("../lab/recorder.mjs");
      begin();
      await commands.run({ steps });
      writeFileSync(file, JSON.stringify({ steps, ...written() }));
      return {};
    },
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      answer = await commands[command.do](command);
    } catch (error) {
      answer = { error: String(error?.stack ?? error).slice(0, 2000) };
    }
    writeSync(3, JSON.stringify(answer) + "\n");
  }
  process.exit(0);
}

/** Mean of the squares of all results, for a comparison of sides. */
export function meanSquare(results) {
  let total = 0;
  let count = 0;
  for (const r of results) {
    for (const v of r) total += v * v;
    count += r.length;
  }
  return total / count;
}
