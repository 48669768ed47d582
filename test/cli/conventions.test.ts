// What every command keeps to: printed commands run as they are written, examples of the help work on the models that come with the package, completion
// knows every option, what is checked is checked again when it changes, an earlier run's file stays, weights know their rows.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { optimiserFlag } from "../../compiler/cli/optimiser.ts";
import { npyBytes } from "../../compiler/cli/values.ts";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { events, program, stepOf } from "./program.ts";

const { folder, dlm, main, put, bytes } = program();
const root = join(import.meta.dirname, "../..");
const examples = join(root, "examples");
const commands = [
  "train",
  "eval",
  "run",
  "compile",
  "serve",
  "inspect",
  "profile",
  "gradcheck",
  "check",
  "fmt",
  "explain",
  "doctor",
  "runs",
  "compare",
  "sweep",
  "init",
];
beforeAll(() => {
  mkdirSync(join(folder, "a folder"));
  mkdirSync(join(folder, "data"));
  cpSync(join(examples, "iris.dlm"), join(folder, "iris.dlm"));
  cpSync(join(examples, "data/iris.csv"), join(folder, "data/iris.csv"));
  cpSync(join(examples, "xor.dlm"), join(folder, "a folder/x or.dlm"));
});
/** A shell with `npx dlm` as the program under test. */
const shell = (
  text: string,
  cwd = folder,
): { readonly status: number | null; readonly out: string; readonly err: string } => {
  const run = `"${process.execPath}" "${main}"`;
  const env = { ...process.env, DLM_DEVICE: process.env["DLM_DEVICE"] || "embedded", npm_command: "exec" };
  const done = spawnSync(
    "bash",
    ["-c", text.replaceAll(/\bnpx dlm\b/g, run).replaceAll(/(?<=^|; )node(?= )/g, `"${process.execPath}"`)],
    {
      cwd,
      env,
      encoding: "utf8",
    },
  );
  return { status: done.status, out: done.stdout, err: done.stderr };
};

describe("commands that are printed", () => {
  test("take a model whose name begins with a dash for a file", async () => {
    cpSync(join(examples, "xor.dlm"), join(folder, "-x.dlm"));
    const { status, out, err } = await dlm(["train", "--steps", "4", "--", "-x.dlm"]);
    expect([status, err]).toEqual([0, ""]);
    expect(shell(/npx dlm eval .*/.exec(out)![0]).status).toBe(0);
    const paused = await dlm(["train", "--steps", "8", "--stop-after", "2", "--", "-x.dlm"]);
    expect(shell(/npx dlm train .*/.exec(paused.out + paused.err)![0])).toMatchObject({ status: 0, err: "" });
  }, 30_000);
  test("run as they are written: after training, and after a pause", async () => {
    const paused = await dlm([
      "train",
      "a folder/x or.dlm",
      "--steps",
      "40",
      "--stop-after",
      "20",
      "--save",
      "a folder/it's.safetensors",
    ]);
    const resume = /^ {2}(npx dlm train .* --resume .*)$/m.exec(paused.out)![1]!;
    expect(resume).toBe(
      `npx dlm train 'a folder/x or.dlm' --steps 40 --save 'a folder/it'\\''s.safetensors' --resume 'a folder/it'\\''s.safetensors'`,
    );
    const resumed = shell(resume);
    expect(resumed.status).toBe(0);
    const next = [...resumed.out.matchAll(/^ {2}(npx dlm .*)$/gm)].map((match) => match[1]!);
    expect(next).toHaveLength(2); // eval and run
    expect(shell(next[0]!)).toMatchObject({ status: 0 });
    expect(shell(next[1]!.replace("x=FILE", "'x=[[0,1]]'"))).toMatchObject({ status: 0 });
  }, 300_000);
  test("begin as dlm was started", async () => {
    const started = (env: Readonly<Record<string, string>>, script = main): string => {
      const { npm_command: _, ...rest } = process.env;
      void _;
      const done = spawnSync(process.execPath, [script, "--help"], {
        cwd: folder,
        env: { ...rest, ...env },
        encoding: "utf8",
      });
      return /^ {2}(.*) explain DLM2003/m.exec(done.stdout)![1]!;
    };
    expect(started({ npm_command: "exec" })).toBe("npx dlm");
    // a package of another project, found by a path: that is an installation for every folder
    expect(started({})).toBe("dlm");
  });
  test("a diagnostic says how to read on", async () => {
    put("wrong.dlm", "export fn f(x: f32[B, 2]) -> f32[B, 3] = x");
    expect((await dlm(["check", "wrong.dlm"])).err).toContain("see:  npx dlm explain DLM");
  });
});

