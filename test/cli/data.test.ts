// Data files that never end, unpack to too much, or are longer than a string: words and a status, in bounded time and memory. Through the command line.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { program } from "./program.ts";

const { dlm, folder, put } = program();
const model = (field: string): string => `data d { field x: ${field} }
model m(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: 2) { minimize mean(m(f32(x))^2) by sgd(lr: 0.1)
  steps: 2 }`;
const csv = (file: string): string => model(`f32[1] = csv("${file}", columns: 0..1)`);
const refused = async (text: string, ...more: string[]): Promise<string> => {
  put("m.dlm", text);
  const { status, out, err } = await dlm(["train", "m.dlm", "--no-save", ...more]);
  expect({ status, out }).toEqual({ status: 1, out: "" });
  return err;
};

test("pipes and devices are no data, models, weights or inputs", async () => {
  execFileSync("mkfifo", [join(folder, "pipe")]);
  const words = "it is a pipe or a device, and a regular file is wanted\n";
  expect(await refused(csv("pipe"))).toBe(`dlm: cannot read pipe, for the field d.x = csv("pipe") (m.dlm:1): ${words}`);
  expect(await refused(csv("/dev/zero"))).toContain(words);
  expect((await dlm(["check", "pipe"])).err).toContain(words);
  put("two.csv", "1\n2\n");
  put("m.dlm", csv("two.csv"));
  expect((await dlm(["train", "m.dlm", "--resume", "pipe"])).err).toContain(words);
  expect((await dlm(["eval", "m.dlm", "--weights", "pipe"])).err).toContain(words);
});

test("a file longer than --max-data, packed or not, is refused", async () => {
  put("long.csv", "1\n".repeat(1000));
  expect(await refused(csv("long.csv"), "--max-data", "1k")).toBe(
    'dlm: cannot read long.csv, for the field d.x = csv("long.csv") (m.dlm:1): it has 2,000 bytes, and the limit is 1,024\n',
  );
  put("bomb.csv.gz", gzipSync(Buffer.alloc(64 << 20, "1\n")));
  expect(await refused(csv("bomb.csv.gz"), "--max-data", "1M")).toBe(
    'dlm: bomb.csv.gz unpacks to more than the limit of 1,048,576 bytes, for the field d.x = csv("bomb.csv.gz") (m.dlm:1)\n',
  );
  expect((await dlm(["train", "m.dlm", "--max-data", "much"])).err).toContain(
    "It is a number of bytes, as 500M or 4G.",
  );
});

test("an array that unpacks to more than its header declares is not unpacked", async () => {
  const idx = Buffer.concat([Buffer.from([0, 0, 8, 2, 0, 0, 0, 5, 0, 0, 0, 1]), Buffer.alloc(64 << 20)]);
  put("more.idx.gz", gzipSync(idx));
  expect(await refused(model('f32[1] = idx("more.idx.gz")'))).toBe(
    'dlm: more.idx.gz unpacks to more than the 17 bytes that its header declares, for the field d.x = idx("more.idx.gz") (m.dlm:1)\n',
  );
});
