// The forms of a graph for other programs.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { toDot, toJson } from "../../compiler/graph/dump.ts";
import { printGraph } from "../../compiler/graph/print.ts";
import { programOf, programsOf } from "./programs.ts";

const small = programOf("export fn f(x: f32[B, 3], w: f32[3, 2]) -> f32[B] = sum(x @ w, axis: -1)").exports[0]!.program;
test("formulas, JSON and DOT agree on names", () => {
  expect(printGraph(small)).toMatchInlineSnapshot(`
    "input w: f32[3, 2]
    input x: f32[B, 3]
    %0[i, j]: f32[B, 2] = sum(k < 3) x[i, k] * w[k, j]
    %1[i]: f32[B] = sum(k < 2) %0[i, k]
    output f = %1
    "
  `);
  expect(toJson(small)).toMatchInlineSnapshot(`
    {
      "dims": [
        "B",
      ],
      "name": "f",
      "nodes": [
        {
          "dtype": "f32",
          "formula": "input w: f32[3, 2]",
          "inputs": [],
          "kind": "source",
          "name": "w",
          "role": "input",
          "shape": [
            3,
            2,
          ],
          "span": {
            "end": 38,
            "file": "model.dlm",
            "line": 1,
            "start": 26,
          },
        },
        {
          "dtype": "f32",
          "formula": "input x: f32[B, 3]",
          "inputs": [],
          "kind": "source",
          "name": "x",
          "role": "input",
          "shape": [
            "B",
            3,
          ],
          "span": {
            "end": 24,
            "file": "model.dlm",
            "line": 1,
            "start": 12,
          },
        },
        {
          "dtype": "f32",
          "formula": "%0[i, j]: f32[B, 2] = sum(k < 3) x[i, k] * w[k, j]",
          "inputs": [
            "w",
            "x",
          ],
          "kind": "compute",
          "name": "%0",
          "reduction": {
            "extents": [
              3,
            ],
            "op": "sum",
            "ties": "share",
          },
          "shape": [
            "B",
            2,
          ],
          "span": {
            "end": 61,
            "file": "model.dlm",
            "line": 1,
            "start": 56,
          },
        },
        {
          "dtype": "f32",
          "formula": "%1[i]: f32[B] = sum(k < 2) %0[i, k]",
          "inputs": [
            "%0",
          ],
          "kind": "compute",
          "name": "%1",
          "reduction": {
            "extents": [
              2,
            ],
            "op": "sum",
            "ties": "share",
          },
          "shape": [
            "B",
          ],
          "span": {
            "end": 72,
            "file": "model.dlm",
            "line": 1,
            "start": 52,
          },
        },
      ],
      "outputs": [
        {
          "name": "f",
          "node": "%1",
        },
      ],
      "scans": [],
      "updates": [],
    }
  `);
  expect(toDot(small)).toMatchInlineSnapshot(`
    "digraph {
      rankdir=TB;
      node [shape=box, fontname="monospace", fontsize=10];
      label="f";
      n0 [label="input w: f32[3, 2]", shape=oval];
      n1 [label="input x: f32[B, 3]", shape=oval];
      n2 [label="%0[i, j]: f32[B, 2] = sum(k < 3) x[i, k] * w[k, j]", style=filled, fillcolor=lightblue];
      n3 [label="%1[i]: f32[B] = sum(k < 2) %0[i, k]", style=filled, fillcolor=lightblue];
      n0 -> n2;
      n1 -> n2;
      n2 -> n3;
      o0 [label="f", shape=plaintext];
      n3 -> o0;
    }
    "
  `);
});
test("every node of a recurrent model is there, in clusters by loop", () => {
  const text = readFileSync(new URL("../../examples/lstm_chars.dlm", import.meta.url), "utf8");
  for (const p of programsOf(programOf(text))) {
    const json = toJson(p);
    const known = new Set(json.nodes.map((n) => n.name));
    expect(known.size).toBe(json.nodes.length);
    for (const n of json.nodes) for (const x of n.inputs) expect(known.has(x)).toBe(true);
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
    const dot = toDot(p);
    expect(dot.match(/^ *n\d+ \[/gm)?.length ?? 0).toBe(json.nodes.length);
    expect(dot.match(/subgraph/g)?.length ?? 0).toBe(json.scans.length);
  }
});
