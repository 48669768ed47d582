// Unsigned positions: the same bits as signed ones, whatever they are computed from; and shaders for GPUs whose addresses need no conversion.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { call, choice, f32, i32, i32Number, name, operation, u32, type Expr } from "../../compiler/kernel/expr.ts";
import type { Statement } from "../../compiler/kernel/ir.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { unsigned } from "../../compiler/lower/unsigned.ts";

/** What the statements store and sum up, by WGSL's rules. */
function run(body: readonly Statement[], inputs: ReadonlyMap<string, number>): number[] {
  const env = new Map(inputs);
  const told: number[] = [];
  const of = (e: Expr): number => {
    const [a, b, c] = e.args.map(of) as [number, number, number];
    const isUnsigned = e.args[0]?.type.element === "u32";
    const bits = (x: number): number => (e.type.element === "u32" ? x >>> 0 : e.type.element === "i32" ? x | 0 : x);
    for (const x of e.args)
      if (x.type.element !== e.args[0]!.type.element) expect([e.op, e.text]).toEqual(["call", "select"]);
    switch (e.op) {
      case "name":
        return env.get(e.text)!;
      case "number":
        return Number(e.text.replace("u", ""));
      case "+":
        return bits(a + b);
      case "-":
        return bits(a - b);
      case "*":
        return bits(Math.imul(a, b));
      case "&":
        return bits(a & b);
      case "/":
        return bits(Math.trunc(a / b));
      case "%":
        return bits(a % b);
      case "<":
        return Number(a < b);
      case "call":
        if (e.text === "select") return c ? b : a;
        if (e.text === "min" || e.text === "max") return Math[e.text](a, b);
        if (e.text === "f32") return Math.fround(a);
        if (e.text === "i32" || e.text === "u32") return bits(a);
    }
    throw new Error(`${e.op} ${e.text} ${isUnsigned}`);
  };
  for (const s of body) {
    if (s.kind === "let") env.set(s.name, of(s.value));
    else if (s.kind === "store") told.push(of(s.at) >>> 0, of(s.value));
    else if (s.kind === "set") env.set(s.target.text, of(s.value));
    else throw new Error(s.kind);
  }
  return [...told, ...["round"].map((own) => env.get(own)! >>> 0)];
}

// `small`, `far` and `round` (a variable of the module) are never negative, `any` may be anything
const bounds = { small: 255, far: Infinity, round: 1000 };
const leaf = (names: readonly string[]): fc.Arbitrary<Expr> =>
  fc.oneof(
    fc.constantFrom(...names).map((x) => name(x, i32)),
    fc.constantFrom(0, 1, 2, 3, 64, 1000, -1, -4, 65536).map(i32Number),
  );
const integers = (names: readonly string[]): fc.Arbitrary<Expr> =>
  fc.letrec<{ e: Expr }>((tie) => ({
    e: fc.oneof(
      { maxDepth: 4 },
      leaf(names),
      fc
        .tuple(fc.constantFrom("+", "-", "*", "+", "*", "&"), tie("e"), tie("e"))
        .map(([op, a, b]) => operation(op as "+", a, b)),
      fc
        .tuple(fc.constantFrom("/", "%"), tie("e"), fc.constantFrom(1, 3, 4, 28))
        .map(([op, a, n]) => operation(op as "/", a, i32Number(n))),
      fc.tuple(fc.constantFrom("min", "max"), tie("e"), tie("e")).map(([fn, a, b]) => call(fn, [a, b], i32)),
      fc.tuple(tie("e"), tie("e"), tie("e")).map(([a, b, c]) => choice(operation("<", a, b), c, b)),
      tie("e").map((a) => call("i32", [call("u32", [a], u32)], i32)),
    ),
  })).e;
const statements: fc.Arbitrary<Statement[]> = fc
  .array(fc.constantFrom("let", "let", "at", "value", "set"), { minLength: 2, maxLength: 8 })
  .chain((kinds) => {
    const names = ["small", "far", "any", "round"];
    return fc.tuple(
      ...kinds.map((kind, i): fc.Arbitrary<Statement> => {
        const own = `n${i}`;
        const e = integers([...names]);
        if (kind === "let") {
          names.push(own);
          return e.map((value) => ({ kind: "let", name: own, value, cost: "integer", pinned: false }));
        }
        if (kind === "set")
          return e.map((value) => ({
            kind: "set",
            target: name("round", i32),
            operator: "=",
            value: operation("&", value, i32Number(1000)),
            cost: "integer",
          }));
        if (kind === "at") return e.map((at) => ({ kind: "store", tensor: "y", at, value: name("one", f32) }));
        return e.map((a) => ({ kind: "store", tensor: "y", at: name("small", i32), value: call("f32", [a], f32) }));
      }),
    );
  });

test("the same bits", () => {
  const inputs = fc.record({
    small: fc.integer({ min: 0, max: 255 }),
    far: fc.integer({ min: 0, max: 2 ** 28 }),
    any: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    round: fc.integer({ min: 0, max: 1000 }),
  });
  const known = new Map(Object.entries(bounds).map(([own, high]) => [own, { low: 0, high }]));
  fc.assert(
    fc.property(statements, inputs, (body, values) => {
      const env = new Map([...Object.entries(values), ["one", 1] as const]);
      expect(run(unsigned(body, known, [], ["round"]), env)).toEqual(run(body, env));
    }),
    { numRuns: 3000 },
  );
});

const folders = ["../../examples", "../../bench/models"].map((path) => join(import.meta.dirname, path));
const files = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".dlm"))
    .map((file) => join(folder, file)),
);
test.each(["discrete", "integrated"])(
  "shaders for %s convert no address, and divide what may be negative alone",
  (target) => {
    let looked = 0;
    for (const file of files.filter((_, i) => i % 6 === 0)) {
      const { plan } = compile(readFileSync(file, "utf8"), { target: targets[target]! });
      for (const { name: label, code = "" } of plan?.modules ?? [])
        for (const line of code.split("\n").filter((text) => !text.trimStart().startsWith("//"))) {
          looked++;
          expect(line, label).not.toMatch(/\[[^\]]*u32\(i32\(|u32\([a-z]+_at\w*\)/);
          // where a position begins
          expect(line, label).not.toMatch(/i32\((group\.[xyz]|local_index|thread)\)[^;]* [/%] /);
        }
    }
    expect(looked).toBeGreaterThan(500);
  },
);
