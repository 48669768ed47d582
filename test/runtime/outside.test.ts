// Plans from outside: every field of a plan is taken away, or made something else. What load() does not take is told in words before anything is
// allocated; nothing ends in an exception of JavaScript, a driver's message or an unhandled rejection.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { load, RuntimeProblem, type Plan } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type Path = readonly (string | number)[];

/** Every value of the plan by its place, but the long text of kernels and the source. */
function* places(value: Json, path: Path = []): Generator<Path> {
  yield path;
  if (typeof value !== "object" || value === null) return;
  for (const [key, own] of Object.entries(value))
    yield* places(own as Json, [...path, Array.isArray(value) ? Number(key) : key]);
}
function changed(value: Json, path: Path, to: (old: Json) => Json | undefined): Json {
  const [key, ...rest] = path;
  if (key === undefined) return to(value) ?? null;
  const copy = (Array.isArray(value) ? [...(value as readonly Json[])] : { ...(value as object) }) as Record<
    string | number,
    Json
  >;
  if (rest.length) copy[key] = changed(copy[key]!, rest, to);
  else {
    const next = to(copy[key]!);
    if (next === undefined) delete copy[key];
    else copy[key] = next;
  }
  return copy;
}
const mutations: readonly (readonly [string, (old: Json) => Json | undefined])[] = [
  ["gone", () => undefined],
  ["null", () => null],
  ["another type", (old) => (typeof old === "number" ? "7" : 7)],
  ["negative", (old) => (typeof old === "number" ? -old - 1 : {})],
  ["huge", (old) => (typeof old === "number" ? 2 ** 40 : [])],
  ["a fraction", (old) => (typeof old === "number" ? old + 0.5 : "")],
];

test("every field of a plan, changed: words before anything is allocated, or a model", async () => {
  const { device } = await testDevice();
  const text = readFileSync(join(import.meta.dirname, "../../examples/xor.dlm"), "utf8");
  const plan = JSON.parse(JSON.stringify(compile(text, { name: "xor.dlm" }).plan)) as Plan & Json;
  let allocated = 0;
  const watched = new Proxy(device, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (key === "createBuffer") allocated++;
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  const outcomes: Record<string, number> = { loaded: 0, refused: 0 };
  const faults: string[] = [];
  const all = [...places(plan)].filter((path) => path.length && path.at(-1) !== "code" && path[0] !== "source");
  for (const [i, path] of all.entries()) {
    const [name, to] = mutations[i % mutations.length]!;
    const where = `${path.join(".")} ${name}`;
    allocated = 0;
    try {
      const model = await load(changed(plan, path, to) as unknown as Plan, { device: watched });
      outcomes["loaded"]!++;
      model.close();
    } catch (error) {
      outcomes["refused"]!++;
      if (!(error instanceof RuntimeProblem)) faults.push(`${where}: ${String(error)}`);
      // what the code of a kernel binds only the device can read
      else if (allocated && !error.message.startsWith("the device does not accept the kernel "))
        faults.push(`${where}: after ${allocated} buffers: ${error.message}`);
    }
  }
  expect(faults).toEqual([]);
  expect(outcomes["refused"]).toBeGreaterThan(outcomes["loaded"]!);
  expect(all.length).toBeGreaterThan(300);
});

test("loops as deep as no compiler nests them are told, and overflow no stack", async () => {
  const { device } = await testDevice();
  const text = readFileSync(join(import.meta.dirname, "../../examples/xor.dlm"), "utf8");
  const plan = compile(text, { name: "xor.dlm" }).plan!;
  const nested = (depth: number): Plan => {
    const { program } = plan.exports[0]!;
    let body = program.commands;
    for (let i = 0; i < depth; i++) body = [{ kind: "loop", count: 1, reverse: false, stepBuffer: 0, body }];
    return { ...plan, exports: [{ ...plan.exports[0]!, program: { ...program, commands: body } }] };
  };
  for (const depth of [65, 1000, 100_000])
    await expect(load(nested(depth), { device })).rejects.toThrow(
      "the plan is damaged at exports[0].program.commands[0].body",
    );
});
