// docs/page.md: its commands work as written, and its program runs.
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../compiler/index.ts";
import { load } from "../../runtime/index.ts";
import { program } from "../cli/program.ts";
import { testDevice } from "../device.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/page.md"), "utf8");
const { dlm, folder } = program();

test("its commands", { timeout: 300_000 }, async () => {
  cpSync(join(root, "examples"), join(folder, "examples"), { recursive: true });
  mkdirSync(join(folder, "out"), { recursive: true });
  const commands = [...page.matchAll(/^npx dlm (.*)$/gm)].map((m) => m[1]!.split(" "));
  expect(commands.map(([name]) => name)).toEqual(["serve", "compile"]);
  for (const args of commands) {
    // a server is ended when it has said its address
    const { status, out, err } = await dlm(args, {
      onOutput: (text, kill) => void (/http:\/\/127/.test(text) && kill("SIGINT")),
    });
    expect({ status, err }).toEqual({ status: args[0] === "serve" ? 130 : 0, err: "" });
    if (args[0] === "serve") expect(out).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/ /);
  }
  expect(existsSync(join(folder, "out/iris/data/iris.csv"))).toBe(true);
  expect(existsSync(join(folder, "out/iris/plan.discrete.json"))).toBe(true);
});

test("its program", async () => {
  const text = /```dlm\n([\s\S]*?)```/.exec(page)![1]!;
  const code = /```js\n([\s\S]*?)```/.exec(page)![1]!;
  const { device } = await testDevice();
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<Record<"x" | "kind", { shape: number[]; data: ArrayLike<number> }>>;
  const run = new AsyncFunction("compile", "load", "text", "device", `${code}\nreturn { x, kind };`);
  const { x, kind } = await run(compile, load, text, device);
  expect([x.shape, kind.shape]).toEqual([[3, 2], [3]]);
  expect(Array.from(kind.data).every((k) => [0, 1, 2].includes(k))).toBe(true);
});
