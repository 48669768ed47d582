// Every function of the library and every operator, for values of all ranks, dtypes and forms: a value, or a diagnostic that says where, both shapes and what
// to write instead. Never an internal error, and never a loss of values that were spread over each other in silence.
import { describe, expect, test } from "vitest";
import type { Program } from "../../compiler/elaborate/program.ts";
import { evaluate, sizeOfShape } from "../../compiler/evaluate/evaluate.ts";
import { analyse, type Fronted } from "../../compiler/front.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { libraryFiles } from "../../compiler/std/library.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { Item, Param } from "../../grammar/ast.ts";
import { parse } from "../../grammar/parser.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { expectValues } from "./values.ts";

const items = libraryFiles.flatMap((f) => parse(f).file.items);
type Fn = Extract<Item, { kind: "fn" }>;
const fns = items.filter((i): i is Fn => i.kind === "fn");
const typeOf = (p: Param): string => (p.type ? p.type.span.file.text.slice(p.type.span.start, p.type.span.end) : "");

// ---------------------------------------------------------------- operands

interface Operand {
  readonly type?: string; // an input's; absent: written as it stands
  readonly text: string;
}
const dims = {
  square: ["3", "3", "3", "3"],
  batch: ["B", "3", "2", "2"],
  column: ["B", "1", "1", "1"],
  rest: ["1", "3", "2", "3"],
} as const;
const element = { f32: "f32", i32: "i32", bool: "bool" } as const;
const typed = (dtype: keyof typeof element, shape: readonly string[]): Operand => ({
  type: `${dtype}${shape.length ? `[${shape.join(", ")}]` : ""}${dtype === "i32" ? " in 0..3" : ""}`,
  text: "",
});
const tensors = (Object.keys(element) as (keyof typeof element)[]).flatMap((dtype) =>
  (dtype === "f32" ? (["square", "batch", "column", "rest"] as const) : (["batch"] as const)).flatMap((set) =>
    [0, 1, 2, 3, 4].filter((rank) => rank > 0 || set === "batch").map((rank) => typed(dtype, dims[set].slice(0, rank))),
  ),
);
const floats = tensors.filter((t) => t.type!.startsWith("f32"));
const written: Operand[] = [
  "2",
  "1.5",
  "true",
  "[1.0, 2.0, 3.0]",
  "[1, 2, 0]",
  "[[0.5, 1.0, 2.0]]",
  "[]",
  "(1.0, 2.0)",
  "relu",
  "uniform(0, 1)",
  '"a"',
  "0..2",
].map((text) => ({ text }));
const inputs = (operands: readonly Operand[]): string =>
  operands.flatMap((o, i) => (o.type ? [`${"abc"[i]}: ${o.type}`] : [])).join(", ");
const texts = (operands: readonly Operand[]): string[] => operands.map((o, i) => (o.type ? "abc"[i]! : o.text));
const pairs = <T, U>(xs: readonly T[], ys: readonly U[]): [T, U][] => xs.flatMap((x) => ys.map((y): [T, U] => [x, y]));

interface Line {
  readonly text: string;
  readonly operands: readonly Operand[];
}
const line = (operands: readonly Operand[], body: string, extra = ""): Line => ({
  operands,
  text: `${extra}export fn NAME(${inputs(operands)}) = ${body}`,
});

