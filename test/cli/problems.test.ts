// What is wrong is said in words: `dlm: ...` or a diagnostic, status 1 (2 for the command line itself), never a stack trace, nothing left behind.
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { events, program } from "./program.ts";

const { folder, dlm, put, bytes } = program();
const examples = join(import.meta.dirname, "../../examples");
beforeAll(async () => {
  mkdirSync(join(folder, "data"));
  mkdirSync(join(folder, "folder"));
  cpSync(join(examples, "iris.dlm"), join(folder, "iris.dlm"));
  cpSync(join(examples, "data/iris.csv"), join(folder, "data/iris.csv"));
  put("file", "");
  put("junk.safetensors", "junk.");
  put(
    "other.dlm",
    `model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit { minimize mean(net(ones[3, 2])^2) by sgd(lr: 0.1)
  steps: 2 }
export fn f(x: f32[B, 2]) -> f32[B, 1] = net(x)`,
  );
  put("wrong.dlm", `export fn f(x: f32[B, 2]) -> f32[B, 3] = x`);
  put(
    "cell.dlm",
    `data d {
  field x: f32[1] = csv("cell.csv", columns: 0..1) }
model net(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: 2) { minimize mean(net(x)^2) by sgd(lr: 0.1)
  epochs: 1 }`,
  );
  put("cell.csv", "1\n2\nthree\n4\n");
  put(
    "large.dlm",
    `model net(x: f32[B, 40000]) -> f32[B, 40000] = x |> Linear(40000)
export fn f(x: f32[B, 40000]) -> f32[B, 40000] = net(x)`,
  );
  put(
    "wild.dlm",
    `model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit { minimize mean(net(ones[3, 2])^2) by sgd(lr: 1000000.0)
  steps: 100 }`,
  );
  await dlm(["train", "other.dlm", "--save", "other.safetensors"]);
  put("cut.safetensors", bytes("other.safetensors").subarray(0, 300));
}, 300_000);

const usage: readonly (readonly [args: string, text: string])[] = [
  ["serve m.dlm --port 99999", "It is a whole number, 0 to 65535"],
  ["train", "dlm: missing required argument 'model'"],
  ["trian iris.dlm", "Did you mean train?"],
  ["train iris.dlm --epoch 3", "Did you mean --epochs?"],
  ["train iris.dlm --epochs many", "argument 'many' is invalid. It is a whole number, 1 or more."],
  ["train iris.dlm --steps 0", "It is a whole number, 1 or more."],
  ["train iris.dlm --seed 1.5", "It is a whole number."],
  ["train iris.dlm --set lr", "It is written name=value, as --set lr=3e-4."],
  ["gradcheck iris.dlm --tolerance -3", "It is a number above 0."],
  ["eval iris.dlm", "required option '--weights <file>' not specified"],
  ["inspect iris.dlm", "give --stage NAME, of ast, program, forward"],
  [
    "train iris.dlm --set epoch=3",
    "dlm: there is no constant or setting `epoch` to set from outside; known constant or settings: epochs, steps, accumulate, batch; did you mean `epochs`?\n",
  ],
  ["train iris.dlm --set epochs=many", "epochs must be a whole number, 1 or more; it is set to many from outside"],
  ["train iris.dlm --train fi", "dlm: iris.dlm has no train block fi; it has fit; did you mean fit?\n"],
  ["train iris.dlm --device nonsense", 'dlm: no "nonsense" device was found:\n'],
  ["run other.dlm g --weights other.safetensors", "dlm: other.dlm exports no function g; there is f\n"],
  ["run other.dlm f --input y=1", "dlm: f has no input y: f(x: f32[B, 2]) -> f32[B, 1]\n"],
  [
    "run other.dlm f --input x",
    "dlm: --input x: it is written name=FILE or name=value: f(x: f32[B, 2]) -> f32[B, 1]\n",
  ],
  [
    "run other.dlm f --input x=[[1,2]] --output y.txt",
    "dlm: --output y.txt: the name ends with .npy, .json, .csv, .safetensors\n",
  ],
  [
    "compile iris.dlm -o new --target none",
    "dlm: there is no target none; there are software, discrete, integrated, lavapipe, swiftshader\n",
  ],
  ["inspect iris.dlm --stage fussed", "did you mean fused?\n"],
  ["inspect iris.dlm --stage simplified --only fit.stop", "did you mean fit.step?\n"],
  ["inspect iris.dlm --stage wgsl --dot", "dlm: --dot draws graphs: --stage forward, backward or simplified\n"],
  ["explain DLM9", "dlm: there is no diagnostic DLM9; `npx dlm explain` lists them\n"],
];
const faults: readonly (readonly [args: string, text: string])[] = [
  ["train nothing.dlm", "dlm: cannot read nothing.dlm: there is no such file\n"],
  ["check folder", "dlm: cannot read folder: it is a folder\n"],
  ["check file/x.dlm", "dlm: cannot read file/x.dlm: a part of the path is not a folder\n"],
  ["check wrong.dlm", "wrong.dlm:1:42  DLM"],
  ["check junk.safetensors", "junk.safetensors:1:"],
  ["train iris.dlm --data nowhere", "dlm: --data nowhere: there is no such folder\n"],
  ["train iris.dlm --save folder", "dlm: cannot write folder: it is a folder\n"],
  [
    "train iris.dlm --save file/x.safetensors",
    "dlm: cannot write file/x.safetensors: a part of the path is not a folder\n",
  ],
  ["train iris.dlm --resume none.safetensors", "dlm: cannot read none.safetensors: there is no such file\n"],
  [
    "train cell.dlm",
    'dlm: cell.csv, line 3, column 0: "three" is no number, in the field d.x = csv("cell.csv") (cell.dlm:2)\n',
  ],
  [
    "train folder/../iris.dlm --data folder --resume cut.safetensors",
    "dlm: cut.safetensors: this is no sound safetensors file",
  ],
  [
    "train iris.dlm --resume junk.safetensors",
    "dlm: junk.safetensors: this is no sound safetensors file: it has 5 bytes\n",
  ],
  [
    "train iris.dlm --resume other.safetensors",
    "dlm: other.safetensors: this checkpoint cannot be resumed from: it lacks net.linear2.w",
  ],
  ["train wild.dlm --no-save", "dlm: the loss of fit is "],
  ["eval iris.dlm --weights cut.safetensors", "dlm: cut.safetensors: this is no sound safetensors file"],
  [
    "eval other.dlm --weights other.safetensors",
    "dlm: fit trains without data, so there is nothing to measure it on\n",
  ],
  [
    "eval iris.dlm --weights other.safetensors --split test",
    "dlm: other.safetensors: the file lacks net.linear2.w, net.linear2.b; ",
  ],
  ["run other.dlm f --input x=none.npy", "dlm: cannot read the input x from none.npy: there is no such file\n"],
  ["run other.dlm f --input x=cell.csv", "dlm: cell.csv, line 1 has 1 cell, and a row of the input x takes 2\n"],
  ["run other.dlm f --input x=[[1,2", "dlm: [[1,2 is no list of numbers\n"],
  ["run other.dlm f --input x=[[1,2],[3]]", "dlm: f, input x: the rows of a nested array differ in length: 2 and 1\n"],
  ["run other.dlm f", "dlm: f lacks its input x: f(x: f32[B, 2])\n"],
  [
    "run large.dlm f --input x=[[1]]",
    "dlm: net.linear.w takes 5.96 GB (large.dlm:1, std/layer.dlm:7): this device allows ",
  ],
  ["compile iris.dlm -o file", "dlm: cannot write to file: a part of the path is not a folder\n"],
];

