// A model too large for a device: the largest batch that fits is told, and is right; where no batch fits, or what is too large does not grow with it, that.
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { program } from "./program.ts";

const { dlm, faulty, put } = program();
const model = (width: number, batch: number): string => `data d { rows: 64
  field x: f32[8] = uniform(-1, 1)[8] }
model net(x: f32[B, 8]) -> f32[B, 1] = x |> Linear(${width}, act: relu) |> Linear(${width}, act: relu) |> Linear(1)
train fit on d(batch: ${batch}) { minimize mean(net(x)^2) by sgd(lr: 0.1)
  steps: 2 }`;
const limited = (bytes: number): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--import ${pathToFileURL(faulty).href}`,
  DLM_LIMITS: JSON.stringify({ maxBufferSize: bytes, maxStorageBufferBindingSize: bytes }),
});
const train = (bytes: number, ...more: readonly string[]): ReturnType<typeof dlm> =>
  dlm(["train", "wide.dlm", "--no-save", ...more], { env: limited(bytes) });

test("the largest batch that fits", { timeout: 300_000 }, async () => {
  put("wide.dlm", model(256, 3000));
  const { status, err } = await train(2 ** 20);
  expect(status).toBe(1);
  const [, rows] =
    /: this device allows 1\.00 MB in one piece \(\w+\); --set batch=(\d+) fits, and no larger batch does\n$/.exec(
      err,
    ) ?? [];
  expect(Number(rows), err).toBeGreaterThan(100);
  expect((await train(2 ** 20, "--set", `batch=${rows}`)).status).toBe(0);
  const more = await train(2 ** 20, "--set", `batch=${Number(rows) + 1}`);
  expect([more.status, more.err]).toEqual([1, expect.stringContaining(`--set batch=${rows} fits`)]);
});
test("weights do not grow with the batch", async () => {
  put("wide.dlm", model(1024, 4));
  const { status, err } = await train(2 ** 20);
  expect(status).toBe(1);
  expect(err).toMatch(/: this device allows 1\.00 MB in one piece \(\w+\); make the model smaller\n$/);
});
test(
  "a budget of memory: what is kept falls to it, else the largest batch that fits is told",
  {
    timeout: 300_000,
  },
  async () => {
    put("wide.dlm", model(256, 600));
    const lossOf = async (...more: readonly string[]): Promise<string> => {
      const { status, out, err } = await dlm(["train", "wide.dlm", "--no-save", "--no-run", "--json", ...more]);
      expect([status, err]).toEqual([0, ""]);
      return /"loss":([\d.e+-]+)/.exec(out.split("\n").find((line) => line.includes('"kind":"done"'))!)![1]!;
    };
    expect(await lossOf("--memory", "3500k")).toBe(await lossOf());
    expect(await lossOf("--memory", "auto")).toBe(await lossOf());
    const checked = (...more: readonly string[]): ReturnType<typeof dlm> =>
      dlm(["check", "wide.dlm", "--memory", "2M", ...more]);
    const { status, err } = await checked();
    expect(status).toBe(1);
    const [, rows] = /hint: --set batch=(\d+) fits, and no larger batch does\n/.exec(err) ?? [];
    expect(Number(rows), err).toBeGreaterThan(50);
    expect((await checked("--set", `batch=${rows}`)).status).toBe(0);
    expect((await checked("--set", `batch=${Number(rows) + 1}`)).status).toBe(1);
    expect((await dlm(["check", "wide.dlm", "--memory", "100k"])).err).toContain("no batch is small enough");
    expect((await dlm(["check", "wide.dlm", "--memory", "much"])).status).toBe(2);
  },
);
