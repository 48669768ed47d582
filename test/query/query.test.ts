// Questions about a text, through the door: text and offset in, answers out.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { query, type Queries } from "../../compiler/query/query.ts";
import { position } from "../../grammar/diagnostic.ts";

const text = `data digits {
  field x: f32[64] = npy("x.npy")
  field y: i32 in 0..10 = npy("y.npy")
  rows: 1000
}
## Twice the slope below 0.
fn leaky(v: f32[...S]) -> f32[...S] = max(v, 0.5 * v)
layer Block(width: int)(x: f32[B, D]) -> f32[B, D] {
  let h = x |> Linear(width, act: leaky)
  return x + (h |> Linear(D))
}
model net(x: f32[B, 64]) -> f32[B, 10] =
  x |> Linear(32, act: relu)
    |> stack 2 of Block(16)
    |> Linear(10)
train fit on digits(batch: 8) {
  steps: 10
  let logits = net(x)
  let first = mean(logits)
  let second = mean(logits)
  minimize cross_entropy(logits, y) + 0 * (first + second) by adam(lr: 1e-3)
}
export fn predict(x: f32[B, 64]) -> f32[B, 10] = softmax(net(x))
`;
const asked = query(text, { name: "digits.dlm" });
/** The offset of the n-th `word`, and of a place in it. */
function at(word: string, n = 0, source = text): number {
  let found = -1;
  for (let i = 0; i <= n; i++) found = source.indexOf(word, found + 1);
  if (found < 0) throw new Error(`no ${word}`);
  return found;
}
const line = (q: { span: { file: { name: string; text: string }; start: number } } | undefined): string =>
  q ? `${q.span.file.name}:${position(q.span.file, q.span.start).line}` : "nowhere";

test("the text is right", () => expect(asked.diagnostics.map((d) => d.message)).toEqual([]));

