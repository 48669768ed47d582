#!/usr/bin/env node
// The command line. Every command reads files, calls the compiler or the runtime, and prints; it decides nothing about models.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { UserError } from "./problem.ts";

const whole = (text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 0) throw new InvalidArgumentError("expected a whole number, 0 or more.");
  return n;
};
const setting = (text: string, before: Record<string, string>): Record<string, string> => {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("expected NAME=VALUE, as in --set lr=3e-4.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
};

const program = new Command("dlm")
  .description("Compiles a .dlm model to readable WGSL kernels, trains it on any WebGPU device, and uses it.")
  .version("0.1.0")
  .showHelpAfterError("(dlm COMMAND --help says more)")
  .exitOverride()
  .addHelpText(
    "after",
    `
Examples:
  dlm train examples/digits.dlm                     train, with a live progress line
  dlm compile examples/digits.dlm -o out            write plan, kernels, trainer and page
  dlm run examples/digits.dlm predict --weights digits.safetensors --input x=images.npy
  dlm inspect examples/digits.dlm --stage backward  the derivative, as formulas
  dlm explain DLM2003                               what an error means`,
  );

const shared = (command: Command): Command =>
  command
    .option("--set <name=value>", "override a const or a setting of the train block; may be repeated", setting, {})
    .option("--seed <n>", "seed of every random draw", whole)
    .option("--train <name>", "which train block, where the file has several")
    .option("--data <folder>", "look for data files here, by their base name, before the place that the file names");
const onDevice = (command: Command): Command =>
  command.addOption(new Option("--device <name>", "gpu, lavapipe, swiftshader, or a part of an adapter's name").env("DLM_DEVICE"));
const json = (command: Command): Command => command.option("--json", "one JSON object a line instead of text");

json(shared(program.command("check").argument("<file...>", "model files")))
  .description("report errors and warnings, compile nothing")
  .option("--pedantic", "also warn of what is legal but unlikely to be meant")
  .action(async (files: string[], options) => (await import("./check.ts")).check(files, options));

json(shared(program.command("compile").argument("<file>", "model file")))
  .description("write plan.json, shaders/*.wgsl, trainer.mjs, trainer.d.ts and index.html")
  .requiredOption("-o, --out <folder>", "where to write them")
  .option("--target <name>", "device class that schedules are made for: software, lavapipe, swiftshader, discrete")
  .action(async (file: string, options) => (await import("./compile.ts")).compileCommand(file, options));

json(onDevice(shared(program.command("train").argument("<file>", "model file"))))
  .description("train a model and save its weights")
  .option("--epochs <n>", "instead of the file's epochs or steps", whole)
  .option("--steps <n>", "instead of the file's epochs or steps", whole)
  .option("-o, --weights <file>", "where to save the weights (default: NAME.safetensors in the current folder)")
  .option("--resume <file>", "go on from this checkpoint, to the same bits as an uninterrupted run")
  .option("--artifacts <folder>", "also write what `dlm compile` writes")
  .action(async (file: string, options) => (await import("./train.ts")).train(file, options));

json(onDevice(shared(program.command("eval").argument("<file>", "model file"))))
  .description("loss and metrics over a split, as if it were one batch")
  .requiredOption("--weights <file>", "trained weights")
  .option("--split <name>", "a holdout's name, or `train` (default: all holdouts)")
  .action(async (file: string, options) => (await import("./train.ts")).evaluate(file, options));

json(onDevice(shared(program.command("run").argument("<file>", "model file").argument("<export>", "name of an export fn"))))
  .description("run an exported function")
  .option("--weights <file>", "trained weights (default: freshly initialised)")
  .option("--input <name=value>", "an input: a .npy or .json file, or JSON text; may be repeated", setting, {})
  .option("--output <folder>", "write every result as .npy here instead of printing it")
  .action(async (file: string, name: string, options) => (await import("./run.ts")).run(file, name, options));

const stages = ["ast", "program", "forward", "backward", "simplified", "fused", "schedule", "wgsl", "plan", "memory"];
json(shared(program.command("inspect").argument("<file>", "model file")))
  .description("print what a phase of the compiler made")
  .addOption(new Option("--stage <name>", "which").choices(stages).default("backward"))
  .option("--program <name>", "which program: fit.step, fit.init, an export's name (default: the first train block's step, else the first export)")
  .option("--dot", "a graph in Graphviz's language")
  .option("--target <name>", "device class that schedules are made for")
  .action(async (file: string, options) => (await import("./inspect.ts")).inspect(file, options));

json(shared(program.command("gradcheck").argument("<file>", "model file")))
  .description("compare the derivative of every objective with finite differences, in f64")
  .action(async (file: string, options) => (await import("./gradcheck.ts")).gradcheck(file, options));

program
  .command("fmt")
  .argument("<file...>", "model files; - for standard input")
  .description("format in place")
  .option("--check", "change nothing; fail where a file is not formatted")
  .action(async (files: string[], options) => (await import("./fmt.ts")).fmt(files, options));

program
  .command("explain")
  .argument("[code]", "a diagnostic's code, as DLM2003")
  .description("what a diagnostic means, with an example")
  .action(async (name: string | undefined) => (await import("./explain.ts")).explain(name));

json(onDevice(program.command("doctor")))
  .description("which device is used, why, and how to get a better one")
  .action(async (options) => (await import("./doctor.ts")).doctor(options));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else if (error instanceof UserError) {
    process.stderr.write(error.message + "\n");
    process.exitCode = 1;
  } else if (error instanceof Error && (error as NodeJS.ErrnoException).code === "EPIPE") {
    process.exitCode = 0; // the reader of our output closed it
  } else {
    process.stderr.write(`dlm: internal error. This is a fault of dlm, not of your file.\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 70;
  }
}