interface Sorted {
  readonly good: readonly Line[];
  readonly bad: readonly { readonly line: Line; readonly diagnostics: readonly Diagnostic[] }[];
  readonly program: Program; // of the good ones: `pK` is line K's
}
/** Lines that have no error, and the diagnostics of the others. */
function sorted(lines: readonly Line[]): Sorted {
  const texts = lines.map((l, i) => l.text.replaceAll("NAME", `p${i}`).replaceAll("\n", " "));
  const found = new Map<number, Diagnostic[]>();
  const file = texts.join("\n");
  const starts: number[] = [];
  let at = 0;
  for (const t of texts) {
    starts.push(at);
    at += t.length + 1;
  }
  let analysis: Fronted;
  try {
    analysis = analyse(file, { name: "ranks.dlm" });
  } catch (error) {
    // which one is it?
    for (const t of texts) {
      try {
        analyse(t, { name: "ranks.dlm" });
      } catch (own) {
        throw new Error(`internal error in\n${t}\n${String((own as Error).stack)}`, { cause: error });
      }
    }
    throw error;
  }
  for (const d of analysis.diagnostics) {
    const i = starts.findLastIndex((s) => s <= d.span.start);
    if (d.span.file.library) throw new Error(`the place is in the library: ${renderDiagnostics([d])}`);
    found.set(i, [...(found.get(i) ?? []), d]);
  }
  return {
    good: lines.filter((_, i) => !found.has(i)),
    bad: [...found].map(([i, diagnostics]) => ({ line: lines[i]!, diagnostics })),
    program: analysis.partial,
  };
}
/** What compiles is sound, and the evaluator gives numbers of the right count. */
function checkGood(lines: readonly Line[], { good, program }: Sorted): void {
  expect(program.exports.length).toBe(good.length);
  for (const e of program.exports) {
    const line = lines[Number(e.name.slice(1))]!.text;
    try {
      verify(e.program);
      const dims = Object.fromEntries(e.program.dims.map((d) => [d.name, 3]));
      const values = new Map(
        e.program.inputs.map(
          (s) =>
            [
              s,
              Array.from({ length: sizeOfShape(s.shape, dims) }, (_, k) =>
                s.dtype === "f32" ? 0.25 + (k % 5) / 8 : k % (s.dtype === "bool" ? 2 : 3),
              ),
            ] as const,
        ),
      );
      const { outputs } = evaluate(e.program, values, dims);
      for (const { name, node } of e.program.outputs)
        expect(outputs.get(name)?.length, line).toBe(sizeOfShape(node.shape, dims));
    } catch (error) {
      throw new Error(`in\n${line}\n${String((error as Error).stack)}`, { cause: error });
    }
  }
}
const checkLines = (lines: readonly Line[]): Sorted => {
  const result = sorted(lines);
  checkGood(lines, result);
  return result;
};

// ---------------------------------------------------------------- the table

const isTensor = (p: Param): boolean =>
  p.type?.kind === "tensor_type" &&
  ["f32", "i32", "bool"].includes(p.type.element.text) &&
  (p.type.dims !== undefined || !p.default);
const schedules = ["constant", "warmup_cosine", "step_decay", "exponential"];
/** Arguments that are no tensors. */
const others: Readonly<Record<string, string>> = { int: "2", fn: "relu" };
const call = (d: Fn, given: readonly string[]): string => {
  let next = 0;
  const args = d.params.flatMap((p) => {
    if (isTensor(p) && next < given.length) return [`${p.name.text}: ${given[next++]}`];
    return p.default ? [] : [`${p.name.text}: ${others[typeOf(p)] ?? "0.5"}`];
  });
  return `${d.name.text}(${args.join(", ")})`;
};
const tabled = fns.filter((d) => !schedules.includes(d.name.text) && d.params.some(isTensor));
const one = (d: Fn): boolean =>
  d.params.filter((p) => isTensor(p) && !p.default).length < 2 &&
  !d.params.some((p) => isTensor(p) && p.default && p.type?.kind === "tensor_type" && p.type.dims);

test("the table holds the library", () => {
  expect(tabled.length).toBeGreaterThan(70);
  expect(tabled.filter((d) => !one(d)).map((d) => d.name.text)).toEqual(
    expect.arrayContaining(["mse", "cross_entropy", "accuracy", "lerp", "average", "take_along", "nll"]),
  );
});
describe.each(tabled.map((d) => [d.name.text, d] as const))("fn %s", (_name, d) => {
  test("for all operands", () => {
    const lines = one(d)
      ? [...tensors, ...written].map((a) => line([a], call(d, texts([a]))))
      : [
          ...pairs(floats, tensors),
          ...pairs(tensors.slice(floats.length), tensors.slice(0, 9)),
          ...pairs([...written, ...floats.slice(0, 4)], [...written, ...tensors.filter((_, i) => i % 4 === 0)]),
        ].map((ab) => line(ab, call(d, texts(ab))));
    const { good } = checkLines(lines);
    // operands of one type have one shape: nothing is spread over the other
    const [p, q] = d.params.filter(isTensor);
    if (q && typeOf(p!) === typeOf(q) && typeOf(p!).includes("...")) {
      const shape = (o: Operand): string => o.type?.match(/\[.*\]/)?.[0] ?? "";
      for (const {
        operands: [a, b],
        text,
      } of good)
        if (a!.type && b!.type) expect(shape(a!), text).toBe(shape(b!));
    }
  });
});

