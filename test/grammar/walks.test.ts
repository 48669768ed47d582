// Walks over the syntax tree: every part once, in the order of the text, and what of it is an expression.
import { expect, test } from "vitest";
import { below, isExpression, isName, partsOf } from "../../grammar/ast.ts";
import { parse } from "../../grammar/parser.ts";

const text = `const a = [1, (2), -3 + x.y, "s", true, (4, 5), einsum(\`i j -> j i\`, w)[0, i, ...S] ?? 0]
fn f(x: f32[B, T <= 2, ...S] in 0..9) {
  let (p, q) = sum over i in 0..3: for j: if x then |v| v else stack k in 0..2 of g(k: k)
  let r = scan (s in x along 1; c = 0) { next c = c + s }
  return fold (i in 3; c = p) { next c = c }
}
`;
const { file, diagnostics } = parse({ name: "walks.dlm", text });
const parts = [...below(file)];

test("every kind of expression is one, and nothing else is", () => {
  expect(diagnostics).toEqual([]);
  const kinds = new Set(parts.filter(isExpression).map((e) => e.kind));
  const others = new Set(parts.flatMap((x) => (isExpression(x) || isName(x) ? [] : [x.kind ?? "none"])));
  expect([...kinds].sort()).toEqual(
    "binary boolean call fold for if index lambda list member name number paren pattern reduce scan stack string tuple unary".split(
      " ",
    ),
  );
  expect([...others].sort()).toEqual(
    "at binder block const dim fn let next none rest return spread tensor_type".split(" "),
  );
  const unfinished = [...below(parse({ name: "walks.dlm", text: "const a = 1 +" }).file)];
  expect(unfinished.some((x) => isExpression(x) && x.kind === "missing")).toBe(true);
});
test("parts come in the order of the text, and each stands within the one above", () => {
  for (const x of [file.items, ...parts]) {
    const inside = partsOf(x);
    const starts = inside.map((p) => p.span.start);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    if ("span" in x)
      for (const p of inside) expect(p.span.start >= x.span.start && p.span.end <= x.span.end).toBe(true);
  }
  expect(new Set(parts).size).toBe(parts.length);
});
