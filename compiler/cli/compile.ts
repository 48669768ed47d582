// dlm compile: a model to its artifacts, without training it.
import { dirname, join } from "node:path";
import { writeArtifacts, type Artifact, type ArtifactOptions } from "./artifacts.ts";
import { besidePage, copyBeside } from "./beside.ts";
import { checkWeights } from "../../runtime/session.ts";
import { ofFile, readKept } from "./files.ts";
import { openModel, planModel, type ModelFlags, type Planned } from "./model.ts";
import { UserError } from "./problem.ts";
import { openTerminal, styles } from "./terminal.ts";
import { trainerCommand } from "./ways.ts";
import { seconds } from "./progress.ts";
import { indexText } from "../print/shaders.ts";
import type { Plans } from "./trainer.ts";
import { byteText, counted, parameterText, portText, tradeText, typeText } from "../print/text.ts";

export interface CompileFlags extends ModelFlags {
  readonly out: string;
  readonly target?: readonly string[]; // default: every class of devices
  readonly weights?: string; // a file: put beside the trainer, which loads it by default
  readonly page?: boolean; // false: without index.html and its parts
  readonly withData?: boolean; // and the data files that the page needs
  readonly time?: boolean; // also what each phase took
  readonly json?: boolean;
}

export async function compile(path: string, flags: CompileFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const compiled = await planModel(openModel(path), { ...flags, views: flags.page !== false }, flags.target ?? classes);
  const files = await writeCompiled(compiled, flags, flags.out);
  if (flags.json) return terminal.line(JSON.stringify(compiledJson(compiled, files, flags)));
  const { bold, dim } = styles(terminal.color);
  const { plan } = compiled;
  const targets = targetsOf(compiled).join(", ");
  terminal.line(
    `${bold(path)}  ${dim(`${parameterText(plan)} · for ${targets} devices · compiled in ${seconds(compiled.seconds)}`)}`,
  );
  for (const { name, ...trade } of compiled.memory?.trades ?? []) terminal.line(dim(`  ${name}: ${tradeText(trade)}`));
  if (flags.time)
    for (const p of compiled.phases)
      terminal.line(`  ${p.name.padEnd(28)} ${`${(1000 * p.seconds).toFixed(0)} ms`.padStart(9)}`);
  for (const f of filesToTell(compiled, files, flags))
    terminal.line(`  ${join(flags.out, f.path).padEnd(28)} ${byteText(f.bytes).padStart(9)}  ${dim(f.about)}`);
  for (const x of plan.exports) {
    const [inputs, outputs] = [
      x.inputs.map((p) => portText(p)).join(", "),
      x.outputs.map((p) => typeText(p)).join(", "),
    ];
    terminal.line(dim(`  ${x.name}(${inputs}) -> ${outputs}`));
  }
}
const targetsOf = (compiled: Planned): readonly string[] => plansOf(compiled).map((p) => p.target);
function compiledJson(compiled: Planned, files: readonly Written[], flags: CompileFlags): object {
  const { plan, seconds, phases } = compiled;
  return {
    kind: "compiled",
    model: plan.name,
    compiler: plan.compiler,
    targets: targetsOf(compiled),
    seconds,
    ...(flags.time ? { phases } : {}),
    files: files.map((f) => ({ path: join(flags.out, f.path), bytes: f.bytes })),
  };
}
/** Kernels as one for each folder of theirs, then whatever there is something to say of. */
function filesToTell(compiled: Planned, files: readonly Written[], flags: CompileFlags): readonly Required<Written>[] {
  const [, ...further] = targetsOf(compiled);
  const about = aboutFiles(compiled, flags);
  const kernels = ["shaders", ...further.map((name) => `shaders/${name}`)].map((folder, i) => {
    const shaders = files.filter((f) => f.path.endsWith(".wgsl") && dirname(f.path) === folder);
    const count = counted(shaders.length, "kernel");
    return {
      path: `${folder}/*.wgsl`,
      bytes: shaders.reduce((n, f) => n + f.bytes, 0),
      about: i === 0 ? count : `${count} that ${shaders.length === 1 ? "is" : "are"} others there`,
    };
  });
  const others = files.flatMap((f) => {
    const told = f.path.endsWith(".wgsl") ? undefined : (about[f.path] ?? f.about);
    return told === undefined ? [] : [{ ...f, about: told }];
  });
  return [...kernels, ...others];
}
/** What the files of an artifact are for, by their paths in it. */
function aboutFiles(compiled: Planned, flags: CompileFlags): Readonly<Record<string, string>> {
  const { plan, model } = compiled;
  const [, ...further] = targetsOf(compiled);
  const trains = plan.trains.length > 0;
  const offered = ["load", ...(trains ? ["train"] : []), ...plan.exports.map((x) => x.name)].join(", ");
  const command = trainerCommand(plan, flags.out, flags.withData ? undefined : (flags.data ?? model.folder));
  return {
    "shaders/INDEX.md": "what each is for, in the order of their dispatch",
    "plan.json": "what runs when, in which memory",
    ...Object.fromEntries(
      further.flatMap((name) => [
        [`shaders/${name}/INDEX.md`, `for ${name} devices`],
        [`plan.${name}.json`, `for ${name} devices`],
      ]),
    ),
    "trainer.mjs": trains ? `${command} trains; as a module it offers ${offered}` : `a module that offers ${offered}`,
    "trainer.d.ts": "its types",
    "weights.safetensors": "what the trainer's module loads unless it is told otherwise",
    "index.html": `with page.*: ${trains ? "trains" : "uses it"} in a browser; serve this folder and open it`,
  };
}