describe("examples of the help", () => {
  const done = new Set<string>();
  test.each(["", ...commands])(
    "%s",
    async (name) => {
      const place = join(folder, "examples");
      mkdirSync(join(place, "node_modules"), { recursive: true });
      const { out } = await dlm([...(name ? [name] : []), "--help"], { cwd: "examples" });
      const shown = out.slice(out.indexOf("\nExamples:\n"));
      const lines = [...shown.matchAll(/^ {2}((?:npx dlm|node) .*?)(?: {2,}.*)?$/gm)].map((match) => match[1]!);
      expect(lines.length).toBeGreaterThan(1);
      if (!existsSync(join(place, "node_modules/webgpu")))
        symlinkSync(join(root, "node_modules/webgpu"), join(place, "node_modules/webgpu"));
      // some never end (test/cli/serve.test.ts ends them), another asks the registry
      for (const line of lines.filter((x) => !/ serve |--watch|--install/.test(x) && !done.has(x))) {
        done.add(line);
        // what takes longer does not become truer for it
        const short = line
          .replace(/(train \S*digits\.dlm)(?!.*--(epochs|stop-after|resume))/, "$1 --epochs 1")
          .replace("node out/trainer.mjs", `node out/trainer.mjs --epochs 1 --data '${join(root, "examples")}'`);
        const { status, err } = shell(short, place);
        expect(`${line}\n${status}\n${status ? err : ""}`).toBe(`${line}\n0\n`);
      }
    },
    300_000,
  );
});

