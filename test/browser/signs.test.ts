// The signs of what goes wrong in a layer: each at its limit and just before it.
import { expect, test } from "vitest";
import { meanings, signsOf, watchedName, type Numbers, type Sign } from "../../playground/run/signs.ts";

const well: Numbers = { gradient: 0.1, weight: 5, value: 0.7, dead: 0.02, flat: 0.5 };
test.each<[string, Numbers, number, Sign[]]>([
  ["a layer that learns", well, 0.1, []],
  ["of units that die, a twentieth", { ...well, dead: 0.05 }, 0.1, ["dead units"]],
  ["nine tenths are flat", { ...well, flat: 0.9 }, 0.1, ["saturated"]],
  ["both", { ...well, dead: 1, flat: 1 }, 0.1, ["dead units", "saturated"]],
  ["a gradient that explodes", { ...well, gradient: 1000 }, 1000, ["exploding"]],
  ["a gradient just below", { ...well, gradient: 999 }, 1000, []],
  ["values that explode", { ...well, value: 1e4 }, 0.1, ["exploding"]],
  ["weights that explode", { ...well, weight: 1e4 }, 0.1, ["exploding"]],
  ["a gradient that vanishes beside another", { ...well, gradient: 1e-8 }, 0.1, ["vanishing"]],
  ["no gradient anywhere is a model that has learnt", { ...well, gradient: 0 }, 0, []],
  ["NaN, and nothing else then", { ...well, value: NaN, dead: 1 }, 0.1, ["not finite"]],
  ["infinite", { ...well, gradient: Infinity }, Infinity, ["not finite"]],
  ["an activation by itself", { value: 0.5, dead: 0.5, flat: 0.6 }, 0.1, ["dead units"]],
  ["a layer without one", { gradient: 0.1, weight: 1, value: 1 }, 0.1, []],
])("%s", (_, numbers, largest, signs) => {
  expect(signsOf(numbers, largest)).toEqual(signs);
  for (const sign of signs) expect(meanings[sign]).toBeTruthy();
});

test.each([
  ["gradient net.block.0.linear", { kind: "gradient", layer: "net.block.0.linear" }],
  ["flat net.relu2", { kind: "flat", layer: "net.relu2" }],
  ["acc", undefined],
  ["gradient", undefined],
  ["loss net", undefined],
])("%s is watched or a metric", (name, watched) => expect(watchedName(name)).toEqual(watched));