interface Written extends Artifact {
  readonly about?: string; // told of it on the command line
}
function refuseMissing(paths: readonly string[]): void {
  throw new UserError(
    `${paths.join(", ")}: not there, so it cannot be put beside the page; --data FOLDER names the folder that the model's paths start from`,
  );
}
/** The classes of devices that artifacts are for unless somebody says otherwise. The first runs on any. */
export const classes: readonly string[] = ["software", "integrated", "discrete"];
export const plansOf = ({ plan, further }: Planned): Plans => [plan, ...further.map((made) => made.plan!)]; // `planModel` throws where one is missing
/** The artifacts of a model and, where that is asked for, its data beside them. */
export async function writeCompiled(
  compiled: Planned,
  flags: Pick<CompileFlags, "page" | "weights" | "withData" | "data">,
  out: string,
  missing: (paths: readonly string[]) => void = refuseMissing,
): Promise<readonly Written[]> {
  const { model } = compiled;
  const weights = flags.weights === undefined ? undefined : readKept(flags.weights, "read the weights from");
  if (weights) await ofFile(flags.weights!, () => checkWeights(compiled.plan, weights));
  const beside = flags.withData ? plansOf(compiled).map((plan) => besidePage(plan, model, flags)) : [];
  const [first] = beside; // what they read is the same
  if (first?.missing.length) missing(first.missing);
  const data = first ? copyBeside(out, first).map((f) => ({ ...f, about: "data" })) : [];
  const [plan, ...others] = beside.map((b) => b.plan);
  const files = await writePlans(compiled, plan ? [plan, ...others] : plansOf(compiled), {
    folder: out,
    data: flags.withData ? out : (flags.data ?? model.folder),
    ...(weights ? { weights } : {}),
    ...(flags.page === false ? { page: false } : {}),
  });
  return [...data, ...files];
}
/** With an index of their kernels. `plans`: those of `compiled`, whatever the paths in them. */
export function writePlans(
  compiled: Planned,
  plans: Plans,
  options: Omit<ArtifactOptions, "index">,
): Promise<readonly Artifact[]> {
  const programs = new Map([compiled, ...compiled.further].map((made) => [made.plan!.target, made.programs]));
  return writeArtifacts(plans, { ...options, index: (plan) => indexText(plan, programs.get(plan.target)!) });
}