const operators = ["+", "-", "*", "/", "//", "%", "^", "@", "==", "!=", "<", "<=", ">", ">=", "and", "or"];
const two = [
  ...operators.map((o) => (a: string, b: string) => `(${a}) ${o} (${b})`),
  ...["max", "min", "matmul", "where(true, ", "where(false, "].map(
    (f) => (a: string, b: string) => (f.includes("(") ? `${f}${a}, ${b})` : `${f}(${a}, ${b})`),
  ),
  (a: string, b: string) => `where(${a}, ${b}, 0)`,
  (a: string, b: string) => `where(${b}, 1.0, ${a})`,
  (a: string, b: string) => `concat([${a}, ${b}])`,
  (a: string, b: string) => `[${a}, ${b}]`,
  (a: string, b: string) => `(${a})[${b}]`,
];
describe.each(two.map((f) => [f("a", "b"), f] as const))("%s", (_text, f) => {
  test("for all operands", () => {
    const some = tensors.filter((t) => !t.type!.startsWith("f32[1"));
    checkLines(
      [...pairs(some, some), ...pairs(written, [...written, ...some]), ...pairs(some, written)].map((ab) =>
        line(ab, f(...(texts(ab) as [string, string]))),
      ),
    );
  });
});
const single = [
  "-",
  "not ",
  ...[
    "exp",
    "abs",
    "sign",
    "floor",
    "sqrt",
    "f32",
    "i32",
    "bool",
    "stop",
    "size",
    "rank",
    "len",
    "squeeze",
    "unsqueeze",
    "transpose",
    "flip",
    "categorical",
    "frozen",
  ],
  ...["sum", "prod", "mean", "max", "min", "amax", "amin", "any", "all", "argmax", "argmin", "logsumexp"],
].map((f) => (a: string) => (/\w$/.test(f) ? `${f}(${a})` : `${f}(${a})`));
const axes = [
  "sum",
  "prod",
  "mean",
  "max",
  "argmax",
  "any",
  "logsumexp",
  "squeeze",
  "unsqueeze",
  "flip",
  "size",
  "softmax",
  "var",
  "norm",
].flatMap((f) => ["0", "-1", "2", "0..-1", "[0, 1]"].map((axis) => (a: string) => `${f}(${a}, axis: ${axis})`));
const shapes = ["reshape[3]", "expand[2, 3]", "expand[3, 3, 3]", "reshape[B, 3]"].map(
  (f) => (a: string) => `${f}(${a})`,
);
const indexed = ["[0]", "[..., 0]", "[:, 0]", "[0..2]", "[-1]", "[0, 0]"].map((i) => (a: string) => `(${a})${i}`);
test("functions of one operand, reducers, axes, shapes and indices", () => {
  checkLines(
    [...single, ...axes, ...shapes, ...indexed].flatMap((f) =>
      [...tensors, ...written].map((a) => line([a], f(texts([a])[0]!))),
    ),
  );
}, 300_000);

const layers = [
  "Linear(2)",
  "Embedding(3, 2)",
  "Dropout(0.5, always: true)",
  "LayerNorm()",
  "RMSNorm()",
  "BatchNorm()",
  "Conv2d(2, k: 1)",
  "MaxPool2d(1)",
  "AvgPool2d(1)",
  "Standardise([[1.0, 2.0, 3.0], [2.0, 5.0, 4.0]])",
];
test.each(layers)("layer %s", (layer) => {
  expect(items.some((i) => i.kind === "layer" && layer.startsWith(`${i.name.text}(`))).toBe(true);
  checkLines(
    tensors
      .map((a) => line([a], "mNAME(a)", `model mNAME(x: ${a.type}) = x |> ${layer}\n`))
      .map((l) => ({ ...l, text: l.text.replace("\n", " ") })),
  );
});

