// dlm serve as a process: a page with its data that follows its source, for this machine alone; and folders of pages with all that they need.
import { spawn, type ChildProcess } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { program } from "./program.ts";

const examples = join(import.meta.dirname, "../../examples");
const { dlm, main, folder, put } = program();
const model = (file: string): string => `# A line.
data d { field x: f32[2] = csv("${file}", columns: 0..2)\n field y: f32[1] = csv("${file}", column: 2) }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: 2) { minimize mse(net(x), y) by sgd(lr: 0.1)\n steps: 3 }
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)
`;
const running: ChildProcess[] = [];
afterEach(() => running.splice(0).forEach((child) => child.kill("SIGKILL")));

interface Serving {
  readonly address: string;
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}
/** `dlm serve ARGS`, when it has said its address. */
async function serving(...args: readonly string[]): Promise<Serving> {
  const child = spawn(process.execPath, [main, "serve", "--port", "0", ...args], { cwd: folder });
  running.push(child);
  let said = "";
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const address = await new Promise<string>((resolve, reject) => {
    const look = (text: Buffer): void => {
      said += text.toString();
      const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(said)?.[0];
      if (found) resolve(found);
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    void ended.then(() => reject(new Error(said)));
  });
  return { address, child, said: () => said, ended };
}
interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}
/** As it is written: `fetch` would tidy the path. */
const ask = (address: string, path: string, headers = {}, method = "GET"): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(address);
    const asked = request({ hostname, port, path, method, headers }, (response) => {
      let body = "";
      response.on("data", (part: Buffer) => (body += part.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
    });
    asked.once("error", reject);
    asked.end();
  });
const events = async (
  address: string,
): Promise<{ readonly next: (text: string) => Promise<void>; readonly stop: () => void }> => {
  const stopper = new AbortController();
  const { body } = await fetch(`${address}@dlm/events`, { signal: stopper.signal });
  const reader = body!.getReader();
  let seen = "";
  return {
    next: async (text) => {
      while (!seen.includes(text)) seen += Buffer.from((await reader.read()).value ?? []).toString();
      seen = seen.slice(seen.indexOf(text) + text.length);
    },
    stop: () => stopper.abort(),
  };
};

test(
  "it builds, puts the data beside the page, follows the source, and leaves nothing",
  { timeout: 300_000 },
  async () => {
    put("rows.csv", "1,2,3\n2,3,5\n3,4,7\n4,5,9\n");
    mkdirSync(join(folder, "models"), { recursive: true });
    put("models/m.dlm", model("../rows.csv"));
    const before = new Set(readdirSync(tmpdir()));
    const { address, child, ended } = await serving("models/m.dlm");
    const page = await ask(address, "/");
    expect(page.status).toBe(200);
    expect(page.headers["content-security-policy"]).toMatch(/^default-src 'self';/);
    expect(page.headers["x-content-type-options"]).toBe("nosniff");
    expect(page.body).toContain('<script type="module" src="/@dlm/reload.mjs"></script>');
    expect(page.body).not.toMatch(/<script>|<style|style=|onclick=/);
    expect((await ask(address, "/data/rows.csv")).body).toContain("4,5,9");
    expect((await ask(address, "/trainer.mjs")).body).toContain('"path":"data/rows.csv"');
    const told = await events(address);
    await told.next("event: built");
    put("models/m.dlm", model("../rows.csv").replace("A line", "Another line"));
    await told.next("event: built");
    expect((await ask(address, "/trainer.mjs")).body).toContain("# Another line");
    put("models/m.dlm", model("../rows.csv").replace("Linear(1)", "Linera(1)"));
    await told.next("event: problem");
    await told.next("Linera");
    put("models/m.dlm", model("../rows.csv"));
    await told.next("event: built");
    told.stop();
    const made = readdirSync(tmpdir()).filter((name) => name.startsWith("dlm-serve-") && !before.has(name));
    expect(made.length).toBe(1);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(existsSync(join(tmpdir(), made[0]!))).toBe(false);
  },
);

test("a source with errors is waited for, and so is data that is not there", { timeout: 300_000 }, async () => {
  put("broken.dlm", "model net(");
  const { address, said } = await serving("broken.dlm");
  expect(said()).toContain("does not compile yet");
  expect((await ask(address, "/")).body).toContain("does not compile yet");
  const told = await events(address);
  await told.next("event: problem");
  put("broken.dlm", model("nowhere.csv"));
  await told.next("event: built");
  expect(said()).toContain("nowhere.csv is not there: the page asks for it");
  expect((await ask(address, "/")).status).toBe(200);
  told.stop();
});

