// Imported files: their errors are told with their own names, their data may be trained on.
import { expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";
import { renderDiagnostics } from "../../grammar/render.ts";

const files: Readonly<Record<string, string>> = {
  "a.dlm": "fn twice(x: f32[...S]) -> f32[...S] = 2 * x\n",
  "b.dlm": "fn twice(x: f32[...S]) -> f32[...S] = x + x\n",
  "broken.dlm": "fn twice(x: f32[...S] = 2 * x\n",
  "nested.dlm": 'import "a.dlm"\nfn four(x: f32[...S]) -> f32[...S] = 4 * x\n',
  "lib/first.dlm": 'import "second.dlm"\nimport "../a.dlm"\nfn eight(x: f32[...S]) -> f32[...S] = twice(four(x))\n',
  "lib/second.dlm": 'import "../a.dlm"\nimport "first.dlm"\nfn four(x: f32[...S]) -> f32[...S] = twice(twice(x))\n',
  "outer.dlm": 'import "data.dlm"\nfn first() -> f32[2] = points.x[0]\n',
  "data.dlm": "data points {\n  rows: 10\n  field x: f32[2] = normal[2]\n}\n",
  "wrong.dlm": "fn twice(x: f32[B, 2]) -> f32[B, 3] = 2 * x\n",
};
const told = (text: string): string => renderDiagnostics(analyse(text, { imports: (path) => files[path] }).diagnostics);

test("names, data and shapes of imported files", () => {
  expect(told('import "a.dlm"\nexport fn f(x: f32[B]) = twice(x)\n')).toBe("");
  expect(
    told(
      'import "data.dlm"\nmodel m(x: f32[B, 2]) = x |> Linear(1)\ntrain t on points(batch: 2) {\n  minimize mean(m(x)) by sgd()\n  steps: 1\n}\n',
    ),
  ).toBe("");
  // a file's own declarations hide imported ones
  expect(told('import "a.dlm"\nfn twice(x: f32[B]) = x\nexport fn f(x: f32[B]) = twice(x)\n')).toBe("");
});
test("imports of imported files: paths from their folders, in circles, once", () => {
  expect(told('import "nested.dlm"\nexport fn f(x: f32[B]) = four(x)\n')).toBe("");
  expect(told('import "lib/first.dlm"\nexport fn f(x: f32[B]) = eight(x)\n')).toBe("");
  expect(
    told(
      'import "lib/first.dlm"\nimport "a.dlm"\nimport "lib/second.dlm"\nexport fn f(x: f32[B]) = eight(four(twice(x)))\n',
    ),
  ).toBe("");
  expect(told('import "outer.dlm"\nexport fn f() = first()\n')).toBe("");
  // what an imported file imports is not brought in
  expect(told('import "lib/first.dlm"\nexport fn f(x: f32[B]) = twice(x)\n')).toContain("there is no `twice` here");
});
test("faults are told with the file's own name", () => {
  expect(told('import "a.dlm"\nimport "b.dlm"\nexport fn f(x: f32[B]) = x\n')).toMatchInlineSnapshot(`
    "b.dlm:1:4  DLM2002  \`twice\` is bound twice
       1 | fn twice(x: f32[...S]) -> f32[...S] = x + x
         |    ^^^^^
        --> a.dlm:1
       1 | fn twice(x: f32[...S]) -> f32[...S] = 2 * x
         |    ^^^^^
         |    first here
       hint: give one of them another name
       see:  dlm explain DLM2002

    1 error"
  `);
  expect(told('import "broken.dlm"\nexport fn f(x: f32[B]) = x\n')).toMatchInlineSnapshot(`
    "broken.dlm:1:30  DLM1005  expected \`)\` before the end of the file
       1 | fn twice(x: f32[...S] = 2 * x
         |         ^                    ^
         |         opened here
       hint: add \`)\`
       see:  dlm explain DLM1005

    1 error"
  `);
  expect(told('import "wrong.dlm"\nexport fn f(x: f32[B, 2]) = twice(x)\n')).toMatchInlineSnapshot(`
    "wrong.dlm:1:39  DLM2003  shapes do not fit: the result of twice wants f32[B, 3] but receives f32[B, 2]
       1 | fn twice(x: f32[B, 2]) -> f32[B, 3] = 2 * x
         |                           ^^^^^^^^^   ^^^^^
         |                           |           f32[B, 2]
         |                           declared here
        --> model.dlm:2
       2 | export fn f(x: f32[B, 2]) = twice(x)
         |                             ^^^^^^^^
         |                             twice is applied here
       axis 1 must be 3, it is 2
       see:  dlm explain DLM2003

    1 error"
  `);
});
test("what is set from outside is checked", () => {
  const text = "const rate = 0.1\nexport fn f(x: f32[B]) = rate * x\n";
  expect(renderDiagnostics(analyse(text, { set: { rate: "0.5" } }).diagnostics)).toBe("");
  expect(renderDiagnostics(analyse(text, { set: { rat: "0.5" } }).diagnostics)).toContain(
    "there is no constant or setting `rat`",
  );
  const trained = `${text}model net() -> f32[] { param w: f32[] ~ ones\n  return w * rate }\ntrain fit { minimize net() by sgd(lr: 0.1)\n  steps: 3 }\n`;
  expect(analyse(trained, { set: { rate: 0.5, steps: 7 } }).program!.trains[0]!.steps).toBe(7);
  expect(renderDiagnostics(analyse(trained, { set: { rate: 0.5, steps: 1.5 } }).diagnostics)).toContain(
    "steps must be a whole number, 1 or more; it is set to 1.5 from outside",
  );
  expect(renderDiagnostics(analyse(text, { set: { rate: "fast" } }).diagnostics)).toContain(
    "rate must be a number; it is set to fast from outside",
  );
});
