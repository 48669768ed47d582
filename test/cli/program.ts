// The command line as a process: bundled from the sources once for a test file, beside node_modules so that it finds its packages.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll } from "vitest";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { trainerParts, viewerParts } from "../../compiler/cli/bundle.mjs";
import { templates } from "../../compiler/cli/templates.mjs";

export interface Outcome {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}
export interface Program {
  readonly folder: string; // a folder of the test's own: the working folder
  /** Runs `dlm ARGS`. `onOutput` sees standard output as it grows, and may close it. */
  readonly dlm: (
    args: readonly string[],
    more?: {
      readonly input?: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly cwd?: string; // under the folder
      readonly onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void, close: () => void) => void;
    },
  ) => Promise<Outcome>;
  readonly faulty: string; // to be loaded before (node --import): test/faulty.ts
  /** The same with another program of Node's. */
  readonly node: Program["dlm"];
  readonly main: string; // the file that Node runs as `dlm`
  /** What `node --import` makes operations of the file system fail by (test/failing-preload.ts). */
  readonly failing: string;
  readonly put: (name: string, content: string | Uint8Array) => string;
  readonly bytes: (name: string) => Buffer;
}
export function program(): Program {
  const bundle = join(import.meta.dirname, `../../node_modules/.cache/dlm-cli-test-${process.pid}`);
  const folder = mkdtempSync(join(tmpdir(), "dlm-cli-"));
  const failing = join(bundle, "failing-preload.mjs");
  beforeAll(async () => {
    mkdirSync(bundle, { recursive: true });
    await build({
      entryPoints: [join(import.meta.dirname, "../../compiler/cli/main.ts")],
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      splitting: true,
      outdir: bundle,
      outExtension: { ".js": ".mjs" },
      logLevel: "error",
    });
    await build({
      entryPoints: ["faulty", "failing-preload"].map((name) => join(import.meta.dirname, `../${name}.ts`)),
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      outdir: bundle,
      outExtension: { ".js": ".mjs" },
      logLevel: "error",
    });
    writeFileSync(join(bundle, "trainer-parts.json"), JSON.stringify(await trainerParts()));
    writeFileSync(join(bundle, "viewer.json"), JSON.stringify(await viewerParts()));
    writeFileSync(join(bundle, "templates.json"), JSON.stringify(templates()));
  }, 600_000);
  afterAll(() => {
    rmSync(bundle, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  });
  const node: Program["node"] = (args, { input, env, cwd = "", onOutput } = {}) =>
    new Promise((resolve) => {
      const environment = {
        ...process.env,
        DLM_DEVICE: process.env["DLM_DEVICE"] || "embedded",
        npm_command: "exec",
        ...env,
      };
      const child = spawn(process.execPath, args, { cwd: join(folder, cwd), env: environment, timeout: 100_000 });
      const text = { out: "", err: "" };
      child.stdout.on("data", (chunk: Buffer) => {
        text.out += chunk.toString();
        onOutput?.(
          text.out,
          (signal) => child.kill(signal),
          () => child.stdout.destroy(),
        );
      });
      child.stderr.on("data", (chunk: Buffer) => (text.err += chunk.toString()));
      child.stdin.end(input ?? "");
      child.on("close", (status) => resolve({ status, ...text }));
    });
  const main = join(bundle, "main.mjs");
  return {
    folder,
    faulty: join(bundle, "faulty.mjs"),
    main,
    failing,
    node,
    dlm: (args, more) => node([main, ...args], more),
    put: (name, content) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    },
    bytes: (name) => readFileSync(join(folder, name)),
  };
}
/** Of a checkpoint: the step of its first train block. */
export const stepOf = (checkpoint: Uint8Array): number =>
  Object.values(
    (JSON.parse(readSafetensors(checkpoint).metadata["progress"]!) as { trains: Record<string, { step: number }> })
      .trains,
  )[0]!.step;
export type Event = Readonly<Record<string, unknown>> & { readonly kind: string };
export const events = (out: string): readonly Event[] =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
