// dlm compile: a model to its artifacts, without training it.
import { join } from "node:path";
import { writeArtifacts, type Artifact } from "./artifacts.ts";
import { besidePage, copyBeside } from "./beside.ts";
import { checkWeights } from "../../runtime/session.ts";
import { ofFile, readKept } from "./files.ts";
import { openModel, planModel, type ModelFlags, type Planned } from "./model.ts";
import { UserError } from "./problem.ts";
import { openTerminal, styles } from "./terminal.ts";
import { trainerCommand } from "./ways.ts";
import { seconds } from "./progress.ts";
import { indexText } from "../print/shaders.ts";
import { byteText, counted, parameterText, portText, typeText } from "../print/text.ts";

export interface CompileFlags extends ModelFlags {
  readonly out: string;
  readonly target?: string;
  readonly weights?: string; // a file: put beside the trainer, which loads it by default
  readonly page?: boolean; // false: without index.html and its parts
  readonly withData?: boolean; // and the data files that the page needs
  readonly also?: readonly string[]; // further targets, each in a folder of its name
  readonly time?: boolean; // also what each phase took
  readonly json?: boolean;
}

export async function compile(path: string, flags: CompileFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const compiled = await planModel(openModel(path), { ...flags, views: flags.page !== false }, flags.target);
  const { plan } = compiled;
  const files = await writeCompiled(compiled, flags, flags.out);
  if (flags.json)
    return terminal.line(
      JSON.stringify({
        kind: "compiled",
        model: plan.name,
        compiler: plan.compiler,
        target: plan.target,
        seconds: compiled.seconds,
        ...(flags.time ? { phases: compiled.phases } : {}),
        files: files.map((f) => ({ path: join(flags.out, f.path), bytes: f.bytes })),
      }),
    );
  const { bold, dim } = styles(terminal.color);
  terminal.line(
    `${bold(path)}  ${dim(`${parameterText(plan)} · for a ${plan.target} device · compiled in ${seconds(compiled.seconds)}`)}`,
  );
  if (flags.time)
    for (const p of compiled.phases)
      terminal.line(`  ${p.name.padEnd(28)} ${`${(1000 * p.seconds).toFixed(0)} ms`.padStart(9)}`);
  const shaders = files.filter((f) => f.path.endsWith(".wgsl"));
  const trains = plan.trains.length > 0;
  const offered = ["load", ...(trains ? ["train"] : []), ...plan.exports.map((x) => x.name)].join(", ");
  const about: Readonly<Record<string, string>> = {
    "shaders/*.wgsl": counted(shaders.length, "kernel"),
    "shaders/INDEX.md": "what each is for, in the order of their dispatch",
    "plan.json": "what runs when, in which memory",
    "trainer.mjs": trains
      ? `${trainerCommand(plan, flags.out, flags.withData ? undefined : (flags.data ?? compiled.model.folder))} trains; as a module it offers ${offered}`
      : `a module that offers ${offered}`,
    "trainer.d.ts": "its types",
    "weights.safetensors": "what the trainer's module loads unless it is told otherwise",
    "index.html": `with page.*: ${trains ? "trains" : "uses it"} in a browser; serve this folder and open it`,
  };
  const rows: Written[] = [
    { path: "shaders/*.wgsl", bytes: shaders.reduce((n, f) => n + f.bytes, 0) },
    ...files.filter((f) => !f.path.endsWith(".wgsl") && (about[f.path] ?? f.about) !== undefined),
  ];
  for (const f of rows)
    terminal.line(
      `  ${join(flags.out, f.path).padEnd(28)} ${byteText(f.bytes).padStart(9)}  ${dim(about[f.path] ?? f.about ?? "")}`,
    );
  for (const x of plan.exports)
    terminal.line(
      dim(
        `  ${x.name}(${x.inputs.map((p) => portText(p)).join(", ")}) -> ${x.outputs.map((p) => typeText(p)).join(", ")}`,
      ),
    );
}

interface Written extends Artifact {
  readonly about?: string; // told of it on the command line
}
function refuseMissing(paths: readonly string[]): void {
  throw new UserError(
    `${paths.join(", ")}: not there, so it cannot be put beside the page; --data FOLDER names the folder that the model's paths start from`,
  );
}
/** The artifacts of a model and, where that is asked for, its data beside them and kernels for other classes of devices. */
export async function writeCompiled(
  compiled: Planned,
  flags: Pick<CompileFlags, "page" | "weights" | "withData" | "also" | "data" | "set" | "seed" | "maxData">,
  out: string,
  missing: (paths: readonly string[]) => void = refuseMissing,
): Promise<readonly Written[]> {
  const { model } = compiled;
  const further = [...new Set(flags.also ?? [])].filter((target) => target !== compiled.plan.target);
  const data = flags.withData ? out : (flags.data ?? model.folder);
  const weights = flags.weights === undefined ? undefined : readKept(flags.weights, "read the weights from");
  if (weights) await ofFile(flags.weights!, () => checkWeights(compiled.plan, weights));
  const written: Written[] = [];
  for (const target of [undefined, ...further]) {
    const made =
      target === undefined ? compiled : await planModel(model, { ...flags, views: flags.page !== false }, target);
    const beside = flags.withData ? besidePage(made.plan, model, flags) : undefined;
    if (beside?.missing.length && target === undefined) missing(beside.missing);
    if (beside && target === undefined) written.push(...copyBeside(out, beside).map((f) => ({ ...f, about: "data" })));
    const files = await writeArtifacts(beside?.plan ?? made.plan, {
      folder: target === undefined ? out : join(out, target),
      data,
      index: indexText(made.plan, made.programs),
      ...(weights ? { weights } : {}),
      ...(flags.page === false || target !== undefined ? { page: false } : { targets: further }),
    });
    if (target === undefined) written.push(...files);
    else
      for (const f of files) {
        const about = f.path === "trainer.mjs" ? { about: `for ${target} devices` } : {};
        written.push({ ...f, path: `${target}/${f.path}`, ...about });
      }
  }
  return written;
}
