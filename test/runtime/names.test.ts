// Names that every object has are names as others, wherever a program gives values by name.
import { expect, test } from "vitest";
import { made, withModel } from "../model.ts";

const everyObjects = ["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__"];

test.each(everyObjects)("an export, its inputs and its defaults may be called %s", async (name) => {
  const text = `export fn ${name}(x: f32[N]) -> f32[N] = 2 * x
export fn needs(${name}: f32[N]) -> f32[N] = 2 * ${name}
export fn scaled(x: f32[N], ${name}: f32 = 3.0) -> f32[N] = ${name} * x`;
  await withModel(made(text), async (model) => {
    const named = async (of: string, inputs: [string, number | number[]][]): Promise<unknown> =>
      (await model.run(of, Object.fromEntries(inputs)))[of]?.data;
    expect(await named(name, [["x", [1, 2]]])).toEqual(Float32Array.of(2, 4));
    expect(await named("needs", [[name, [1, 2]]])).toEqual(Float32Array.of(2, 4));
    expect(await named("scaled", [["x", [1, 2]]])).toEqual(Float32Array.of(3, 6));
    expect(
      await named("scaled", [
        ["x", [1, 2]],
        [name, 2],
      ]),
    ).toEqual(Float32Array.of(2, 4));
    await expect(model.run("needs", {})).rejects.toThrow(`needs lacks its input ${name}`);
  });
});

test.each(everyObjects)("a field that the program feeds may be called %s", async (name) => {
  const model = made(`data d { field ${name}: f32 = host() }
train fit on d(batch: 1) { state s = 0.0\n next s = s + sum(${name})\n metric m = s\n steps: 2 }`);
  const trained = async (host: [string, number[]][]): Promise<unknown> =>
    withModel(model, async (loaded) => (await loaded.train("fit")).metrics, { host: Object.fromEntries(host) });
  expect(await trained([[name, [1, 2]]])).toEqual({ m: expect.any(Number) });
  await expect(trained([])).rejects.toThrow(/is fed by the program/);
});
