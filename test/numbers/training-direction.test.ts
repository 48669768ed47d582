// What `best` keeps and where `stalled` stops: the way that is written or declared, never one guessed from a name.
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { libraryDeclarations } from "../../compiler/std/declarations.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { errorsOf } from "./values.ts";

const file = (metric: string, settings: string, more = ""): string => `
data d {
  rows: 40
  field x: f32[2] = normal[2]
  field y: i32 in 0..2 = i32(sum(x) > 0)
  holdout valid = 0.25
}
${more}
model net(x: f32[B, 2]) -> f32[B, 2] = x |> Linear(2)
train fit on d(batch: 10, seed: 3) {
  let logits = net(x)
  minimize cross_entropy(logits, y) by sgd(lr: 0.5)
  ${metric}
  ${settings}
  epochs: 4
}`;
const modes = (text: string): (string | undefined)[] => {
  const { trains } = compile(text, { name: "test.dlm" }).program ?? { trains: [] };
  return [trains[0]?.stop?.mode, trains[0]?.save?.mode];
};
const both = (value: string): string => `stop: stalled(${value}, patience: 2)\n  save: best(${value}, "f")`;

describe("the way", () => {
  test.each([
    ["metric v = mean(logits)", "min: valid.v", "min"],
    ["metric v = mean(logits)", "max: valid.v", "max"],
    ["metric acc = accuracy(logits, y)", "min: valid.acc", "min"], // what is written goes before what is declared
    ["metric acc = accuracy(logits, y)", "valid.acc", "max"],
    ["metric loss_of_others = accuracy(logits, y)", "valid.loss_of_others", "max"], // no name says anything
    ["metric gain = (logits |> cross_entropy(y))", "valid.gain", "min"],
    ["metric nll = nll(log_softmax(logits), y)", "valid.nll", "min"],
    ["metric f1 = f1_macro(argmax(logits, axis: -1), y, 2)", "valid.f1", "max"],
    ["metric p = perplexity(logits, y)", "valid.p", "min"],
    ["metric v = mean(logits)", "valid.loss", "min"],
    ["metric v = mean(logits)", "max: valid.loss", "max"],
  ])("%s, %s", (metric, value, want) => expect(modes(file(metric, both(value)))).toEqual([want, want]));
  test("a function of the file says it too", () => {
    const own = (doc: string): string =>
      file("metric v = spread(logits)", both("valid.v"), `${doc}\nfn spread(z: f32[B, 2]) -> f32 = mean(abs(z))`);
    expect(modes(own("## Mean magnitude. More is better."))).toEqual(["max", "max"]);
    expect(modes(own("## Mean magnitude.\n## Less is better."))).toEqual(["min", "min"]);
    expect(errorsOf(own("## Mean magnitude, of which more is better."))).toEqual(["DLM2015", "DLM2015"]);
    expect(errorsOf(own("## Less is better. More is better."))).toEqual(["DLM2015", "DLM2015"]);
    expect(
      modes(
        file(
          "metric acc = accuracy(logits, y)",
          both("valid.acc"),
          "## Share of errors. Less is better.\nfn accuracy(z: f32[B, 2], y: i32[B] in 0..2) -> f32 = mean(argmax(z, axis: -1) != y)",
        ),
      ),
    ).toEqual(["min", "min"]);
  });
  test.each([
    "metric nll = mean(nll(log_softmax(logits), y))",
    "metric error = 1 - accuracy(logits, y)",
    "metric mae = mean(logits)",
    "metric acc = -accuracy(logits, y)",
    "metric off = [accuracy(logits, y)][0]",
    "metric v = cross_entropy(logits, y, reduce: |l, w| -sum(l))",
  ])("%s has none", (metric) => {
    const name = metric.split(" ")[1]!;
    expect(errorsOf(file(metric, both(`valid.${name}`)))).toEqual(["DLM2015", "DLM2015"]);
    expect(modes(file(metric, both(`min: valid.${name}`)))).toEqual(["min", "min"]);
  });
  test("wrong forms are errors: both ways, a tensor, no path", () => {
    const some = "metric table = confusion(argmax(logits, axis: -1), y, 2)";
    expect(errorsOf(file(some, "stop: stalled(min: valid.loss, max: valid.loss)"))).toEqual(["DLM2015"]);
    expect(errorsOf(file(some, "stop: stalled(min: valid.table)"))).toEqual(["DLM2018"]);
    expect(errorsOf(file(some, 'save: best("f", min: valid.table)'))).toEqual(["DLM2018"]);
    expect(errorsOf(file(some, "save: best(min: valid.loss)"))).toEqual(["DLM2015"]);
    expect(errorsOf(file(some, 'save: best(valid.loss, "f", "g")'))).toEqual(["DLM2015"]);
    expect(modes(file(some, 'save: best("f", min: valid.loss)'))).toEqual([undefined, "min"]);
  });
});
test("a metric that is a tensor cannot be read as a number in the block", () => {
  const text = (e: string): string =>
    file(`metric table = confusion(argmax(logits, axis: -1), y, 2)\n  metric n = ${e}`, "");
  expect(errorsOf(text("f32(valid.table)"))).toEqual(["DLM2018"]);
  expect(errorsOf(text("valid.loss + 1"))).toEqual([]);
});
test("what is kept is the least and the greatest of what was measured", async () => {
  const { device } = await testDevice();
  for (const mode of ["min", "max"] as const) {
    const { plan } = compile(
      file(
        "metric nll = mean(nll(log_softmax(logits), y))",
        `save: best(${mode}: valid.nll, "f")\n  stop: stalled(${mode}: valid.nll, patience: 2)\n  evaluate: 1`,
      ),
      { name: "test.dlm" },
    );
    const model = await load(plan!, { device, write: () => Promise.resolve() });
    const measured: number[] = [];
    const saved: (number | undefined)[] = [];
    const result = await model.train("fit", {
      onProgress: (e) => {
        if (e.kind === "evaluation" && e.split === "valid") measured.push(e.values["nll"] as number);
        if (e.kind === "saved") (saved.push(e.value), expect(e.mode).toBe(mode));
      },
    });
    model.close();
    const steps = measured.slice(0, result.step);
    const best = steps.filter((v, i) => steps.slice(0, i).every((w) => (mode === "min" ? v < w : v > w)));
    expect(saved).toEqual(best);
    expect(result.reason).toBe(mode === "min" ? "finished" : "stalled"); // the likelihood of this task falls at every step
    if (mode === "max") expect(result.step).toBe(3);
  }
});
test("the library says it of every metric that is a number, and of the losses", () => {
  const silent = libraryDeclarations
    .map((d) => d.item())
    .flatMap((i) =>
      i.kind === "fn" && /std\/(metric|loss)/.test(i.span.file.name) && !/(Less|More) is better\./.test(i.doc ?? "")
        ? [i.name.text]
        : [],
    );
  // reducers, penalties, parts of others, and tables
  const reducers = ["average", "total", "each", "batch_mean"];
  const penalties = ["l2", "l1_penalty", "elastic_net", "orthogonality", "activity_penalty", "sparsity"];
  const parts = [
    "clamp_log",
    "place_of",
    "shared_ranks",
    "share_explained",
    "macro_average",
    "micro_average",
    "weighted_average",
  ];
  const tables = ["confusion", "per_class", "positive_class", "class_counts"];
  expect(silent.sort()).toEqual([...reducers, ...penalties, ...parts, ...tables].sort());
});
