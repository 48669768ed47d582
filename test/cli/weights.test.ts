// Weights beside a trainer: put there by `compile --weights` and by `train --out`, loaded by default, without the data and from any folder. Those of 16 bits are
// read, and said so. What an artifact tells of the folders that it was made in.
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { wayTo } from "../../compiler/cli/ways.ts";
import { readSafetensors, writeSafetensors, type StoredTensor } from "../../runtime/safetensors.ts";
import { events, program } from "./program.ts";

const { dlm, node, put, folder, bytes } = program();
mkdirSync(join(folder, "node_modules"));
symlinkSync(join(import.meta.dirname, "../../node_modules/webgpu"), join(folder, "node_modules/webgpu"));
const model = (width: number): string => `data d { field x: f32[2] = csv("rows.csv", columns: 0..2) }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(${width}, act: tanh) |> Linear(1)
train fit on d(batch: 4, seed: 1) { minimize mean((net(x) - 1)^2) by adam(lr: 1e-1)
  steps: 30 }
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)
`;
const use = `const { load, predict } = await import(process.env.TRAINER);
  const model = await load();
  const y = await predict(model, { x: [[1, 2], [-1, 0.5]] });
  console.log(JSON.stringify({ y: [...y.data], data: model.data, modules: model.cost.modules }));
  model.close();`;
const used = async (trainer: string): Promise<{ readonly y: readonly number[]; readonly modules: number }> => {
  const { out, err } = await node(["--input-type=module", "-e", use], { env: { TRAINER: trainer } });
  expect(err).toBe("");
  const said = JSON.parse(out) as { readonly y: readonly number[]; readonly data: object; readonly modules: number };
  expect(said.data).toEqual({});
  return said;
};

test("compile --weights, train --out: load() gives the trained model without its data", async () => {
  put("net.dlm", model(3));
  put("rows.csv", "1,2\n3,4\n0,1\n2,0\n");
  expect(await dlm(["train", "net.dlm", "--save", "run.safetensors", "--out", "both"])).toMatchObject({ status: 0 });
  const ran = await dlm([
    "run",
    "net.dlm",
    "predict",
    "--weights",
    "run.safetensors",
    "--input",
    "x=[[1,2],[-1,0.5]]",
    "--json",
  ]);
  const expected = (events(ran.out)[0]!["outputs"] as { predict: { values: number[][] } }).predict.values.flat();
  expect((await dlm(["compile", "net.dlm", "-o", "out", "--weights", "run.safetensors"])).out).toContain(
    "out/weights.safetensors",
  );
  rmSync(join(folder, "rows.csv"));
  for (const name of ["out", "both"]) {
    const { y, modules } = await used(join(folder, name, "trainer.mjs"));
    expect(y.map((v) => v.toFixed(5))).toEqual(expected.map((v) => v.toFixed(5)));
    expect(modules).toBeLessThanOrEqual(2);
  }
  // the program trains, as ever, and says what it lacks
  expect((await node(["out/trainer.mjs", "--steps", "2"])).err).toContain("rows.csv was not found");
  put("rows.csv", "1,2\n3,4\n0,1\n2,0\n");
  expect((await node(["out/trainer.mjs", "--steps", "2", "--out", "w", "--json"])).out).toContain('"step":2');
  rmSync(join(folder, "out/weights.safetensors"));
  const gone = await node(["--input-type=module", "-e", use], { env: { TRAINER: join(folder, "out/trainer.mjs") } });
  expect(gone.err).toMatch(/RuntimeProblem: cannot read .*weights\.safetensors: there is no such file/);
});
test("weights of another model are refused before anything is written", async () => {
  put("wide.dlm", model(5));
  const { status, err } = await dlm(["compile", "wide.dlm", "-o", "wide", "--weights", "run.safetensors"]);
  expect([status, err]).toEqual([
    1,
    "dlm: run.safetensors: net.linear.w is F32[2, 5] in this model and F32[2, 3] in the file\n",
  ]);
  put("text.safetensors", "no weights at all");
  expect((await dlm(["compile", "wide.dlm", "-o", "wide", "--weights", "text.safetensors"])).err).toMatch(
    /^dlm: text\.safetensors: this is no sound safetensors file: /,
  );
});
test("weights of 16 bits on the command line", async () => {
  const { tensors, metadata } = readSafetensors(bytes("run.safetensors"));
  const halved = ([name, t]: readonly [string, StoredTensor]): readonly [string, StoredTensor] => {
    if (t.dtype !== "F32") return [name, t];
    const words = new Uint32Array(t.bytes.slice().buffer);
    return [name, { ...t, dtype: "BF16", bytes: new Uint8Array(Uint16Array.from(words, (w) => w >>> 16).buffer) }];
  };
  put(
    "half.safetensors",
    writeSafetensors({ metadata: { ...metadata, kind: "weights" }, tensors: new Map([...tensors].map(halved)) }),
  );
  const args = ["run", "net.dlm", "predict", "--input", "x=[[1,2]]", "--weights", "half.safetensors"];
  const text = await dlm(args);
  expect([text.status, text.err]).toEqual([0, "half.safetensors: 4 tensors of BF16 were converted to f32\n"]);
  const said = events((await dlm([...args, "--json"])).out);
  expect(said[0]).toEqual({ kind: "converted", file: "half.safetensors", from: "BF16", tensors: 4 });
  expect(said[1]).toMatchObject({ kind: "result" });
  mkdirSync(join(folder, "halves"));
  expect((await dlm(["compile", "net.dlm", "-o", "halves", "--weights", "half.safetensors"])).status).toBe(0);
  expect((await used(join(folder, "halves/trainer.mjs"))).y).toHaveLength(2);
});

test("an artifact tells the way to its data within a project, and nothing of the author's folders", () => {
  const home = "/home/anna";
  expect(wayTo("/home/anna/net/out", "/home/anna/net/models", home)).toBe("../models/");
  expect(wayTo("/home/anna/net/out", "/home/anna/net", home)).toBe("../");
  expect(wayTo("/home/anna/out", "/home/anna", home)).toBe("../");
  expect(wayTo("/home/anna/net", "/home/anna/net", home)).toBe("./");
  expect(wayTo("/home/anna/net", "/home/anna/net/a b", home)).toBe("a%20b/");
  expect(wayTo("/home/anna/site/out", "/home/anna/secret/models", home)).toBeUndefined();
  expect(wayTo("/tmp/out", "/home/anna/net", home)).toBeUndefined();
  expect(wayTo("/home/out", "/home/anna/net", home)).toBeUndefined();
  expect(wayTo("/srv/out", "/data/net", "/root")).toBeUndefined();
  expect(wayTo("/srv/app/out", "/srv/app/net", "/root")).toBe("../net/");
});