test("types: of lets, parameters, fields, pipes, layers and functions", () => {
  const type = (word: string, n = 0): string | undefined => asked.typeAt(at(word, n))?.text;
  expect(type("logits")).toBe("f32[8, 10]");
  expect(type("net(x)")).toBe("net, the instance net");
  expect(type("y)", 1)).toBe("i32[8] in 0..10");
  expect(type("|> Linear(10)")).toBe("f32[8, 10]"); // what has come through the pipe so far
  expect(type("h = x")).toBe("f32[8, 16]");
  expect(type("softmax")).toBe("fn softmax(x: f32[...S], axis: int = -1) -> f32[...S]");
  expect(type("leaky)", 0)).toBe("fn leaky(v: f32[...S]) -> f32[...S]");
  expect(asked.typeAt(at("leaky)"))?.doc).toBe("Twice the slope below 0.");
  expect(asked.typeAt(at("1e-3"))?.value).toBe("0.001");
  expect(asked.typeAt(at("width: int"))?.value).toBe("16");
  expect(asked.typeAt(at("D]) -> f32[B, D]"))?.value).toBe("32");
  expect(type("x: f32[B, D]")).toBe("f32[8, 32]");
  expect(type("act:")).toBe("act: fn = |y| y"); // what the argument is for
});
test("types at iterators, carries, parameters, states and indices; a member's definition is its name", () => {
  const source = `layer Cell(hidden: int)(xs: f32[B, 5, I]) -> f32[B, 5, hidden] {
  param w: f32[I, hidden] ~ glorot_uniform()
  state seen = 0.0
  next seen = seen + 1
  return scan (v in xs along 1; h = zeros[B, hidden]) {
    next h = tanh(v @ w + h)
    yield h
  }
}
model net(xs: f32[B, 5, 3]) -> f32[B, 5, 2] = xs |> Cell(2)
export fn f(xs: f32[4, 5, 3]) -> f32[4, 5, 2] = net(xs)
export fn g(xs: f32[4, 5, 3]) -> f32[4, 3] = for row, i: sum over step: xs[row, step, i]
export fn w() -> f32[3, 2] = net.cell.w
`;
  const q = query(source, { name: "cell.dlm" });
  expect(q.diagnostics.map((d) => d.message)).toEqual([]);
  const type = (word: string): string | undefined => q.typeAt(at(word, 0, source))?.text;
  expect(type("v in xs")).toBe("f32[4, 3]");
  expect(type("h = zeros")).toBe("f32[4, 2]");
  expect(type("w: f32[I")).toBe("f32[3, 2]");
  expect(type("seen = 0.0")).toBe("f32");
  expect(q.typeAt(at("row, i", 0, source))?.value).toBe("0..4");
  expect(q.typeAt(at("step: xs", 0, source))?.value).toBe("0..5");
  const { span } = q.definitionAt(source.lastIndexOf("w"))!;
  expect(source.slice(span.start, span.end)).toBe("w");
  expect(span.start).toBe(at("w: f32[I", 0, source));
});
test("a place in several calls has a type in each, with the dims of its signature", () => {
  const x = asked.typeAt(at("x |> Linear(width"))!;
  expect(x.call).toBe("net.block.0");
  expect(x.text).toBe("f32[8, 32]");
  expect(x.shape).toEqual([
    { extent: 8, names: ["B"] },
    { extent: 32, names: ["D"] },
  ]);
  expect(x.others.map((o) => o.text)).toEqual(expect.arrayContaining(["f32[B, 32]"]));
});
test("a layer that nothing applies has the types of its own dims, also beside an error elsewhere", () => {
  const source = "layer Up(out: int)(x: f32[B, D]) {\n  let h = x |> Linear(out)\n  return h\n}\n";
  expect(query(source).typeAt(at("h =", 0, source))?.text).toBe("f32[B, out]");
  expect(query(`${source}fn f(x: f32[N]) = x + nothing\n`).typeAt(at("h =", 0, source))?.text).toBe("f32[B, out]");
});
test("the axes of `...S` of a function that nothing applies are `...S`, in what it calls too", () => {
  const source =
    "fn inner(y: f32[...T]) = y + 1\n" +
    "fn outer(x: f32[...S], w: f32[B, ...S, D]) {\n  let h = inner(x)\n  let wide = w * 2\n  return h * mean(x, axis: -1, keep: true) + sum(wide)\n}\n";
  const q = query(source);
  const type = (word: string, n = 0): string | undefined => q.typeAt(at(word, n, source))?.text;
  expect(q.diagnostics).toEqual([]);
  expect(type("x: f32")).toBe("f32[...S]");
  expect(type("h = inner")).toBe("f32[...S]");
  expect(type("x)")).toBe("f32[...S]");
  expect(type("w * 2")).toBe("f32[B, ...S, D]");
  expect(type("wide =")).toBe("f32[B, ...S, D]");
  expect(type("y + 1")).toBe("f32[...T]");
  expect(q.typeAt(at("w * 2", 0, source))?.shape).toEqual([
    { extent: "B", names: ["B"] },
    { extent: "...S", names: [] },
    { extent: "D", names: ["D"] },
  ]);
  const used = query(`${source}export fn f(a: f32[2, B]) = inner(a)\n`);
  expect(used.typeAt(at("y + 1", 0, source))?.text).toBe("f32[2, B]"); // applied: the axes that it is given
});
test("a model that nothing applies has types too, also beside an error elsewhere, and its own faults wait for that", () => {
  const source = "model net(x: f32[B, 4]) {\n  let h = x |> Linear(3)\n  return h\n}\n";
  expect(query(source).typeAt(at("h =", 0, source))?.text).toBe("f32[B, 3]");
  const beside = query(`${source}fn f(x: f32[N]) = x + nothing\n`);
  expect(beside.typeAt(at("h =", 0, source))?.text).toBe("f32[B, 3]");
  expect(beside.callTree().instances.map((i) => i.path)).toEqual(["net"]);
  const faulty = source.replace("return h", "return h + x");
  expect(query(faulty).diagnostics.map((d) => d.code)).toEqual(["DLM2004"]);
  const both = query(`${faulty}fn f(x: f32[N]) = x + nothing\n`);
  expect(both.diagnostics.map((d) => d.code)).toEqual(["DLM2001"]);
  expect(both.typeAt(at("h =", 0, faulty))?.text).toBe("f32[B, 3]");
});
test("two equal lets keep both names and both places", () => {
  const first = asked.typeAt(at("first"))!;
  const second = asked.typeAt(at("second"))!;
  expect(first.text).toBe("f32");
  expect(first.names.map((n) => `${n.name} ${line(n)}`)).toContain("second digits.dlm:20");
  expect(second.names.map((n) => `${n.name} ${line(n)}`)).toContain("first digits.dlm:19");
});
test("definitions: of lets, dims, parameters, arguments, declarations, the library and members", () => {
  const definition = (word: string, n = 0): string => {
    const d = asked.definitionAt(at(word, n));
    return d ? `${d.kind} ${line(d)}` : "nowhere";
  };
  expect(definition("logits", 1)).toBe("let digits.dlm:18");
  expect(definition("net", 1)).toBe("model digits.dlm:12");
  expect(definition("Block", 1)).toBe("layer digits.dlm:8");
  expect(definition("width,")).toBe("parameter digits.dlm:8");
  expect(definition("D))")).toBe("dim digits.dlm:8");
  expect(definition("S] =")).toBe("dim digits.dlm:7");
  expect(definition("x)")).toBe("field digits.dlm:2");
  expect(definition("Linear")).toMatch(/^layer std\/layer.dlm:/);
  expect(definition("act:")).toMatch(/^parameter std\/layer.dlm:/);
  expect(definition("digits(")).toBe("data digits.dlm:1");
  const q = query("model net(x: f32[B, 4]) = x |> Linear(2)\nexport fn f(x: f32[B, 4]) = net(x) + net.linear.b\n");
  const d = q.definitionAt(
    "model net(x: f32[B, 4]) = x |> Linear(2)\nexport fn f(x: f32[B, 4]) = net(x) + net.li".length,
  );
  expect(line(d)).toBe("model.dlm:1");
});
test("definitions: of what stands in types, brackets, lambdas, loops and settings", () => {
  const source =
    'data d {\n  field x: f32[4] = npy("x.npy")\n  holdout valid = 0.2\n  rows: 100\n}\n' +
    "fn hot(i: i32[B] in 0..n, n: int) = for b, k in 0..n: f32(i[b] == k)\n" +
    "fn same(x: f32[B, ...S]) = reshape[B, ...S](x)\n" +
    "fn run(x: f32[T]) = fold (v in x; c = 0.0) { next c = c + v }\n" +
    "fn each(x: f32[T]) = (|u| u + x)(1)\n" +
    "model net(x: f32[B, 4]) = x |> Linear(1)\n" +
    "train fit on d(batch: 4) {\n  epochs: 3\n  minimize mean(net(x)) by sgd(lr: 0.1)\n  metric acc = mean(net(x))\n" +
    "  stop: stalled(min: valid.acc, patience: 3)\n}\n";
  const q = query(source);
  const definition = (word: string, n = 0): string => {
    const d = q.definitionAt(at(word, n, source));
    return d ? `${d.kind} ${line(d)}` : "nowhere";
  };
  expect(q.diagnostics).toEqual([]);
  expect(definition("n, n: int")).toBe("parameter model.dlm:6");
  expect(definition("S](x)")).toBe("dim model.dlm:7");
  expect(definition("c + v")).toBe("carry model.dlm:8");
  expect(definition("v }")).toBe("iterator model.dlm:8");
  expect(definition("u + x")).toBe("parameter model.dlm:9");
  expect(definition("valid.acc")).toBe("holdout model.dlm:3");
  expect(definition("acc = ")).toBe("metric model.dlm:14");
});
test("references: of a let, a dim and a declaration, and of nothing else", () => {
  const lines = (word: string, n = 0): number[] =>
    asked.referencesTo(at(word, n)).map((s) => position(s.file, s.start).line);
  expect(lines("logits")).toEqual([18, 19, 20, 21]);
  expect(lines("D]")).toEqual([8, 8, 10]);
  expect(lines("net", 1)).toEqual([12, 18, 23]);
  expect(lines("x: f32[B, D]")).toEqual([8, 9, 10]);
  expect(lines("steps")).toEqual([]);
});
test("completions: what is visible, arguments, members", () => {
  const names = (q: Queries, offset: number): string[] => q.completionsAt(offset).map((c) => c.name);
  expect(names(asked, at("logits)") + 2)).toContain("logits");
  expect(names(asked, at("logits)") + 2)).not.toContain("h");
  const inBlock = names(asked, at("h |> Linear(D)") + 2);
  expect(inBlock).toEqual(expect.arrayContaining(["h", "x", "width", "D", "Block", "relu", "Linear"]));
  expect(inBlock).not.toContain("logits");
  expect(names(asked, at("1e-3") - 4)).toEqual(expect.arrayContaining(["lr", "b1"]));
  const unfinished = text.replace("softmax(net(x))", "softmax(net.");
  const members = query(unfinished).completionsAt(unfinished.length - 1);
  if (members.length) expect(members.map((m) => m.name)).toContain("linear");
});
test("a model that nothing applies has its layers and parameters", () => {
  const text = "fn use(x: f32[C, 3]) = net(x)\nmodel net(x: f32[B, 3]) = x |> Linear(4)\n";
  const { instances } = query(text).callTree();
  expect(instances.map((i) => [i.path, i.children.map((c) => c.parameters.map((p) => p.path))])).toEqual([
    ["net", [["net.linear.w", "net.linear.b"]]],
  ]);
});
test("the tree of calls and instances", () => {
  const tree = asked.callTree();
  const net = tree.instances.find((i) => i.path === "net")!;
  const paths = (i: (typeof tree.instances)[number]): string[] => [i.path, ...i.children.flatMap(paths)];
  expect(paths(net)).toEqual([
    "net",
    "net.linear",
    "net.block.0",
    "net.block.0.linear",
    "net.block.0.linear2",
    "net.block.1",
    "net.block.1.linear",
    "net.block.1.linear2",
    "net.linear2",
  ]);
  const linear = net.children.find((c) => c.path === "net.linear")!;
  expect(linear.layer).toBe("Linear");
  expect(linear.hyper.map((h) => `${h.name}: ${h.type.value ?? h.type.text}`)).toEqual([
    "out: 32",
    expect.stringMatching(/^act: fn relu/),
    "bias: true",
    "weights: a distribution",
    "biases: a distribution",
    "normalise: a function",
  ]);
  expect(linear.parameters).toEqual([
    { name: "w", path: "net.linear.w", shape: [64, 32] },
    { name: "b", path: "net.linear.b", shape: [32] },
  ]);
  const fit = tree.calls.find((c) => c.callee === "fit")!;
  const call = fit.calls.find((c) => c.path === "net")!;
  expect(call.inputs.map((i) => `${i.name}: ${i.type.text}`)).toEqual(["x: f32[8, 64]"]);
  expect(call.output?.text).toBe("f32[8, 10]");
  expect(call.calls.map((c) => `${c.callee} ${c.path}`)).toEqual([
    "Linear net.linear",
    "Block net.block.0",
    "Block net.block.1",
    "Linear net.linear2",
  ]);
});
test.each(["xor", "iris", "digits_cnn", "lstm_chars", "gpt_chars", "gan_ring"])("every name of %s is found", (name) => {
  const source = readFileSync(new URL(`../../examples/${name}.dlm`, import.meta.url), "utf8");
  const q = query(source, { name: `${name}.dlm` });
  const code = source.replace(/#.*|"[^"]*"|`[^`]*`/g, (x) => " ".repeat(x.length));
  const unknown: string[] = [];
  for (const { 0: word, index } of code.matchAll(/(?<![\w.])[A-Za-z_]\w*(?!\w|\s*:)/g)) {
    if (q.definitionAt(index) || q.typeAt(index)) continue;
    unknown.push(word);
  }
  // what is left: words of the language, dtypes, and settings
  const words = new Set(
    "data field holdout model layer fn init optimizer train on let minimize by wrt every metric export const if then else for in over sum mean max param state next return scan fold stack of along yield true false f32 i32 bool int dist stop save load best stalled from all drop step".split(
      " ",
    ),
  );
  expect([...new Set(unknown)].filter((w) => !words.has(w))).toEqual([]);
});
test("no offset of no text makes them throw", () => {
  const folder = new URL("../../examples/", import.meta.url);
  const sources = readdirSync(folder)
    .filter((f) => /^(xor|iris|linear_regression)\.dlm$/.test(f))
    .map((f) => readFileSync(new URL(f, folder), "utf8"));
  for (const source of [...sources, text, "", "  \n", "fn", "let x ="])
    for (const q of [
      query(source),
      query(source.slice(0, source.length * 0.7)),
      query(`${source}\nexport fn g(x: f32[B`),
    ])
      for (let offset = 0; offset <= source.length; offset += 7) {
        q.typeAt(offset);
        q.definitionAt(offset);
        q.referencesTo(offset);
        q.completionsAt(offset);
        q.callTree();
      }
}, 300_000);
test("a plain analysis keeps nothing", async () => {
  const { analyse } = await import("../../compiler/front.ts");
  expect(analyse(text).knowledge).toBe(undefined);
});
