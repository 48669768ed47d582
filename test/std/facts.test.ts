// Facts stand where declarations stand: in fixed sentences of their `##` comments. The compiler knows no declaration of the library by name.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import { namedFunctions } from "../../compiler/scalar/table.ts";
import { libraryDeclarations } from "../../compiler/std/declarations.ts";
import { calledElsewhere, commonChoices, factsOf } from "../../compiler/std/facts.ts";
import { libraryFiles } from "../../compiler/std/library.ts";

const found = (text: string): string[] =>
  analyse(text, { pedantic: true }).diagnostics.map((d) => `${d.code} ${d.message}; ${d.hint}`);

describe("names of other systems", () => {
  test.each([
    ["Dense", "Linear"],
    ["BCELoss", "bce"],
    ["CrossEntropyLoss", "cross_entropy"],
    ["swish", "silu"],
    ["xavier_uniform_", "glorot_uniform"],
    ["MaxPooling2D", "MaxPool2d"],
    ["one_hott", "one_hot"], // by its letters
  ])("%s is %s", (alias, name) => {
    expect(found(`export fn f(x: f32[4]) = ${alias}(x)`)).toEqual([
      `DLM2001 there is no \`${alias}\` here; did you mean \`${name}\`?`,
    ]);
  });
  test("of parameters", () => {
    const [only] = found("model m(x: f32[B, 4]) = x |> Linear(units: 8)\nexport fn f(x: f32[B, 4]) = m(x)");
    expect(only).toContain("did you mean `out`?");
  });
  test("what an input says, and what stands in place of an argument", () => {
    const layer = `## Twice. Its inputs say \`in_a\` and \`in_b\`. In place of \`act\` and \`fun\`: a function behind it.
layer Twice(out: int, *, k: int = 2)(a: f32[B, I], b: f32[B, J]) = concat([a, b], axis: 1) |> Linear(k * out)
model m(a: f32[B, 4], b: f32[B, 5]) = `;
    const hint = (call: string): string =>
      found(`${layer}${call}(a, b)\nexport fn f(a: f32[B, 4], b: f32[B, 5]) = m(a, b)`).join();
    expect(hint("Twice(4, 5, 3)")).toContain("the input says `in_a` and `in_b`: write Twice(3)");
    expect(hint("Twice(4, 5, 3, k: 2)")).toContain("write Twice(3, k: 2)");
    expect(hint("Twice(3, in_b: 5)")).toContain("the input says `in_b`: write Twice(3)");
    expect(hint("Twice(3, fun: relu)")).toContain("in place of `fun`: a function behind it");
    expect(hint("Twice(3, 5)")).toContain("write `k: 5`");
    expect(hint("Twice(3)")).not.toContain("write `");
  });
  test("of a file's own declarations", () => {
    const text =
      "## Twice x. Also called double and doubled.\nfn twice(x: f32[...S]) = 2 * x\nexport fn f(x: f32[4]) = ";
    expect(found(`${text}doubled(x)`)).toEqual(["DLM2001 there is no `doubled` here; did you mean `twice`?"]);
  });
  test("none is a name of the library itself, and each stands for what there is", () => {
    const names = new Set(libraryDeclarations.map((d) => d.name));
    const aliases = libraryFiles.flatMap(({ text }) =>
      [...text.matchAll(/(?:Also|is also) called ([\w, ]+)\./g)].flatMap((m) => m[1]!.split(/, | and /)),
    );
    expect(aliases.length).toBeGreaterThan(150);
    expect(aliases.filter((a) => names.has(a) || namedFunctions.has(a))).toEqual([]);
    expect(aliases.filter((a) => calledElsewhere(a, { name: "m.dlm", text: "" }).length === 0)).toEqual([]);
  });
});
describe("facts of a file's own declarations", () => {
  const data = "data d {\n  rows: 8\n  field x: f32[4] = normal[4]\n  field k: i32 in 0..3 = randint(0, 3)[]\n}\n";
  const train = (objective: string, by = "sgd(lr: 0.1)"): string =>
    `train fit on d(batch: 2) {\n  minimize ${objective} by ${by}\n  steps: 1\n}\n`;
  const own = `${data}## Takes logits.
fn my_loss(z: f32[B, 3], y: i32[B] in 0..3) = cross_entropy(z, y)
## As softmax. Gives probabilities.
fn my_softmax(x: f32[B, 3]) -> f32[B, 3] = softmax(x)
`;
  test("logits and probabilities", () => {
    const net = "model net(x: f32[B, 4]) -> f32[B, 3] = x |> Linear(3) |> my_softmax\n";
    expect(found(own + net + train("my_loss(net(x), k)"))).toEqual([
      "DLM2505 my_loss takes logits, but these went through my_softmax already; leave my_softmax out of the objective, and apply it in the export",
    ]);
    // a layer that says what it applies last
    const own2 = `## Applies \`f\` last.\nlayer Head(f: fn)(x: f32[B, 4]) -> f32[B, 3] = f(Linear(3)(x))\n`;
    const ended = "model net(x: f32[B, 4]) -> f32[B, 3] = x |> Head(my_softmax)\n";
    const [only, ...others] = found(own + own2 + ended + train("my_loss(net(x), k)"));
    expect(only).toContain("my_loss takes logits, but these went through my_softmax already");
    expect(others).toEqual([]);
    expect(found(own + own2.replace(/##.*\n/, "") + ended + train("my_loss(net(x), k)"))).toEqual([]);
    // another function of that name states nothing
    const plain = own.replace("## As softmax. Gives probabilities.\n", "");
    expect(found(plain + net + train("my_loss(net(x), k)"))).toEqual([]);
  });
  test("scalar functions state facts too", () => {
    const net = "model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1) |> sigmoid\n";
    expect(found(data + net + train("bce_with_logits(net(x), f32(unsqueeze(k, -1) > 0))"))[0]).toContain(
      "bce_with_logits takes logits, but these went through sigmoid already",
    );
  });
  test("scalar functions state where their slopes are steep, and the least that they give", () => {
    const net = "model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)\n";
    const own = data.replace(/ {2}field k.*\n/, "") + net;
    const steep = (name: string): string =>
      `DLM2506 \`${name}\` here has an unbounded slope where its operand is 0; add a small number: sqrt(x + 1e-9), log(x + 1e-9)`;
    for (const name of ["log", "log2", "log10", "sqrt"]) {
      expect(found(own + train(`mean(${name}(net(x)))`))).toEqual([steep(name)]);
      expect(found(own + train(`mean(${name}(exp(net(x))))`))).toEqual([]);
      expect(found(own + train(`mean(${name}(2 + sin(net(x))))`))).toEqual([]);
      expect(found(own + train(`mean(${name}(1 + sin(net(x))))`))).toEqual([steep(name)]);
    }
  });
  test("rates", () => {
    const net = "model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)\n";
    const optimizer =
      "## Slow. Usual rates: 1e-4 to 0.01.\noptimizer slow(speed: f32)(p: f32[...P], g: f32[...P]) = speed * g\n";
    const half = "## Its largest value is `a`.\nfn half_life(n: int, a: f32) -> f32 = a * 0.5^(step / n)\n";
    const by = (chain: string): string[] =>
      found(data.replace(/ {2}field k.*\n/, "") + optimizer + half + net + train("mean(net(x)^2)", chain));
    const large = ["DLM2510 a learning rate of 0.1 is above what slow mostly bears (0.01); try 0.001"];
    expect(by("slow(0.1)")).toEqual(large);
    expect(by("slow(speed: (0.1))")).toEqual(large);
    expect(by("slow(half_life(10, a: 0.1))")).toEqual(large);
    expect(by("slow(half_life(10, 0.1))")).toEqual(large);
    expect(by("slow(half_life(10, 0.01))")).toEqual([]);
    expect(by("slow(sqrt(0.1))")).toEqual([]); // nothing is known of it
  });
});
describe("sentences", () => {
  test("are read wherever they stand in a comment", () => {
    expect(factsOf("Twice x.\nMore is better. Usual rates: up to 1e-2.")).toMatchObject({
      better: "max",
      usualRate: 0.01,
    });
    expect(factsOf("Less is better. More is better.").better).toBeUndefined();
    expect(factsOf("It is said that less is better.").better).toBeUndefined();
    expect(factsOf("Bold claims. Takes logits.").has("takesLogits")).toBe(true);
    expect(factsOf(undefined).has("takesLogits")).toBe(false);
  });
  test("that recommend are right", () => {
    for (const kind of ["fn", "layer", "init", "optimizer"] as const) {
      const [first] = commonChoices(kind);
      expect(libraryDeclarations.map((d) => d.name)).toContain(/^\w+/.exec(first!)![0]);
    }
  });
});
test("no library declaration is named in compiler code", () => {
  const root = new URL("../../compiler/", import.meta.url);
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
    (f) => f.endsWith(".ts") && !/(^|\/)(explain|library|reference)\.ts$|^wgsl\//.test(f),
  );
  // words that mean something else in a compiler too
  const common = new Set(
    "reciprocal constant total each average var std norm last outer square trace roll ranks eye flatten exponential same nearest pad windows linear identity cosine solve sort dot valid middle quantile deviations rotate".split(
      " ",
    ),
  );
  const names = libraryDeclarations.map((d) => d.name).filter((n) => !common.has(n));
  // as a string, as a key, as something to write in a message; the names of rewrites are their own
  const named = new RegExp(`"(${names.join("|")})"|^\\s*(${names.join("|")}): |[\`" ](${names.join("|")})\\(`, "m");
  const offending = files.flatMap((f) =>
    readFileSync(new URL(f, root), "utf8")
      .split("\n")
      .map((line) => line.replace(/\/\/.*|^\s*\/?\*.*/, "")) // comments may name them
      .filter((line) => named.test(line) && !/\bname: "/.test(line))
      .map((line) => `${f}: ${line.trim()}`),
  );
  expect(offending).toEqual([]);
});