test("completion has every command and option, and is sound for its shell", async () => {
  const [bash, help] = await Promise.all([dlm(["completion", "bash"]), dlm(["train", "--help"])]);
  writeFileSync(join(folder, "dlm.bash"), bash.out);
  const complete = (words: readonly string[]): string[] =>
    spawnSync(
      "bash",
      [
        "-c",
        `source ./dlm.bash; COMP_WORDS=(${words.map((w) => `'${w}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _dlm; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { cwd: folder, encoding: "utf8" },
    )
      .stdout.trim()
      .split("\n");
  const options = [...help.out.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map((m) => m[1]!);
  expect(complete(["dlm", "train", "--"]).sort()).toEqual([...new Set([...options, "--help"])].sort());
  expect(complete(["dlm", "ch"])).toEqual(["check"]);
  expect(complete(["dlm", "inspect", "iris.dlm", "--stage", "b"])).toEqual(["backward"]);
  expect(complete(["dlm", "explain", "DLM200"])).toContain("DLM2003");
  expect(complete(["dlm", "train", "iris.d"])).toEqual(["iris.dlm"]);
  expect(complete(["dlm", "train", "a fo"])).toEqual(["a folder"]);
  expect(complete(["dlm", "train", "iris.dlm", "--resume", "iris.d"])).toEqual(["iris.dlm"]);
  expect(complete(["dlm", "init", "ch"])).toEqual(["characters"]);
  expect(complete(["dlm", "fetch", "mn"])).toEqual(["mnist"]);
  expect(complete(["dlm", "sweep", "--mode", ""])).toEqual(["min", "max"]);
  for (const shellName of ["zsh", "fish"]) expect((await dlm(["completion", shellName])).out).toContain("train");
  expect(await dlm(["completion", "csh"])).toMatchObject({ status: 2 });
}, 300_000);

describe("check looks at data files", () => {
  const model = (field: string, extra = ""): string =>
    `data d {\n  field x: ${field}\n${extra}}\nmodel net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)\ntrain fit on d(batch: 2) { minimize mean(net(x)^2) by sgd(lr: 0.1)\n  epochs: 1 }`;
  const rows = (n: number, text: string): string => Array.from({ length: n }, () => text).join("\n") + "\n";
  const tensor = (shape: readonly number[]): Uint8Array =>
    npyBytes({ dtype: "f32", shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  const idx = (...shape: readonly number[]): Uint8Array => {
    const header = new Uint8Array(4 + 4 * shape.length);
    header.set([0, 0, 0x08, shape.length]);
    shape.forEach((n, d) => new DataView(header.buffer).setUint32(4 + 4 * d, n));
    return Buffer.concat([header, new Uint8Array(shape.reduce((a, b) => a * b, 1))]);
  };
  const long = 1 << 25; // bytes: more than is read whole
  type Case = readonly [file: string, field: string, content: () => string | Uint8Array, text: string];
  const wrong: readonly Case[] = [
    [
      "n.csv",
      'f32[2] = csv("n.csv", columns: 3..5)',
      () => rows(3, "1,2,3"),
      "n.csv has 3 columns, and column 3 (from 0)",
    ],
    ["m.csv", 'f32[2] = csv("m.csv", columns: ["a", "c"])', () => "a,b\n1,2\n", 'm.csv has no column "c"'],
    ["c.csv", 'f32[2] = csv("c.csv", columns: 0..2)', () => "1,2\n3,x\n", 'c.csv, line 2, column 1: "x" is no number'],
    [
      "e.csv",
      'f32[2] = csv("e.csv", columns: 0..2, header: true)',
      () => "a,b\n",
      "e.csv has no rows below its header",
    ],
    ["s.npy", 'f32[2] = npy("s.npy")', () => tensor([4, 3]), "s.npy holds 4 rows of shape [3]"],
    ["s.idx", 'f32[2] = idx("s.idx")', () => idx(5, 3), "s.idx holds 5 rows of shape [3]"],
    ["t.npy", 'f32[2] = npy("t.npy")', () => "text", "t.npy is no npy file that can be read"],
    ["l.csv", 'f32[2] = csv("l.csv", columns: 2..4)', () => rows(long / 4, "1,2"), "l.csv has 2 columns, and column 2"],
    [
      "l.npy",
      'f32[2] = npy("l.npy")',
      () => tensor([Math.floor(long / 12), 3]),
      "rows of shape [3], and the field d.x",
    ],
    ["l.idx", 'f32[2] = idx("l.idx")', () => idx(Math.floor(long / 3), 3), "rows of shape [3], and the field d.x"],
  ];
  const right: readonly Case[] = [
    ["g.csv", 'f32[2] = csv("g.csv", columns: 0..2)', () => rows(long / 4, "1,2"), ""],
    ["g.npy", 'f32[2] = npy("g.npy")', () => tensor([long / 8, 2]), ""],
    ["g.idx", 'f32[2] = idx("g.idx")', () => idx(long / 2, 2), ""],
  ];
  test("what does not fit is told with its field, for one model after the other", async () => {
    for (const [file, field, content] of wrong) {
      put(file, content());
      put(`${file}.dlm`, model(field));
    }
    const models = wrong.map(([file]) => `${file}.dlm`);
    const { status, err, out } = await dlm(["check", ...models]);
    const lines = err.trim().split("\n");
    expect(lines.map((line) => line.slice(0, line.indexOf(": ")))).toEqual(models);
    wrong.forEach(([, , , text], i) => expect(lines[i]).toContain(text));
    expect(out).toBe("");
    expect(status).toBe(1);
    const json = events((await dlm(["check", ...models, "--json"])).out);
    expect(json.filter((e) => e.kind === "data")).toHaveLength(wrong.length);
    expect(json.filter((e) => e.kind === "checked" && e["sound"] === false)).toHaveLength(wrong.length);
  }, 300_000);
  test("long files that fit: a csv, an array of numpy, of MNIST", async () => {
    for (const [file, field, content] of right) {
      put(file, content());
      put(`${file}.dlm`, model(field));
    }
    expect(await dlm(["check", ...right.map(([file]) => `${file}.dlm`)])).toMatchObject({ status: 0, err: "" });
  }, 300_000);
  test("files that are not there are no fault of the model", async () => {
    put("absent.dlm", model('f32[2] = npy("absent.npy")'));
    const { status, err, out } = await dlm(["check", "absent.dlm"]);
    expect(status).toBe(0);
    expect(err).toBe("absent.dlm: without a look at absent.npy, which is not there (--data FOLDER)\n");
    expect(out).toContain("✓ absent.dlm");
  });
});

test("check --watch: again when the model, its data or a file that was missing change", async () => {
  put(
    "w.dlm",
    'data d {\n  field x: f32[2] = csv("w.csv", columns: 0..2) }\nexport fn f(x: f32[B, 2]) -> f32[B, 2] = x * 2\ntrain t on d(batch: 1) { metric m = mean(x)\n  epochs: 1 }',
  );
  const child = spawn(process.execPath, [main, "check", "--watch", "w.dlm"], { cwd: folder });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const until = async (pattern: RegExp): Promise<void> => {
    for (let i = 0; !pattern.test(text); i++) {
      if (i > 400) throw new Error(`no ${String(pattern)} in:\n${text}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    text = "";
  };
  try {
    await until(/without a look at w\.csv[\s\S]*✓ w\.dlm[\s\S]*watching 2 files/);
    put("w.csv", "1,2\n3,x\n");
    await until(/"x" is no number[\s\S]*watching/);
    // as editors do: a new file in the place of the old one
    put("w.csv~", "1,2\n3,4\n");
    renameSync(join(folder, "w.csv~"), join(folder, "w.csv"));
    await until(/✓ w\.dlm[\s\S]*watching/);
    put("w.dlm", "export fn f(x: f32[B, 2]) -> f32[B, 3] = x");
    await until(/DLM2003[\s\S]*watching/);
    put("w.dlm", "export fn f(x: f32[B, 2]) -> f32[B, 2] = x");
    await until(/✓ w\.dlm[\s\S]*watching/);
  } finally {
    child.kill();
  }
}, 300_000);

describe("what an earlier run left", () => {
  test("is kept, and that is said, where no record of it has it", async () => {
    put("k.dlm", readFileSync(join(examples, "xor.dlm"), "utf8"));
    const first = await dlm(["train", "k.dlm", "--steps", "30", "--no-run"]);
    expect(first.err).toBe("");
    const second = await dlm(["train", "k.dlm", "--steps", "10"]);
    expect(second.err).toBe(
      "k.safetensors of an earlier run is kept as k.safetensors.before when this one writes its own\n",
    );
    expect([stepOf(bytes("k.safetensors")), stepOf(bytes("k.safetensors.before"))]).toEqual([10, 30]);
    // going on is no other run
    const third = await dlm(["train", "k.dlm", "--steps", "20", "--resume", "k.safetensors"]);
    expect(third.err).toBe("");
    expect([stepOf(bytes("k.safetensors")), stepOf(bytes("k.safetensors.before"))]).toEqual([20, 30]);
    expect(statSync(join(folder, "k.safetensors.before")).nlink).toBe(1);
    expect((await dlm(["train", "k.dlm", "--steps", "15"])).err).toBe(""); // the third is in its record
    expect([stepOf(bytes("k.safetensors")), stepOf(bytes("k.safetensors.before"))]).toEqual([15, 30]);
  }, 300_000);
  test("stays where it is when the new run writes nothing", async () => {
    const before = bytes("k.safetensors");
    expect((await dlm(["train", "k.dlm", "--steps", "10", "--no-save"])).err).toBe("");
    expect(bytes("k.safetensors").equals(before)).toBe(true);
  });
});

test("weights alone know which rows were held out", async () => {
  const trained = await dlm([
    "train",
    "iris.dlm",
    "--seed",
    "9",
    "--epochs",
    "3",
    "--weights",
    "nine.safetensors",
    "--json",
  ]);
  const done = events(trained.out).find((e) => e.kind === "done") as unknown as {
    measured: { test: { loss: number } };
  };
  expect(readSafetensors(bytes("nine.safetensors")).metadata).toMatchObject({ kind: "weights", seeds: '{"fit":9}' });
  const evaluated = await dlm(["eval", "iris.dlm", "--weights", "nine.safetensors", "--split", "test", "--json"]);
  expect(events(evaluated.out).at(-1)).toMatchObject({ values: done.measured.test });
  expect(evaluated.err).toBe("");
  const other = await dlm([
    "eval",
    "iris.dlm",
    "--weights",
    "nine.safetensors",
    "--split",
    "test",
    "--seed",
    "4",
    "--json",
  ]);
  expect(events(other.out).at(-1)).not.toMatchObject({ values: done.measured.test });
}, 300_000);

test("a block that minimizes nothing has no loss, in events either", async () => {
  put("mean.dlm", "train t { state m = 0.0\n  next m = m + 1\n  metric now = m\n  steps: 5 }");
  const { out, status } = await dlm(["train", "mean.dlm", "--no-save", "--json"]);
  expect(status).toBe(0);
  expect(out).not.toContain("NaN");
  expect(events(out).filter((e) => "loss" in e || "losses" in e)).toEqual([]);
});

test("a model without a train block is not told that it trains", async () => {
  put("pure.dlm", "export fn f(x: f32[B, 2]) -> f32[B, 2] = x * 2");
  const { out } = await dlm(["compile", "pure.dlm", "-o", "pure"]);
  expect(out).toContain("a module that offers load, f");
  expect(out).not.toContain("trains");
  expect(existsSync(join(folder, "pure/trainer.mjs"))).toBe(true);
  const run = spawnSync(process.execPath, ["pure/trainer.mjs"], { cwd: folder, encoding: "utf8" });
  expect(run).toMatchObject({
    status: 1,
    stderr: "pure.dlm has no train block, so there is nothing to train: import this file instead\n",
  });
});

test("V8 is given a flag that it knows", () => {
  expect(optimiserFlag("11.3.244.8-node.33")).toMatch(/^--interrupt-budget=/);
  for (const v8 of ["12.4.254.21-node.57", "13.6.233.17-node.63", "14.6.202.34-node.40"])
    expect(optimiserFlag(v8)).toMatch(/^--invocation-count-for-turbofan=/);
  expect(optimiserFlag("15.0.1")).toBeUndefined();
  const here = optimiserFlag(process.versions.v8);
  const { stdout, stderr } = spawnSync(process.execPath, here ? [here, "-p", "1"] : ["-p", "1"], { encoding: "utf8" });
  expect([stdout, stderr]).toEqual(["1\n", ""]);
});
