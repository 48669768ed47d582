// Where output goes to nobody or to a full disk, and places that no file or folder can be: words where there is somebody to read them, a status that is not 0,
// what was learned kept, and what is there left as it is.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { program } from "./program.ts";

const { dlm, folder, main, put, bytes } = program();
const text = `data d { rows: 8
  field x: f32[2] = uniform(-1, 1)[2] }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: 2, seed: 1) { minimize mean((net(x) - 1)^2) by adam(lr: 1e-2)
  steps: 12 }
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)
`;
interface Outcome {
  readonly status: number | null;
  readonly err: string;
}
/** `dlm ARGS` by a shell, with such redirections. Of a pipe, the status of dlm. */
function shell(args: readonly string[], redirections: string): Outcome {
  const script = `{ "$0" "$@"; echo $? >&3; } ${redirections}`;
  const { stderr, output } = spawnSync("sh", ["-c", script, process.execPath, main, ...args], {
    cwd: folder,
    env: { ...process.env, DLM_DEVICE: process.env["DLM_DEVICE"] || "embedded" },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    timeout: 300_000,
    encoding: "utf8",
  });
  const status = (output as unknown as (string | null)[])[3] ?? ""; // one for each of `stdio`
  return { status: status.trim() ? Number(status) : null, err: stderr };
}
beforeAll(async () => {
  put("m.dlm", text);
  put("wrong.dlm", "model m(x: f32[B, 2]) = x |> Nothing()\n");
  put("ugly.dlm", text.replace("lr: 1e-2", "lr:1e-2"));
  await dlm(["train", "m.dlm", "--save", "whole"]);
}, 600_000);

const full = "dlm: cannot write to standard output: the disk is full\n";
test.runIf(existsSync("/dev/full"))("results for a full disk: words and status 1", { timeout: 300_000 }, () => {
  for (const args of [
    ["eval", "m.dlm", "--weights", "whole"],
    ["run", "m.dlm", "predict", "--weights", "whole", "--input", "x=[[1, 2]]", "--json"],
    ["inspect", "m.dlm", "--stage", "wgsl"],
    ["compile", "m.dlm", "-o", "out"],
    ["check", "m.dlm"],
    ["fmt", "--check", "ugly.dlm"],
    ["explain"],
  ])
    expect(shell(args, "> /dev/full"), args.join(" ")).toEqual({
      status: 1,
      err: expect.stringContaining(full) as string,
    });
});
test("training whose output nobody takes, or whose words nobody takes, is kept", { timeout: 300_000 }, () => {
  const train = (save: string): string[] => ["train", "m.dlm", "--save", save];
  const kept = (save: string): string => readSafetensors(bytes(save)).metadata["kind"]!;
  if (existsSync("/dev/full")) {
    const outcome = shell(train("full"), "> /dev/full");
    expect(outcome.status).toBe(1);
    expect(outcome.err).toContain("standard output takes no more (the disk is full)");
    expect(outcome.err).toContain("--resume full\n");
    expect(kept("full")).toBe("checkpoint");
    expect(shell(train("unheard"), "2> /dev/full").status).toBe(0);
    expect(bytes("unheard").equals(bytes("whole"))).toBe(true);
  }
  expect(shell(train("closed"), ">&- 2>&-").status).toBe(0);
  expect(bytes("closed").equals(bytes("whole"))).toBe(true);
});
test("a reader that goes away early: status 141, errors or not", { timeout: 300_000 }, () => {
  const early = (args: readonly string[]): Outcome => shell(args, "| true");
  expect(early(["inspect", "m.dlm", "--stage", "wgsl"])).toEqual({ status: 141, err: "" });
  expect(early(["check", "wrong.dlm"]).status).not.toBe(0);
});

test(
  "where no checkpoint, folder or cache can be: words before anything is done, and what is there stays",
  { timeout: 300_000 },
  async () => {
    put("file", "mine");
    execFileSync("mkfifo", [join(folder, "pipe")]);
    mkdirSync(join(folder, "sub"));
    symlinkSync("loop", join(folder, "loop"));
    symlinkSync("nowhere/x", join(folder, "dangling"));
    const long = "x".repeat(300);
    const isRoot = process.getuid?.() === 0;
    if (!isRoot) mkdirSync(join(folder, "locked"), { mode: 0o555 }); // root may write anywhere
    const places = [
      ...["/dev/null", "/dev/full", "/proc/dlm", "/proc/dlm/x", "/sys/dlm", "pipe", "loop", "loop/x", "dangling"],
      ...["dangling/x", "file/x", "sub", "sub/", long, ...(isRoot ? [] : ["locked/x"])],
    ];
    const words =
      /^dlm: (cannot write|no "embedded" device|cannot write to) [^\n]*(\n {2}[^\n]*|\n`npx dlm doctor`[^\n]*)*\n$/;
    for (const place of places) {
      const { status, err } = await dlm(["train", "m.dlm", "--save", place]);
      expect({ status, err }, `--save ${place}`).toEqual({ status: 1, err: expect.stringMatching(words) as string });
    }
    for (const place of ["/dev/null", "/proc/dlm/x", "pipe", "loop", "dangling", "file/x", "file", long]) {
      const { status, err } = await dlm(["compile", "m.dlm", "-o", place]);
      expect({ status, err }, `--out ${place}`).toEqual({ status: 1, err: expect.stringMatching(words) as string });
    }
    if (process.platform === "linux" && process.arch === "x64")
      for (const place of ["/dev/null", "/proc/x", "pipe", "loop/x", "dangling", "file/x", long]) {
        const { status, err } = await dlm(["train", "m.dlm", "--no-save"], {
          env: { DLM_CACHE: place, DLM_DEVICE: "embedded" },
        });
        expect({ status, err }, `DLM_CACHE=${place}`).toEqual({
          status: 1,
          err: expect.stringMatching(words) as string,
        });
      }
    expect(bytes("file").toString()).toBe("mine");
    expect(lstatSync(join(folder, "pipe")).isFIFO() && lstatSync(join(folder, "dangling")).isSymbolicLink()).toBe(true);
    if (process.platform === "linux") expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  },
);

test("odd names are names", { timeout: 300_000 }, async () => {
  for (const save of ['a b/it\'s "x"', "größe", "$(x)", "new\nline"]) {
    const { status, err } = await dlm(["train", "m.dlm", "--stop-after", "3", "--save", save]);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(readSafetensors(bytes(save)).metadata["kind"]).toBe("checkpoint");
  }
});
