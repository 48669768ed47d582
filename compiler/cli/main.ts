#!/usr/bin/env node
// The command line. Every command reads files, calls the compiler or the runtime, and prints; it decides nothing about models.
import { Command, CommanderError } from "commander";
import { deviceOption } from "./device.ts";
import { UserError } from "./problem.ts";

const program = new Command("dlm")
  .description("Compiles a .dlm model to readable WGSL kernels, trains it on any WebGPU device, and uses it.")
  .version("0.1.0")
  .showHelpAfterError("(dlm COMMAND --help says more)")
  .exitOverride()
  .addHelpText(
    "after",
    `
Examples:
  dlm explain DLM2003                               what an error means
  dlm doctor                                        which device is used, and why`,
  );

program
  .command("explain")
  .argument("[code]", "a diagnostic's code, as DLM2003")
  .description("what a diagnostic means, with an example")
  .action(async (name: string | undefined) => (await import("./explain.ts")).explain(name));
program
  .command("fmt")
  .argument("<files...>", "files, or - for standard input")
  .option("--check", "write nothing; list the files that are not formatted")
  .description("formats files in place")
  .action(async (files: string[], options: { check?: boolean }) => (await import("./fmt.ts")).fmt(files, options));
program
  .command("doctor")
  .option(...deviceOption)
  .option("--json", "the report as JSON")
  .description("which device is used, why, and how to get a better one")
  .action(async (options: { device?: string; json?: boolean }) => (await import("./doctor.ts")).doctor(options));

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
