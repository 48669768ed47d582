// What a loop's body loads comes before its sums, but for what waits for a sum or for another lane.
import { expect, test } from "vitest";
import { precedence, type Let, type SetTo, type Statement } from "../../compiler/lower/ir.ts";
import { loadsFirst } from "../../compiler/lower/order.ts";

const value = (name: string, code: string, more: Partial<Let> = {}): Let => ({
  kind: "let",
  name,
  type: { element: "f32", width: 1 },
  code,
  binding: precedence.atom,
  cost: "alu",
  pinned: false,
  ...more,
});
const loaded = (name: string, code: string, more: Partial<Let> = {}): Let =>
  value(name, code, { cost: "load", ...more });
const sum = (name: string, code: string): SetTo => ({ kind: "set", name, operator: "+=", code, cost: "alu", width: 1 });
const names = (body: readonly Statement[]): string[] =>
  body.map((s) => (s.kind === "let" || s.kind === "set" ? s.name : s.kind));

test("loads and their addresses move, in order; what is computed from them stays", () => {
  const body = [
    loaded("a_1", "a[k]"),
    sum("s", "a_1 * 2.0"),
    value("at", "k + 8", { cost: "integer" }),
    loaded("a_2", "a[at]"),
    value("half", "a_2 * 0.5"),
    sum("s", "half"),
    loaded("a_3", "a[k + 9]"),
    sum("s", "a_3"),
  ];
  const result = loadsFirst(body);
  expect(names(result)).toEqual(["a_1", "at", "a_2", "a_3", "s", "half", "s", "s"]);
  expect(result.filter((s) => s.kind === "let" && s.pinned).map((s) => (s as Let).name)).toEqual(["a_2", "a_3"]);
});
test("a load stays whose address waits for a sum or for another lane, and so does one of memory that is written", () => {
  const body = [
    sum("s", "x[k]"),
    loaded("a_1", "a[i32(s)]"),
    value("far", "subgroupBroadcast(p, 3u)", { pinned: true }),
    loaded("a_2", "a[far]"),
    loaded("a_3", "y[k]", { pinned: true }),
    sum("s", "a_1 + a_2 + a_3"),
  ];
  expect(loadsFirst(body)).toEqual(body);
});
test("nothing crosses a barrier, a store or a loop", () => {
  for (const between of [
    { kind: "line", code: "workgroupBarrier();", cost: "barrier", count: 1 },
    { kind: "store", tensor: "y", at: "k", code: "s", width: 1 },
    { kind: "for", variable: "i", from: "0", below: "4", step: 1, trips: 4, body: [] },
  ] satisfies Statement[]) {
    const body = [sum("s", "x[k]"), between, loaded("a_1", "a[k]"), sum("s", "a_1")];
    expect(loadsFirst(body)).toEqual(body);
  }
});