// ---------------------------------------------------------------- hints

/** The text after what the first error's hint says is written; undefined where it says nothing to write. */
function followed(text: string): { text: string; diagnostic: Diagnostic } | undefined | "compiles" {
  const [d] = analyse(text, { name: "ranks.dlm" }).diagnostics.filter((x) => x.severity === "error");
  if (!d) return "compiles";
  const hint = d.hint?.match(/^(?:.*; )?write (.*?)(?: to convert(?:, or .*)?| if it is meant.*| for one .*)?$/)?.[1];
  return hint === undefined
    ? undefined
    : { text: text.slice(0, d.span.start) + hint + text.slice(d.span.end), diagnostic: d };
}
/** Applies hints until the text compiles: the number of hints. */
function follow(text: string): { hints: number; text: string } {
  let now = text;
  for (let hints = 0; hints < 4; hints++) {
    const next = followed(now);
    if (next === "compiles") return { hints, text: now };
    if (!next)
      throw new Error(`no hint to follow:\n${renderDiagnostics(analyse(now, { name: "ranks.dlm" }).diagnostics)}`);
    now = next.text;
  }
  throw new Error(
    `four hints do not help:\n${text}\n${now}\n${renderDiagnostics(analyse(now, { name: "ranks.dlm" }).diagnostics)}`,
  );
}
const twins = tabled.filter((d) => {
  const [p, q] = d.params.filter(isTensor);
  return q && typeOf(p!) === "f32[...S]" && typeOf(q) === "f32[...S]";
});
test("hints for losses and metrics of two ranks can be followed", () => {
  expect(twins.map((d) => d.name.text)).toEqual(
    expect.arrayContaining([
      "mse",
      "l1",
      "huber",
      "smooth_l1",
      "bce",
      "bce_with_logits",
      "bce_logits",
      "mae",
      "rmse",
      "r2",
      "lerp",
    ]),
  );
  const shapes = (set: readonly string[]): string[][] => [1, 2, 3].map((n) => set.slice(0, n));
  const types = (["f32", "i32", "bool"] as const).flatMap((dtype) =>
    [[], ...shapes(dims.batch), ...shapes(dims.column)].map((s) => typed(dtype, s)),
  );
  for (const [d, [a, b]] of pairs(
    twins.slice(0, 3),
    pairs(
      types.filter((t) => t.type!.startsWith("f32")),
      types,
    ),
  )) {
    const text = `export fn probe(${inputs([a, b])}) = ${call(d, d.name.text === "average" ? ["a", "b"] : ["a", "b", "a"].slice(0, Math.max(2, d.params.filter((p) => isTensor(p) && !p.default).length)))}`;
    const first = followed(text);
    if (first === "compiles") continue;
    const { diagnostic } = first ?? { diagnostic: analyse(text).diagnostics[0]! };
    expect(diagnostic.message, text).toMatch(/wants .* but receives /);
    // shapes that no stretching joins have no hint to write
    const sizes = (o: Operand): string[] => o.type?.match(/\[(.*)\]/)?.[1]?.split(", ") ?? [];
    const [p, q] = [sizes(a), sizes(b)];
    const joined = (x: string[], y: string[]): boolean =>
      x.every((n, i) => n === y[i] || n === "1") || x.every((n, i) => n === y[y.length - x.length + i] || n === "1");
    if (p.length >= q.length ? joined(q, p) : p.every((n, i) => n === q[i])) follow(text);
  }
});
const regression = (out: string, field: string, value: string, use: string): string => `data d {
  rows: 40
  field x: f32[2] = uniform(-1, 1)[2]
  field y: ${field} = ${value}
  holdout valid = 0.25
}
model net(x: f32[B, 2]) -> f32[${out}] = x |> Linear(${out.includes("1") ? "1" : "1) |> squeeze(-1"})
train fit on d(batch: 10) {
  minimize ${use} by sgd(lr: 0.1)
  metric off = ${use}
  epochs: 1
}
`;
describe.each(["mse", "l1", "huber", "bce_with_logits", "mae", "rmse"])("regression by %s of one column", (loss) => {
  const fields = [
    ["f32", "sum(x)"],
    ["f32[1]", "sum(x, keep: true, axis: 0)"],
    ["i32 in 0..2", "i32(sum(x) > 0)"],
    ["bool", "sum(x) > 0"],
  ] as const;
  test.each(pairs(["B, 1", "B"], fields).map(([out, [field, value]]) => ({ out, field, value })))(
    "net -> f32[$out], y: $field",
    ({ out, field, value }) => {
      for (const args of ["net(x), y", "y, net(x)"]) {
        const text = regression(out, field, value, `${loss}(${args})`).replace(/ {2}metric.*\n/, "");
        const { hints } = follow(text);
        const same = field === (out === "B" ? "f32" : "f32[1]");
        expect(hints, text).toBe(same ? 0 : field.startsWith("f32") ? 1 : out === "B" ? 1 : 2);
      }
    },
  );
});
test("mse of a column and a row is the mean over the rows, not over all pairs", async () => {
  const text = "export fn f(p: f32[B, 1], y: f32[B]) -> f32 = mse(p, y)\n";
  const fixed = follow(text).text;
  expect(fixed).toContain("mse(p, unsqueeze(y, -1))");
  await expectValues(fixed, { p: [[1], [2], [4]], y: [1, 3, 2] }, (0 + 1 + 4) / 3);
  // an operator says so too
  expect(analyse("export fn f(p: f32[B, 1], y: f32[B]) = mean((p - y)^2)").diagnostics[0]!.hint).toBe(
    "write unsqueeze(y, -1) for one value a row",
  );
});
test("weights of a loss do not spread it either", async () => {
  const text = (loss: string, w: string): string =>
    `export fn f(p: f32[3], y: f32[3], w: f32[${w}]) -> f32 = ${loss}\n`;
  for (const loss of ["bce(p, y, weight: w)", "bce_with_logits(p, y, positive: w)"]) {
    expect(analyse(text(loss, "3"), { name: "ranks.dlm" }).diagnostics).toEqual([]);
    expect(analyse(text(loss, "1"), { name: "ranks.dlm" }).diagnostics).toEqual([]);
    expect(analyse(text(loss, "3, 3"), { name: "ranks.dlm" }).diagnostics.map((d) => d.message)).toEqual([
      "shapes do not fit: l wants f32[3] but receives f32[3, 3]",
    ]);
  }
  const [p, y, w] = [
    [0.2, 0.5, 0.9],
    [0, 1, 1],
    [1, 2, 3],
  ];
  await expectValues(
    text("bce(p, y, weight: w)", "3"),
    { p, y, w },
    -(Math.log(0.8) + 2 * Math.log(0.5) + 3 * Math.log(0.9)) / 3,
  );
});
test("a number is wanted, a row is given", () => {
  expect(analyse("export fn f(p: f32[3], y: f32[3], d: f32[1]) = huber(p, y, delta: d)").diagnostics[0]!.hint).toBe(
    "write squeeze(d, -1)",
  );
  expect(follow("export fn f(p: f32[3], y: f32[3], d: f32[1]) = huber(p, y, delta: d)").hints).toBe(1);
  expect(follow("export fn f(p: f32[3], y: f32[3], d: f32[2]) = huber(p, y, delta: d)").hints).toBe(1);
});
test("elements and numbers are reduced as tensors of rank 0 are", async () => {
  await expectValues(
    "export fn f(x: f32[3]) = (for j: any(x[j] > 0), for j: argmax(x[j]), for j: mean(x[j] > 0), for j: logsumexp(i32(x[j])))",
    { x: [1, -2, 3] },
    [1, 0, 1, 0, 0, 0, 1, 0, 1, 1, -2, 3],
  );
  await expectValues(
    "export fn f(x: i32[3] in 0..9) = logsumexp(x)",
    { x: [1, 2, 3] },
    Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3)),
  );
});