test("only files of the folder, only for this machine", { timeout: 300_000 }, async () => {
  const site = mkdtempSync(join(tmpdir(), "dlm-site-"));
  mkdirSync(join(site, "page/sub"), { recursive: true });
  writeFileSync(join(site, "secret.txt"), "secret");
  writeFileSync(join(site, "page/.env"), "secret");
  for (const name of ["index.html", "sub/x.txt", "a b.txt"])
    writeFileSync(join(site, "page", name), `<p>${name}</p></body>`);
  symlinkSync(join(site, "secret.txt"), join(site, "page/link.txt"));
  symlinkSync(site, join(site, "page/up"));
  const { address } = await serving(join(site, "page"));
  for (const path of ["/", "/index.html", "/sub/x.txt", "/a%20b.txt", "/index.html?x=1"])
    expect([path, (await ask(address, path)).status]).toEqual([path, 200]);
  for (const path of [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/sub/..%2f..%2fsecret.txt",
    "//etc/passwd",
    "/link.txt",
    "/up/secret.txt",
    "/.env",
    "/sub",
    "/sub/",
    "/nothing",
    "/%00",
    "/%",
    "/..%5csecret.txt",
  ]) {
    const { status, body } = await ask(address, path);
    expect([path, status >= 400 && status < 500, body.includes("secret")]).toEqual([path, true, false]);
  }
  const port = new URL(address).port;
  for (const host of [`localhost:${port}`, `LOCALHOST:${port}`])
    expect((await ask(address, "/", { host })).status).toBe(200);
  for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1:1"])
    expect((await ask(address, "/", { host })).status).toBe(403);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"])
    expect((await ask(address, "/", {}, method)).status).toBe(405);
  expect((await ask(address, "/sub/x.txt", {}, "HEAD")).body).toBe("");
  rmSync(site, { recursive: true, force: true });
});

test("what cannot be served is said", async () => {
  put("rows2.csv", "1,2,3\n");
  mkdirSync(join(folder, "empty"), { recursive: true });
  expect(await dlm(["serve", "empty"])).toMatchObject({
    status: 1,
    err: expect.stringContaining("empty has no index.html") as string,
  });
  expect(await dlm(["serve", "none.dlm"])).toMatchObject({ status: 1 });
});

test(
  "compile --with-data: the folder is enough, whatever the paths, for every class of devices",
  { timeout: 300_000 },
  async () => {
    mkdirSync(join(folder, "deep/er"), { recursive: true });
    for (const [name, row] of [
      ["deep/x.csv", "1,2,3"],
      ["deep/er/x.csv", "4,5,6"],
      ["deep/er/plan.json", "7,8,9"],
    ] as const)
      put(name, `${row}\n${row}\n`);
    put(
      "deep/er/m.dlm",
      `data d { field a: f32[3] = csv("../x.csv", columns: 0..3)\n field b: f32[3] = csv("x.csv", columns: 0..3)\n field c: f32[3] = csv("plan.json", columns: 0..3) }
train fit on d(batch: 2) { state n = 0.0\n next n = n + sum(a) + sum(b) + sum(c)\n metric m = n\n steps: 1 }
export fn double(x: f32[B, 3]) -> f32[B, 3] = 2 * x`,
    );
    const { status, err, out } = await dlm(["compile", "deep/er/m.dlm", "-o", "site", "--with-data"]);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out).toContain("for software, integrated, discrete devices");
    const text = (path: string): string => readFileSync(join(folder, "site", path), "utf8");
    expect(["data/x.csv", "x.csv", "data/plan.json"].map((path) => text(path)[0])).toEqual(["1", "4", "7"]);
    expect(text("trainer.mjs")).toContain("for software, integrated and discrete devices");
    for (const plan of ["plan.json", "plan.integrated.json", "plan.discrete.json"])
      expect(text(plan)).toContain('"path":"data/x.csv"');
    // moved elsewhere, it still trains
    const moved = mkdtempSync(join(tmpdir(), "dlm-moved-"));
    cpSync(join(folder, "site"), moved, { recursive: true });
    mkdirSync(join(moved, "node_modules"));
    symlinkSync(join(examples, "../node_modules/webgpu"), join(moved, "node_modules/webgpu"));
    const trained = await dlm(["run", "deep/er/m.dlm", "double", "--input", "x=[[1,2,3]]"]);
    expect(trained.status).toBe(0);
    const child = spawn(process.execPath, [join(moved, "trainer.mjs"), "--json"], {
      cwd: moved,
      env: { ...process.env, VK_DRIVER_FILES: "/nonexistent" },
    });
    let said = "";
    child.stdout.on("data", (part: Buffer) => (said += part.toString()));
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    expect(said).toContain('"m":90'); // (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9) of two rows
    rmSync(moved, { recursive: true, force: true });
    put("lost.dlm", model("lost.csv"));
    expect(await dlm(["compile", "lost.dlm", "-o", "site2", "--with-data"])).toMatchObject({
      status: 1,
      err: expect.stringContaining("lost.csv: not there") as string,
    });
  },
);