/** Two at a time: each takes a core. */
async function eachOf(cases: typeof faults, status: number): Promise<void> {
  const queue = [...cases];
  const wrong: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [args, text] = next;
      const outcome = await dlm(args.split(" "));
      if (outcome.status !== status || !outcome.err.includes(text) || /^ +at .*[:(]|internal error/m.test(outcome.err))
        wrong.push({ args, text, ...outcome });
    }
  };
  await Promise.all([worker(), worker()]);
  expect(wrong).toEqual([]);
}
test("the command line itself", { timeout: 300_000 }, () => eachOf(usage, 2));
test("files, texts, data, devices, weights, names", { timeout: 300_000 }, async () => {
  const before = readdirSync(folder);
  await eachOf(faults, 1);
  expect(readdirSync(folder)).toEqual(before);
});

test("with --json a fault is an event too", async () => {
  const { status, out, err } = await dlm(["train", "cell.dlm", "--json"]);
  expect(status).toBe(1);
  expect(events(out).at(-1)).toEqual({ kind: "error", status: 1, message: err.slice("dlm: ".length).trimEnd() });
});
test.each([
  [["train", "nothing.dlm"], 1, "cannot read nothing.dlm: there is no such file"],
  [["train", "wrong.dlm"], 1, "wrong.dlm has 1 error"],
  [["train", "wild.dlm", "--no-save"], 1, "the loss of fit is "],
  [["train", "iris.dlm", "--epoch", "3"], 2, "unknown option '--epoch'"],
  [["train", "iris.dlm", "--epochs", "3", "--train", "fi"], 2, "iris.dlm has no train block fi"],
  [["train"], 2, "missing required argument 'model'"],
  [["run", "other.dlm", "g"], 2, "other.dlm exports no function g"],
  [["eval", "iris.dlm", "--weights", "none.safetensors"], 1, "cannot read the weights from none.safetensors"],
  [["compile", "iris.dlm", "-o", "file"], 1, "cannot write to file"],
] as const)("%j ends in an event", async (args, wanted, text) => {
  const { status, out } = await dlm([...args, "--json"]);
  expect(status).toBe(wanted);
  const last = events(out).at(-1)!;
  expect(last).toMatchObject({ kind: "error", status: wanted });
  expect(last["message"]).toContain(text);
});
test("with --json a text with errors is told as its diagnostics", async () => {
  const { out } = await dlm(["train", "wrong.dlm", "--json"]);
  expect(events(out).map((e) => e.kind)).toEqual(["diagnostic", "error"]);
});

test("a reader that goes away ends the program without noise", async () => {
  const { spawn } = await import("node:child_process");
  const { out } = await dlm(["--help"]);
  expect(out).toContain("Examples:");
  const bundle = join(import.meta.dirname, `../../node_modules/.cache/dlm-cli-test-${process.pid}/main.mjs`);
  const err = await new Promise<string>((resolve) => {
    const child = spawn(
      "sh",
      ["-c", `"${process.execPath}" "${bundle}" inspect iris.dlm --stage plan --json | head -c 10 >/dev/null`],
      { cwd: folder },
    );
    let text = "";
    child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
    child.on("close", () => resolve(text));
  });
  expect(err).toBe("");
});

test("a device that did nothing is closed in peace: the status is 1 and no signal's", async () => {
  for (let i = 0; i < 4; i++) {
    const { status, err } = await dlm([
      "run",
      "other.dlm",
      "f",
      "--weights",
      "other.safetensors",
      "--input",
      "x=[[1]]",
    ]);
    expect(err).toBe("dlm: f: x is f32[1, 1], and f32[B, 2] is wanted\n");
    expect(status).toBe(1);
  }
}, 300_000);
