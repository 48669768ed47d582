// shaders/INDEX.md: every kernel with its purpose, shapes, bindings and cost, in the order of dispatch.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { artifactTexts } from "../../compiler/cli/artifacts.ts";
import { indexText } from "../../compiler/print/shaders.ts";
import type { Command } from "../../runtime/plan.ts";

const text = readFileSync(join(import.meta.dirname, "../../examples/iris.dlm"), "utf8");
const { plan, programs } = compile(text, { name: "iris.dlm", target: "discrete" });
const index = indexText(plan!, programs);
const section = (name: string): string => index.split(/^## /m).find((s) => s.startsWith(`${name}:`)) ?? "";

test("the step's dispatches in their order, each with a link to its file", () => {
  const dispatched = (list: readonly Command[]): string[] =>
    list.flatMap((c) =>
      c.kind === "loop" ? dispatched(c.body) : c.kind === "copy" ? [] : [plan!.modules[c.module]!.name],
    );
  const { step } = plan!.trains[0]!;
  expect([...section("fit.step").matchAll(/\]\(([\w]+)\.wgsl\)/g)].map((m) => m[1])).toEqual(dispatched(step.commands));
});
test("every file is linked", () => {
  for (const { name } of plan!.modules) expect(index).toContain(`(${name}.wgsl)`);
});
test("purpose, shapes, bindings, cost", () => {
  const row = section("predict")
    .split("\n")
    .find((line) => line.includes(" | [B, "))!;
  expect(row).toMatch(
    /^\| \d+ \| \[\w+\]\(\w+\.wgsl\) \| [^|]*std\/layer\.dlm:\d+[^|]* \| \[B(, \d+)?\][^|]* \| @\d+ [^|]+ \| @\d+ [^|]+ \| [^|]* wg \|$/,
  );
  expect(index).toContain("net.linear (Linear), gradient of w");
});
test("it is an artifact", () => {
  const texts = artifactTexts(plan!, "./", { runtime: "", page: "", types: "" }, index);
  expect(texts.get("shaders/INDEX.md")).toBe(index);
});
