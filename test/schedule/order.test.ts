// What a loop's body loads comes before its sums, but for what waits for a sum or for another lane.
import { expect, test } from "vitest";
import {
  call,
  element,
  f32,
  i32,
  i32Number,
  name,
  numberLike,
  operation,
  u32Number,
  type Expr,
} from "../../compiler/kernel/expr.ts";
import type { Let, SetTo, Statement } from "../../compiler/kernel/ir.ts";
import { loadsFirst } from "../../compiler/lower/order.ts";

const f32Number = (x: number): Expr => numberLike(x, f32);

const value = (name: string, value: Expr, more: Partial<Let> = {}): Let => ({
  kind: "let",
  name,
  value,
  cost: "alu",
  pinned: false,
  ...more,
});
const loaded = (name: string, of: Expr, more: Partial<Let> = {}): Let => value(name, of, { cost: "load", ...more });
const sum = (target: string, value: Expr): SetTo => ({
  kind: "set",
  target: name(target, f32),
  operator: "+=",
  value,
  cost: "alu",
});
const names = (body: readonly Statement[]): string[] =>
  body.map((s) => (s.kind === "let" ? s.name : s.kind === "set" ? s.target.text : s.kind));
const x = (text: string): Expr => name(text, f32);
const k = name("k", i32);
const later = (n: number): Expr => operation("+", k, i32Number(n));
const at = (array: string, index: Expr): Expr => element(array, index, f32);

test("loads and their addresses move, in order; what is computed from them stays", () => {
  const body = [
    loaded("a_1", at("a", k)),
    sum("s", operation("*", x("a_1"), f32Number(2))),
    value("at", later(8), { cost: "integer" }),
    loaded("a_2", at("a", name("at", i32))),
    value("half", operation("*", x("a_2"), f32Number(0.5))),
    sum("s", x("half")),
    loaded("a_3", at("a", later(9))),
    sum("s", x("a_3")),
  ];
  const result = loadsFirst(body);
  expect(names(result)).toEqual(["a_1", "at", "a_2", "a_3", "s", "half", "s", "s"]);
  expect(result.filter((s) => s.kind === "let" && s.pinned).map((s) => (s as Let).name)).toEqual(["a_2", "a_3"]);
});
test("a load stays whose address waits for a sum or for another lane, and so does one of memory that is written", () => {
  const body = [
    sum("s", at("x", k)),
    loaded("a_1", at("a", call("i32", [x("s")], i32))),
    value("far", call("subgroupBroadcast", [name("p", i32), u32Number(3)], i32), { pinned: true }),
    loaded("a_2", at("a", name("far", i32))),
    loaded("a_3", at("y", k), { pinned: true }),
    sum("s", operation("+", operation("+", x("a_1"), x("a_2")), x("a_3"))),
  ];
  expect(loadsFirst(body)).toEqual(body);
});
test("nothing crosses a barrier, a store or a loop", () => {
  for (const between of [
    { kind: "barrier", memory: "workgroup" },
    { kind: "store", tensor: "y", at: k, value: x("s") },
    { kind: "for", variable: "i", from: i32Number(0), to: i32Number(4), step: i32Number(1), trips: 4, body: [] },
  ] satisfies Statement[]) {
    const body = [sum("s", at("x", k)), between, loaded("a_1", at("a", k)), sum("s", x("a_1"))];
    expect(loadsFirst(body)).toEqual(body);
  }
});
