// Pictures as rows: real png and jpeg files in real folders, through the command line's reader, and what is wrong with them told.
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "jpeg-js";
import { PNG } from "pngjs";
import { afterAll, expect, test } from "vitest";
import { dataFiles } from "../../compiler/cli/model.ts";
import { loadColumn } from "../../runtime/loaders.ts";
import type { PlanColumn } from "../../runtime/plan.ts";
import { made, withModel } from "../model.ts";

const folder = fs.mkdtempSync(join(tmpdir(), "dlm-pictures-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));
type Colour = readonly [number, number, number, number?];
function pixelsOf(width: number, height: number, at: (x: number, y: number) => Colour): Buffer {
  const data = Buffer.alloc(4 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [r, g, b, a = 255] = at(x, y);
      data.set([r, g, b, a], 4 * (y * width + x));
    }
  return data;
}
function put(path: string, bytes: Uint8Array): void {
  fs.mkdirSync(join(folder, path, ".."), { recursive: true });
  fs.writeFileSync(join(folder, path), bytes);
}
function png(path: string, width: number, height: number, at: (x: number, y: number) => Colour): void {
  const picture = new PNG({ width, height });
  picture.data = pixelsOf(width, height, at);
  put(path, PNG.sync.write(picture));
}
function jpeg(path: string, width: number, height: number, at: (x: number, y: number) => Colour): void {
  put(path, encode({ width, height, data: pixelsOf(width, height, at) }, 100).data);
}
const files = dataFiles({ path: "m.dlm", name: "m.dlm", folder, text: "" }, {});
async function read(loader: PlanColumn["loader"], shape: number[], more: Partial<PlanColumn> = {}): Promise<unknown> {
  const column: PlanColumn = { name: "d.x", loader, storage: "u8", shape, buffer: 0, place: "d.dlm:2", ...more };
  try {
    const { values, rows, classes } = await loadColumn(column, {
      ...files,
      host: {},
      files: new Map(),
      mostBytes: 1000,
    });
    return { values: [...values], rows, ...(classes ? { classes } : {}) };
  } catch (error) {
    return (error as Error).message;
  }
}

test("the files of a folder by their paths, classes by theirs; what is no picture is passed over", async () => {
  png("zoo/dog/a.png", 3, 2, (x, y) => [10 * x + y, 10 * x + y, 10 * x + y]);
  png("zoo/cat/deep/b.PNG", 3, 2, (x) => [255, 255, 255 * Number(x === 2)]);
  put("zoo/README", Buffer.from("no picture"));
  expect(await read({ kind: "images", path: "zoo" }, [2, 3])).toEqual({
    // yellow is 0.299 * 255 + 0.587 * 255 = 225.9 bright
    values: [226, 226, 255, 226, 226, 255, 0, 10, 20, 1, 11, 21],
    rows: 2,
  });
  expect(await read({ kind: "images", path: "zoo/cat/" }, [2, 3, 3])).toEqual({
    values: Array(2).fill([255, 255, 0, 255, 255, 0, 255, 255, 255]).flat(),
    rows: 1,
  });
  expect(await read({ kind: "image_class", path: "zoo" }, [], { storage: "i32" })).toEqual({
    values: [0, 1],
    rows: 2,
    classes: ["cat", "dog"],
  });
});
test("jpeg, and other sizes by the mean of what a pixel covers", async () => {
  jpeg("grey/1.jpg", 16, 16, () => [100, 100, 100]);
  jpeg("grey/2.jpeg", 16, 16, () => [200, 200, 200]);
  expect(await read({ kind: "images", path: "grey" }, [16, 16])).toEqual({
    values: [...Array(256).fill(100), ...Array(256).fill(200)],
    rows: 2,
  });
  png("steps/a.png", 3, 1, (x) => [30 * x, 30 * x, 30 * x]);
  // 0 30 60 in halves: (0 + 30 / 2) / 1.5 and (30 / 2 + 60) / 1.5
  expect(await read({ kind: "images", path: "steps", resize: true }, [2, 2])).toEqual({
    values: [10, 50, 10, 50],
    rows: 1,
  });
  expect(await read({ kind: "images", path: "steps", resize: true }, [1, 6])).toEqual({
    values: [0, 0, 30, 30, 60, 60],
    rows: 1,
  });
});
test("what is wrong is told with the file and the field", async () => {
  const field = 'the field d.x = images("bad") (d.dlm:2)';
  expect(await read({ kind: "images", path: "nowhere" }, [2, 2])).toContain(
    `cannot list nowhere, for the field d.x = images("nowhere")`,
  );
  put("bad/notes.txt", Buffer.from("x"));
  expect(await read({ kind: "images", path: "bad" }, [2, 2])).toBe(
    `bad has no files that end in .png, .jpg or .jpeg, for ${field}`,
  );
  png("bad/a.png", 3, 2, () => [1, 2, 3]);
  expect(await read({ kind: "images", path: "bad" }, [2, 2])).toBe(
    `bad/a.png is 3 by 2 pixels, and 2 by 2 are wanted (resize: true averages them), for ${field}`,
  );
  expect(await read({ kind: "image_class", path: "bad" }, [])).toContain(
    "bad/a.png lies in no folder that would be its class",
  );
  expect(await read({ kind: "images", path: "bad" }, [40, 40])).toContain(
    "1 pictures, 1,600 bytes, and the limit is 1,000",
  );
  const whole = fs.readFileSync(join(folder, "bad/a.png"));
  for (const length of [0, 10, 30, whole.length - 20]) {
    put("bad/a.png", whole.subarray(0, length));
    expect(await read({ kind: "images", path: "bad" }, [2, 3])).toMatch(
      /^bad\/a\.png is (no png or jpeg file|a damaged picture)/,
    );
  }
  const bomb = Buffer.from(whole);
  bomb.writeUInt32BE(60_000, 16);
  bomb.writeUInt32BE(60_000, 20);
  put("bad/a.png", bomb);
  expect(await read({ kind: "images", path: "bad", resize: true }, [2, 3])).toContain(
    "more than the limit of 67,108,864",
  );
  png("bad/a.png", 3, 2, (x) => [1, 2, 3, x ? 255 : 0]);
  expect(await read({ kind: "images", path: "bad" }, [2, 3])).toContain(
    "has transparent pixels: give the field 4 channels, [2, 3, 4]",
  );
  expect(await read({ kind: "images", path: "bad" }, [1, 1, 4])).toContain("is 3 by 2 pixels");
  expect(await read({ kind: "images", path: "bad" }, [2, 3, 4])).toMatchObject({ rows: 1 });
  expect(() => made(`data d { field x: f32[784] = images("zoo") }`)).toThrow(
    "gives [height, width] or [height, width, channels] a row",
  );
});
test("pictures train a model: bytes that a formula scales", async () => {
  for (let i = 0; i < 4; i++) {
    png(`marks/dark/${i}.png`, 4, 4, () => [i, i, i]);
    png(`marks/light/${i}.png`, 4, 4, () => [255 - i, 255 - i, 255 - i]);
  }
  const model = made(`
    data marks {
      field x: f32[4, 4] = images("marks") / 255
      field label: i32 in 0..2 = image_class("marks")
    }
    model net(x: f32[B, 4, 4]) -> f32[B, 2] = x |> flatten |> Linear(2)
    train fit on marks(batch: 4, seed: 1) {
      let z = net(x)
      minimize cross_entropy(z, label) by adam(lr: 0.1)
      metric acc = accuracy(z, label)
      steps: 40
    }`);
  await withModel(
    model,
    async (m) => {
      expect(m.data["marks"]).toMatchObject({ rows: 8, classes: { "marks.label": ["dark", "light"] } });
      await m.train();
      expect(await m.evaluate("fit", "train")).toMatchObject({ acc: 1 });
    },
    files,
  );
});
