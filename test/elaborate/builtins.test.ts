// Functions below the library: what a call may give, where one name has several meanings.
import { expect, test } from "vitest";
import { analyse } from "../../compiler/front.ts";

const told = (text: string): string[] =>
  analyse(text).diagnostics.map((d) => [d.code, d.message, ...(d.notes ?? [])].join(" | "));

// of two by position it is elementwise, and takes no axis
test.each([
  ["max(x, x)", []],
  ["min(x, 1)", []],
  ["max(x, axis: 0)", []],
  ["max(x, x, axis: 0)", ["DLM2001 | there is no argument `axis` of max"]],
  ["max(x, y: 1)", ["DLM2001 | there is no argument `y` of max | known arguments: axis, keep"]],
  ["min(x, 0, 1)", ["DLM2007 | min takes its axis by name"]],
  ["min()", ["DLM2007 | min needs 1 argument, 0 are given"]],
  ["sum(x, 0)", ["DLM2007 | sum takes its axis by name"]],
])("%s", (call, expected) => expect(told(`export fn f(x: f32[3]) = ${call}`)).toEqual(expected));

test.each(["zeros", "ones", "normal", "uniform"])(
  "%s: with a shape, and by its name alone where parameters begin",
  (name) => {
    expect(told(`export fn f(x: f32[3]) = x + ${name}[3]`)).toEqual([]);
    const layer = `layer L()(x: f32[B, D]) {\n  param a: f32[D] ~ ${name}\n  return x + a\n}\n`;
    expect(told(`${layer}model net(x: f32[B, 3]) = x |> L()\nexport fn f(x: f32[2, 3]) = net(x)`)).toEqual([]);
  },
);
