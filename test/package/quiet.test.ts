// What libraries write to standard error by themselves does not reach it; what dlm writes before and after does, in order.
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "dlm-quiet-"));
const script = join(folder, "quiet.mjs");
beforeAll(async () => {
  // as a library of another language writes: to the descriptor, whatever Node's stream is
  const contents = `import { writeSync } from "node:fs";
import { withoutChatter } from ${JSON.stringify(join(import.meta.dirname, "../../runtime/quiet.ts"))};
process.stderr.write("before\\n");
const result = await withoutChatter(async () => { writeSync(2, "chatter\\n"); return 1; });
process.stderr.write("after " + result + "\\n");
await withoutChatter(async () => { writeSync(2, "chatter\\n"); throw new Error("failed"); }).catch((e) => process.stderr.write(e.message + "\\n"));`;
  await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: script,
    logLevel: "error",
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const told = "before\nafter 1\nfailed\n";
const onLinux = test.runIf(process.platform === "linux");

onLinux("to a file, which goes on where it was", () => {
  const path = join(folder, "err.txt");
  const file = openSync(path, "w");
  spawnSync(process.execPath, [script], { stdio: ["ignore", "ignore", file] });
  closeSync(file);
  expect(readFileSync(path, "utf8")).toBe(told);
});
onLinux("through a pipe", () => {
  const { stdout } = spawnSync("sh", ["-c", `"$0" "$1" 2>&1 >/dev/null | cat`, process.execPath, script], {
    encoding: "utf8",
  });
  expect(stdout).toBe(told);
});
test("where the descriptor cannot be opened once more, nothing is lost", () => {
  const { stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" }); // a socket
  expect(stderr.replaceAll("chatter\n", "")).toBe(told);
});
