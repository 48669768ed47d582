// What every side of a workload asks of a graphics card in one step, written down by the recorder.
// In: the workloads, the sides.   Out: for each workload { "dlm discrete": { steps, launches, submits, dispatches: [...] } | { error }, "jax-js webgpu": ... }.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const warm = 2; // steps before: pipelines are made, what is kept between steps is there

/**
 * `start(name, workload)` gives a side ({ ask, end }), `prepare` what it is asked first; `key(name, workload)` names everything that a recording depends on,
 * where it may be kept between runs.
 */
export async function record({ workload, spec, names, start, data, folder, key, say }) {
  mkdirSync(folder, { recursive: true });
  const sides = {};
  for (const name of names) {
    const kept = key(name, workload);
    const file = join(folder, `${workload}.${name.replaceAll(" ", "-")}${kept ? `.${kept}` : ""}.json`);
    if (!kept || !existsSync(file)) {
      const side = start(name, workload);
      let answer = side.error ? side : await side.ask({ do: "prepare", workload, data, spec });
      if (!answer.error) answer = await side.ask({ do: "run", steps: warm });
      // a model whose step is a fraction of a launch is followed for as long as one takes
      if (!answer.error)
        answer = await side.ask({ do: "record", steps: spec.recordSteps?.[name.split(" ")[0]] ?? 1, file });
      side.end?.();
      if (answer.error) {
        sides[name] = { error: answer.error.split("\n")[0].slice(0, 160) };
        say(`  ${name}: ${sides[name].error}`);
        continue;
      }
    }
    sides[name] = JSON.parse(readFileSync(file, "utf8"));
    say(
      `  ${name}: ${sides[name].launches / sides[name].steps} launches a step, ${sides[name].dispatches.length} kinds`,
    );
  }
  return sides;
}
