// The README's commands work as written (but for the two that install everything), and its library example runs.
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as library from "../../compiler/index.ts";
import * as runtime from "../../runtime/index.ts";
import { program } from "../cli/program.ts";
import { testDevice } from "../device.ts";

const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const { dlm, folder } = program();

test("the tour's commands", async () => {
  cpSync(join(root, "examples"), join(folder, "examples"), { recursive: true });
  cpSync(join(root, "examples"), join(folder, "node_modules/dlm/examples"), { recursive: true });
  mkdirSync(join(folder, "out"), { recursive: true });
  const commands = [...readme.matchAll(/^npx dlm (.*)$/gm)].map((m) => m[1]!);
  expect(commands.length).toBeGreaterThan(5);
  for (const command of commands) {
    const args = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2]!);
    const { status, err } = await dlm(args);
    expect(status, `dlm ${command}\n${err}`).toBe(0);
  }
}, 300_000);
test("the library example", async () => {
  const code = /```js\n([\s\S]*?)```/.exec(readme)![1]!;
  const body = code.replace(/^import .*$/gm, "");
  const { device } = await testDevice();
  // one epoch will do
  const readFile = async (path: string, encoding?: "utf8"): Promise<string | Uint8Array> =>
    encoding
      ? readFileSync(join(root, path), encoding).replace("epochs: 30", "epochs: 1")
      : new Uint8Array(readFileSync(join(root, path)));
  const openDevice = async (): Promise<object> => ({ device, close: () => undefined });
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<{ data: Float32Array; shape: number[] }>;
  const names = {
    compile: library.compile,
    load: runtime.load,
    openDevice,
    readFile,
    console: { log: () => undefined },
  };
  const run = new AsyncFunction(...Object.keys(names), `${body}\nreturn predict;`);
  const predict = await run(...Object.values(names));
  expect(predict.shape).toEqual([1, 10]);
  expect(predict.data.reduce((a, b) => a + b)).toBeCloseTo(1, 4);
}, 300_000);
