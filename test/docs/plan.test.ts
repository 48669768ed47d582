// docs/plan.md: what it shows of a plan stands in that plan, its reader replays plans to the numbers of dlm's runtime, and its tables have every field.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { compile } from "../../compiler/index.ts";
import { load } from "../../runtime/index.ts";
import type { Plan } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/plan.md"), "utf8");
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "gm"))].map(([, text]) => text!);
const [reader, use] = blocks("js");
const xor = readFileSync(join(root, "examples/xor.dlm"), "utf8");
const planOf = (text: string, target: string, name = "xor.dlm"): Plan => {
  const { plan, diagnostics } = compile(text, { name, target });
  expect(diagnostics.filter((d) => d.severity === "error")).toEqual([]);
  return plan!;
};
/** The page's blocks, on a plan as `dlm compile` writes it. */
async function runBlocks(plan: Plan, text: string): Promise<unknown> {
  const files = new Map([
    ["xor/plan.json", JSON.stringify({ ...plan, modules: plan.modules.map(({ name }) => ({ name })) })],
    ...plan.modules.map((m) => [`xor/shaders/${m.name}.wgsl`, m.code!] as const),
  ]);
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<unknown>;
  let said: unknown;
  const log = (...values: unknown[]): void => void (said = values);
  const { device } = await testDevice();
  const code = `${reader}\n${text}`.replace(/^import .*$/gm, "");
  await new AsyncFunction("readFileSync", "device", "console", code)((path: string) => files.get(path), device, {
    log,
  });
  return said;
}

test("what it shows stands in the plan", () => {
  const all: unknown[] = [];
  const walk = (x: unknown): void => {
    all.push(x);
    if (typeof x === "object" && x !== null) Object.values(x).forEach(walk);
  };
  const plan = planOf(xor, "software");
  walk({ ...plan, modules: plan.modules.map(({ name }) => ({ name })) });
  const shown = blocks("json").map((text) => JSON.parse(text) as unknown);
  expect(shown.length).toBeGreaterThan(4);
  expect(shown.filter((x) => !all.some((y) => isDeepStrictEqual(x, y)))).toEqual([]);
  const { module } = plan.exports[0]!.program.commands[0] as { readonly module: number };
  expect(plan.modules[module]!.name).toBe((shown[1] as { readonly name: string }).name);
});

/** What the page's blocks come to, and what the runtime makes of the same plan: to the bit, where both take the rows in one order. */
async function compare(text: string, target: string): Promise<Plan> {
  const plan = planOf(text.replace("batch: all", "batch: all, shuffle: false"), target);
  const [loss, measured, y] = (await runBlocks(plan, use!)) as [number, Record<string, number>, Float32Array];
  const model = await load(plan, { device: (await testDevice()).device });
  expect(loss).toBe((await model.train()).loss);
  expect(measured).toEqual(await model.evaluate("fit", "train"));
  const { predict } = await model.run("predict", { x: [0, 1].flatMap((a) => [0, 1].map((b) => [a, b])) });
  expect(y).toEqual(predict!.data);
  await model.close();
  return plan;
}
test.each(["software", "discrete"])("its reader trains, for %s devices", { timeout: 120_000 }, async (target) => {
  await compare(xor, target);
});
/** The state is too long for one launch, and its mean keeps rows together: its rounds are a loop, down and up again. */
const recurrent = xor
  .replace(
    /^model net.*$/m,
    `model net(x: f32[B, 2]) -> f32[B, 1] {
  let wide = x |> Linear(5000, act: tanh)
  let all = scan (t in 0..6; h = wide) {
    let after = tanh(wide + h - mean(h * h))
    next h = after
    yield after
  }
  return all[-1] |> Linear(1)
}`,
  )
  .replace("lr: 0.5", "lr: 0.01")
  .replace("steps: 500", "steps: 20");
test("and replays loops", { timeout: 120_000 }, async () => {
  const plan = await compare(recurrent, "software");
  const loops = plan.trains[0]!.step.commands.flatMap((c) => (c.kind === "loop" ? [c.reverse] : []));
  expect(loops).toEqual([false, true]);
});

/** Names of the fields of every interface in plan.ts, with those of records within. A place is one wherever it stands. */
function fieldsOf(source: string): ReadonlyMap<string, readonly string[]> {
  const text = source.replaceAll(/readonly buffer: number; readonly offset: number;?/g, "");
  const bodies = [...text.matchAll(/^export (?:interface|type) (\w+)[^]*?(?=^(?:export|\/\*\*|\/\/) ?)/gm)];
  return new Map(
    bodies.map(([body, name]) => [name!, [...body.matchAll(/\breadonly (\w+)\??:/g)].map(([, field]) => field!)]),
  );
}
const sections: Readonly<Record<string, readonly string[]>> = {
  "The whole": ["Plan"],
  "Buffers and modules": ["PlanBuffer", "PlanModule", "PlanSubgroups", "PlanEdit"],
  States: ["PlanTensor"],
  "Programs and commands": [
    "Launch",
    "Dispatch",
    "Alternatives",
    "WorkgroupCount",
    "Loop",
    "Copy",
    "PlanSize",
    "PlanProgram",
  ],
  Ports: ["PlanPort"],
  Data: [
    "TextFile",
    "TextLines",
    "Loader",
    "PlanColumn",
    "PlanDataset",
    "PlanLeastRows",
    "PlanFieldView",
    "PlanFieldCheck",
  ],
  "Train blocks": ["PlanTrain", "Often"],
  Evaluation: ["PlanEvaluation"],
  Exports: ["PlanExport"],
};
test("its tables have every field of the types", () => {
  const fields = fieldsOf(readFileSync(join(root, "runtime/plan.ts"), "utf8"));
  for (const [title, types] of Object.entries(sections)) {
    const text = new RegExp(`^### ${title}\n([^]*?)^##`, "m").exec(page)![1]!;
    const named = new Set([...text.matchAll(/`[^`\n]+`/g)].flatMap(([words]) => words.match(/\w+/g) ?? []));
    for (const type of types) {
      const list = fields.get(type)!;
      expect(list.length, type).toBeGreaterThan(0);
      expect([type, list.filter((field) => !named.has(field))]).toEqual([type, []]);
    }
  }
  const known = new Set([...Object.values(sections).flat(), "Size", "PlanData"]);
  expect([...fields].filter(([type, list]) => list.length && !known.has(type)).map(([type]) => type)).toEqual([]);
});
