// Whose work a kernel is: through differentiation, simplification and fusion its nodes keep the call that they were made in.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { position } from "../../grammar/diagnostic.ts";
import { compile } from "../../compiler/compile.ts";
import type { Place } from "../../compiler/graph/origin.ts";

const examples = join(import.meta.dirname, "../../examples");
const text = `model net(x: f32[B, 64]) -> f32[B, 10] =
  x |> Linear(32, act: relu)
    |> Linear(10)
data digits {
  field x: f32[64] = host()
  field y: i32 in 0..10 = host()
}
train fit on digits(batch: 8) {
  steps: 10
  let hidden = net(x)
  minimize cross_entropy(hidden, y) by adam(lr: 1e-3)
}
`;
const told = (p: Place): string => {
  const chain: string[] = [];
  for (let at = p.origin; at; at = at.parent) chain.push(at.callee);
  const line = p.origin && position(p.origin.span.file, p.origin.span.start).line;
  return `${p.isDerivative ? "gradient of " : ""}${p.origin?.path} ${chain.join(" < ")} at line ${line}`;
};
/** The calls whose nodes each kernel of the step computes. */
const kernels = compile(text, { name: "digits.dlm" })
  .programs.find((p) => p.name === "fit.step")!
  .kernels.steps.flatMap((s) => (s.kind === "kernel" ? [s.spec] : []))
  .map((k) => [...new Set((k.places ?? []).map(told))]);

test("each layer's forward and backward kernels are its own, at the user's line", () => {
  const all = new Set(kernels.flat());
  for (const line of [
    "net.linear Linear < net < fit at line 2",
    "net.linear2 Linear < net < fit at line 3",
    "gradient of net.linear Linear < net < fit at line 2",
    "gradient of net.linear2 Linear < net < fit at line 3",
  ])
    expect(all).toContain(line);
});
test("a function of the library knows the user's line that calls it", () => {
  const all = kernels.flat();
  expect(all).toContain("fit log_softmax < cross_entropy < fit at line 11");
  expect(all).toContain("gradient of fit log_softmax < cross_entropy < fit at line 11");
  expect(all).toContain("digits digits at line 4");
});
test("a kernel over all parameters is its optimizer's and names none of them", () => {
  const clipped = compile(text.replace("by adam", "by clip_norm(1) >> adam"), { name: "digits.dlm" });
  const specs = clipped.programs
    .find((p) => p.name === "fit.step")!
    .kernels.steps.flatMap((s) => (s.kind === "kernel" ? [s.spec] : []));
  const optimizers = specs.flatMap((s) => (s.places ?? []).filter((p) => p.origin?.kind === "optimizer"));
  expect(new Set(optimizers.map(told))).toEqual(
    new Set([
      "fit.minimize1.clip_norm clip_norm < fit at line 11",
      "fit.minimize1.adam adam < fit at line 11",
      "fit.minimize1 clip_norm >> adam < fit at line 11",
    ]),
  );
  expect(specs.map((s) => s.name)).toContain("fit_minimize1_clip_norm_optimizer");
});
test("kernels of what data makes are named after the data and the field", () => {
  const { plan } = compile(readFileSync(join(examples, "gan_ring.dlm"), "utf8"), { name: "gan_ring.dlm" });
  const names = plan!.modules.map((m) => m.name);
  expect(names).toContain("ring_x");
  expect(names.filter((name) => /^(x|k)(_\d+)?$/.test(name))).toEqual([]);
});
test.each(readdirSync(examples).filter((file) => file.endsWith(".dlm")))("every kernel of %s has a call", (file) => {
  const { programs } = compile(readFileSync(join(examples, file), "utf8"), { name: file });
  for (const p of programs)
    for (const step of p.kernels.steps) {
      if (step.kind !== "kernel") continue;
      const { name, comment, places } = step.spec;
      const [first, ...more] = comment();
      expect([first], `${p.name}: ${name}`).toEqual([expect.stringContaining(`${file}:`)]);
      for (const line of more) expect(line).toMatch(/^and \d+ more of this formula/); // a batch
      expect(places?.filter((x) => !x.origin) ?? [], `${p.name}: ${name}`).toEqual([]);
    }
});
test("two interleaved compilations do not see one another's calls", () => {
  const a = compile(text, { name: "a.dlm" });
  const b = compile("export fn f(x: f32[B]) = tanh(x)\n", { name: "b.dlm" });
  const paths = (r: typeof a): Set<string> =>
    new Set(
      r.programs.flatMap((p) =>
        p.kernels.steps.flatMap((s) => (s.kind === "kernel" ? (s.spec.places ?? []).map((x) => x.file.name) : [])),
      ),
    );
  expect(paths(a)).not.toContain("b.dlm");
  expect(paths(b)).not.toContain("a.dlm");
});
