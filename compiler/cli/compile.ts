// dlm compile: a model to its artifacts, without training it.
import { join } from "node:path";
import { writeArtifacts, type Artifact } from "./artifacts.ts";
import { checkWeights } from "../../runtime/session.ts";
import { ofFile, readKept } from "./files.ts";
import { openModel, planModel, type ModelFlags } from "./model.ts";
import { quoted } from "./started.ts";
import { openTerminal, styles } from "./terminal.ts";
import { seconds } from "./progress.ts";
import { indexText } from "../print/shaders.ts";
import { byteText, counted, parameterText, portText, typeText } from "../print/text.ts";

export interface CompileFlags extends ModelFlags {
  readonly out: string;
  readonly target?: string;
  readonly weights?: string; // a file: put beside the trainer, which loads it by default
  readonly page?: boolean; // false: without index.html and its parts
  readonly time?: boolean; // also what each phase took
  readonly json?: boolean;
}

export async function compile(path: string, flags: CompileFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const weights = flags.weights === undefined ? undefined : readKept(flags.weights, "read the weights from");
  const compiled = await planModel(openModel(path), flags, flags.target);
  const { plan, model } = compiled;
  if (weights) await ofFile(flags.weights!, () => checkWeights(plan, weights));
  const files = await writeArtifacts(plan, {
    folder: flags.out,
    data: model.folder,
    index: indexText(plan, compiled.programs),
    ...(weights ? { weights } : {}),
    ...(flags.page === false ? { page: false } : {}),
  });
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
  const rows: Artifact[] = [
    { path: "shaders/*.wgsl", bytes: shaders.reduce((n, f) => n + f.bytes, 0) },
    ...files.filter((f) => !f.path.endsWith(".wgsl") && !f.path.endsWith(".d.mts") && !f.path.startsWith("page.")),
  ];
  const trains = plan.trains.length > 0;
  const offered = ["load", ...(trains ? ["train"] : []), ...plan.exports.map((x) => x.name)].join(", ");
  const about: Readonly<Record<string, string>> = {
    "shaders/*.wgsl": counted(shaders.length, "kernel"),
    "shaders/INDEX.md": "what each is for, in the order of their dispatch",
    "plan.json": "what runs when, in which memory",
    "trainer.mjs": trains
      ? `node ${quoted(join(flags.out, "trainer.mjs"))} trains; as a module it offers ${offered}`
      : `a module that offers ${offered}`,
    "trainer.d.ts": "its types",
    "weights.safetensors": "what the trainer's module loads unless it is told otherwise",
    "index.html": `with page.*: ${trains ? "trains" : "uses it"} in a browser; serve this folder and open it`,
  };
  for (const f of rows)
    terminal.line(
      `  ${join(flags.out, f.path).padEnd(28)} ${byteText(f.bytes).padStart(9)}  ${dim(about[f.path] ?? "")}`,
    );
  for (const x of plan.exports)
    terminal.line(
      dim(
        `  ${x.name}(${x.inputs.map((p) => portText(p)).join(", ")}) -> ${x.outputs.map((p) => typeText(p)).join(", ")}`,
      ),
    );
}
