// What libraries write to standard error by themselves does not reach it; what dlm writes before and after does, in order.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
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
let runs = 0;
process.stderr.write("before\\n");
const result = await withoutChatter(async () => { writeSync(2, "chatter\\n"); return 1; });
process.stderr.write("after " + result + "\\n");
await withoutChatter(async () => { writeSync(2, "chatter\\n"); throw new Error("failed" + runs++); }).catch((e) => process.stderr.write(e.message + "\\n"));`;
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
const told = "before\nafter 1\nfailed0\n";
const onLinux = test.runIf(process.platform === "linux");

onLinux("to a file that is appended to", () => {
  const path = join(folder, "err.txt");
  spawnSync("sh", ["-c", `echo first > "$2"; "$0" "$1" 2>> "$2"; echo last >> "$2"`, process.execPath, script, path]);
  expect(readFileSync(path, "utf8")).toBe(`first\n${told}last\n`);
});
onLinux("to a file that others write to as well: nothing is lost, whoever writes", () => {
  const path = join(folder, "all.txt");
  spawnSync("sh", ["-c", `{ echo first; "$0" "$1"; echo last; } > "$2" 2>&1`, process.execPath, script, path]);
  expect(readFileSync(path, "utf8").replaceAll("chatter\n", "")).toBe(`first\n${told}last\n`);
});
onLinux("through a pipe that is closed early: it ends", () => {
  const { status, error } = spawnSync(
    "bash",
    ["-c", `{ sleep 0.2; "$0" "$1"; } 2>&1 | true`, process.execPath, script],
    {
      timeout: 300_000,
    },
  );
  expect(error).toBeUndefined();
  expect(status).toBe(0);
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
