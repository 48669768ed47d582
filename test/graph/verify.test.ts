// The verifier accepts what elaboration makes and refuses broken graphs by the name of the node.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { gradient } from "../../compiler/grad/grad.ts";
import { compute, constant, source } from "../../compiler/graph/node.ts";
import {
  add,
  axis,
  dim,
  iadd,
  integer,
  lessEqual,
  linear,
  load,
  mul,
  select,
  variable,
} from "../../compiler/graph/scalar.ts";
import type { Compute, GraphProgram, Integer, Node, Source } from "../../compiler/graph/types.ts";
import { verify } from "../../compiler/graph/verify.ts";
import { working } from "../../compiler/graph/compilation.ts";
import "./by-hand.ts";
import { programOf, programsOf } from "./programs.ts";

const folder = new URL("../../examples/", import.meta.url);
test.each(readdirSync(folder).filter((f) => f.endsWith(".dlm")))("%s is sound after elaboration", (name) => {
  for (const p of programsOf(programOf(readFileSync(new URL(name, folder), "utf8"), name))) verify(p);
});

const x = source({ role: "input", path: "x", shape: [4], dtype: "f32" });
const ids = source({ role: "input", path: "ids", shape: [3], dtype: "i32", range: { low: 0, high: 5 } });
const program = (node: Node, inputs: readonly Source[] = [x, ids]): GraphProgram => ({
  name: "p",
  inputs,
  dims: [],
  outputs: [{ name: "y", node }],
  updates: [],
});
const named = (body: Compute["body"], n = 4): Node => ({
  kind: "compute",
  shape: [n],
  dtype: body.dtype,
  body,
  id: -1,
  compilation: working(),
  scans: body.scans,
  label: "y",
});

test("ranges are proved by the guards around a load, and only by them", () => {
  const [i, k] = [variable(9, "i"), variable(4, "k")];
  verify(program(compute([i], { op: "sum", over: [k] }, select(lessEqual(i, k), load(x, [i]), 0))));
  verify(
    program(
      compute(
        [i],
        { op: "sum", over: [k] },
        select(
          lessEqual(
            linear([
              [i, 1],
              [k, 1],
            ]),
            3,
          ),
          mul(load(x, [iadd(i, k)]), load(x, [k])),
          0,
        ),
      ),
    ),
  );
  verify(program(compute([i], undefined, load(x, [i], 0))));
  expect(() => verify(program(compute([i], undefined, load(x, [i]))))).toThrow(
    /x\[a0\], which may be out of range: 3 >= a0 is not proved by any guard/,
  );
  expect(() => verify(program(compute([i], undefined, select(lessEqual(i, 4), load(x, [i]), 0))))).toThrow(
    /not proved by 4 >= a0/,
  );
  const j = variable(3, "j");
  expect(() => verify(program(compute([j], undefined, load(x, [load(ids, [j]) as never]))))).toThrow(/x\[ids\[a0\]\]/);
  // one way to the load is guarded, the other is not
  const l = load(x, [i]);
  expect(() => verify(program(compute([i], undefined, add(call(l), select(lessEqual(i, 3), l, 0)))))).toThrow(
    /out of range/,
  );
});
const call = (l: ReturnType<typeof load>): ReturnType<typeof load> => mul(l, l);

test("a pooling gradient keeps the guards that its index comparison needs", () => {
  const image = source({ role: "parameter", path: "image", shape: [5, 5], dtype: "f32" });
  const [i, j, r, s] = [variable(3), variable(3), variable(3), variable(3)];
  const pooled = compute([i, j], { op: "max", over: [r, s], ties: "first" }, load(image, [iadd(i, r), iadd(j, s)]));
  const [a, b] = [variable(3), variable(3)];
  const loss = compute([], { op: "sum", over: [a, b] }, mul(load(pooled, [a, b]), load(pooled, [a, b])));
  verify(program(gradient(loss, [image])[0]!, [image]));
});

test("structure", () => {
  const v = variable(4, "v");
  expect(() => verify(program(named(load(x, [v]))))).toThrow(/p: y has the fresh variable v/);
  const other = compute([variable(5)], undefined, mul(2, load(constant([1], [1]), [0]))) as Compute;
  expect(() => verify(program(compute([variable(4)], undefined, load(x, [v])))), "a free variable").toThrow(
    /fresh variable/,
  );
  verify(program(other));
  expect(() => verify(program(x, []))).toThrow(/x is read but no input of the program/);
  expect(() => verify(program(compute([variable(dim("B"))], undefined, load(x, [0]))))).toThrow(
    /has the axis B, which is no dim of the program/,
  );
  expect(() => verify({ ...program(x), updates: [{ target: x, value: x }] })).toThrow(
    /updates x, which is no parameter or state/,
  );
});

test("updates of some elements", () => {
  const table = source({ role: "parameter", path: "table", shape: [5, 2], dtype: "f32" });
  const [n, d] = [variable(3, "n"), variable(2, "d")];
  const value = compute([n, d], undefined, mul(2, load(table, [load(ids, [n]) as Integer, d], 0)));
  const row = load(ids, [axis(0, 3)]) as Integer;
  const written = (at: readonly Integer[]): GraphProgram => ({
    ...program(value, [table, ids]),
    outputs: [],
    updates: [{ target: table, value, at }],
  });
  const own = written([row, axis(1, 2)]);
  verify(own);
  expect(() => verify(written([row]))).toThrow(/goes to 1 indices of table/);
  expect(() => verify(written([row, integer(0)]))).toThrow(/has an axis that the places of its update do not mention/);
  expect(() => verify(written([iadd(row, axis(1, 2)), d]))).toThrow(/fresh variable/);
  const after = (at: readonly number[]): number[] => {
    const values = new Map([
      [table, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
      [ids, at],
    ]);
    return [...evaluate(own, values).updates.get(table)!];
  };
  expect(after([4, 0, 5])).toEqual([2, 4, 3, 4, 5, 6, 7, 8, 18, 20]);
  expect(() => after([1, 0, 1])).toThrow(/element 2 of table is written twice/);
});
