// npm run fuzz -- [--minutes N | --cases N] [--seed S] [--device NAME] [--area A]... [--rerun FILE]
// Tries cases of every area in turn, in a process of its own that is replaced when a case ends or hangs it, and now and then, for so long or so many of each
// area. The same seed tries the same cases. Prints `N tried, N failed` for each area, writes each failure, made smaller, as a file that reruns alone, and exits with 1 if there was one.
import { fork, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { embeddedDriver } from "../../compiler/cli/embedded.ts";
import { targetOf } from "../../compiler/cli/device.ts";
import { openDevice } from "../../runtime/node.ts";
import { kindOf, type Area, type On, type Outcome } from "./area.ts";
import { areas } from "./areas.ts";

const here = fileURLToPath(import.meta.url);
interface Job {
  readonly area: string;
  readonly tried: unknown; // a case, or the seed of one
  readonly isSeed: boolean;
}
interface Answer {
  readonly outcome?: Outcome;
  readonly fault?: string;
  readonly megabytes?: number;
}
function makeOf(job: Job): unknown {
  if (!job.isSeed) return job.tried;
  try {
    return areas.find((a) => a.name === job.area)!.make(job.tried as number);
  } catch (error) {
    throw Object.assign(error as Error, { name: "GeneratorError" });
  }
}

// ---- the process that tries cases

async function work(device: string): Promise<void> {
  const opened = await openDevice(device, embeddedDriver);
  const { subgroupSize } = opened.facts;
  const on: On = {
    device: opened.device,
    target: targetOf(opened.facts),
    lanes: subgroupSize && subgroupSize.least === subgroupSize.most ? subgroupSize.most : 0,
  };
  process.on("message", (job: Job) => {
    const answer = (a: Answer): void =>
      void process.send!({ ...a, megabytes: Math.round(process.memoryUsage().rss / 1e6) });
    try {
      areas
        .find((a) => a.name === job.area)!
        .check(makeOf(job), on)
        .then(
          (outcome) => answer({ outcome }),
          (error: Error) => answer({ fault: faultOf(error) }),
        );
    } catch (error) {
      answer({ fault: faultOf(error as Error) });
    }
  });
  process.on("disconnect", () => process.exit());
  process.send!({ outcome: "held" });
}
const faultOf = (error: Error): string =>
  `${error.name === "Error" ? "" : `${error.name}: `}${error.message}`.slice(0, 4000) +
  (/^Error$/.test(error.name) ? "" : `\n${error.stack?.split("\n").slice(1, 5).join("\n") ?? ""}`);

// ---- the process that hands them out

class Worker {
  #child: ChildProcess | undefined;
  #tried = 0;
  #errors = "";
  #ended: string | undefined; // how a process ended that nobody asked anything
  readonly #device: string;
  constructor(device: string) {
    this.#device = device;
  }
  async #start(): Promise<ChildProcess> {
    const child = fork(here, ["--worker", "--device", this.#device], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.#errors = "";
    child.stderr!.on("data", (text: Buffer) => (this.#errors = (this.#errors + text.toString()).slice(-1500)));
    this.#tried = 0;
    this.#child = child;
    child.on("error", () => {}); // what is sent to a process that has ended
    child.on("exit", (status, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#ended = signal ?? `status ${status}`;
    });
    const first = await answerOf(child, 120);
    if (first.fault) throw new Error(`no device ${this.#device}: ${first.fault}\n${this.#errors}`);
    return child;
  }
  async ask(job: Job, seconds: number): Promise<Answer> {
    const ended = this.#ended;
    this.#ended = undefined;
    if (ended !== undefined) return { fault: `after the case before, the process ended: ${ended}\n${this.#errors}` };
    const child = this.#child ?? (await this.#start());
    const answered = answerOf(child, seconds);
    child.send(job);
    const answer = await answered;
    // what leaks leaks in the drivers: a process is not kept for long
    if (answer.megabytes === undefined || answer.megabytes > 1500 || ++this.#tried >= 300) this.end();
    if (answer.megabytes === undefined) this.#ended = undefined; // told by the answer
    return answer.megabytes === undefined && this.#errors
      ? { ...answer, fault: `${answer.fault}\n${this.#errors}` }
      : answer;
  }
  end(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }
}
function answerOf(child: ChildProcess, seconds: number): Promise<Answer> {
  return new Promise((resolve) => {
    const done = (a: Answer): void => {
      clearTimeout(timer);
      child.removeListener("message", done);
      child.removeListener("exit", ended);
      resolve(a);
    };
    const ended = (status: number | null, signal: string | null): void =>
      done({ fault: `the process ended: ${signal ?? `status ${status}`}` });
    const timer = setTimeout(() => done({ fault: `no answer in ${seconds} s` }), seconds * 1000);
    child.on("message", done);
    child.on("exit", ended);
  });
}

const seconds = 180; // for one case
/** The smallest case found that fails in the same way. */
async function shrunk(area: Area, failed: unknown, fault: string, worker: Worker): Promise<unknown> {
  const kind = kindOf(fault);
  const until = performance.now() + 20_000;
  let best = failed;
  for (let again = true; again && area.smaller;) {
    again = false;
    for (const candidate of area.smaller(best)) {
      if (performance.now() > until) return best;
      const answer = await worker.ask({ area: area.name, tried: candidate, isSeed: false }, seconds);
      if (answer.fault === undefined || kindOf(answer.fault) !== kind) continue;
      [best, again] = [candidate, true];
      break;
    }
  }
  return best;
}

async function main(): Promise<number> {
  const { values: options } = parseArgs({
    options: {
      minutes: { type: "string" },
      cases: { type: "string" },
      seed: { type: "string", default: "1" },
      device: { type: "string", default: process.env["DLM_DEVICE"] || "embedded" },
      area: { type: "string", multiple: true },
      rerun: { type: "string" },
      worker: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (options.worker) {
    await work(options.device);
    return -1; // goes on until its parent lets it go
  }
  const chosen = areas.filter((a) => !options.area || options.area.includes(a.name));
  const cases = Number(options.cases ?? Infinity);
  const minutes = Number(options.minutes ?? (options.cases === undefined ? 5 : Infinity));
  if (options.help || !chosen.length || !(minutes > 0) || !(cases > 0) || !Number.isInteger(Number(options.seed))) {
    console.log(
      `npm run fuzz -- [--minutes N | --cases N] [--seed S] [--device auto|gpu|system|embedded|NAME] [--area ${areas.map((a) => a.name).join("|")}]... [--rerun FILE]`,
    );
    return options.help ? 0 : 2;
  }
  const worker = new Worker(options.device);
  if (options.rerun) {
    const { area, case: tried } = JSON.parse(readFileSync(options.rerun, "utf8")) as { area: string; case: unknown };
    const answer = await worker.ask({ area, tried, isSeed: false }, seconds);
    worker.end();
    console.log(answer.fault ?? answer.outcome);
    return answer.fault === undefined ? 0 : 1;
  }
  const folder = join(dirname(here), `failures-${options.device}`);
  const counts = new Map(
    chosen.map((a) => [a, { tried: 0, failed: 0, refused: 0, ms: 0, kinds: new Map<string, number>() }]),
  );
  const first = Number(options.seed) * 1_000_000;
  const end = performance.now() + minutes * 60_000;
  while (performance.now() < end) {
    const open = [...counts].filter(([, { tried }]) => tried < cases);
    if (!open.length) break;
    // the area that has had the least time
    const [area, count] = open.reduce((a, b) => (b[1].ms < a[1].ms ? b : a));
    const seed = first + count.tried++;
    const began = performance.now();
    const answer = await worker.ask({ area: area.name, tried: seed, isSeed: true }, seconds);
    if (answer.outcome === "refused") count.refused++;
    if (answer.fault !== undefined) {
      count.failed++;
      const kind = kindOf(answer.fault);
      const before = count.kinds.get(kind) ?? 0;
      count.kinds.set(kind, before + 1);
      const tried = /^GeneratorError/.test(answer.fault)
        ? seed
        : before < 3
          ? await shrunk(area, area.make(seed), answer.fault, worker)
          : area.make(seed);
      const file = join(folder, `${area.name}-${seed}.json`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(
        file,
        JSON.stringify({ area: area.name, seed, fault: answer.fault.split("\n"), case: tried }, undefined, 1),
      );
      console.log(`${relative(process.cwd(), file)}: ${answer.fault.split("\n")[0]}`);
    }
    count.ms += performance.now() - began;
  }
  worker.end();
  for (const [area, { tried, failed, refused, kinds }] of counts) {
    console.log(
      `${area.name}: ${tried} tried, ${failed} failed${refused ? `, ${refused} refused by diagnostics` : ""}`,
    );
    for (const [kind, n] of [...kinds].sort((a, b) => b[1] - a[1])) console.log(`  ${n} x ${kind}`);
  }
  return [...counts.values()].some((c) => c.failed) ? 1 : 0;
}
const status = await main();
if (status >= 0) process.exit(status);
