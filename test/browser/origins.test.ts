// A page, and other servers beside its own: what a model names there is not asked for, whether the other one would answer or not, and neither is where its own
// server redirects to. The host of the page may name another server; that one may not redirect to a third.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { writeArtifacts } from "../../compiler/cli/artifacts.ts";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import { made } from "../model.ts";
import { openBrowser } from "./chromium.ts";
import { serve } from "./server.ts";

const root = mkdtempSync(join(tmpdir(), "dlm-origins-"));
type Server = Awaited<ReturnType<typeof serve>>;
let browser: Browser;
let [own, open, closed]: Server[] = []; // the page's; one that answers every page; one that answers its own
const servers: Server[] = [];
const everyone = { "access-control-allow-origin": "*" };
const model = (file: string, load = ""): string => `data d { field x: f32[2] = csv("${file}", columns: 0..2) }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: 2) { minimize mean((net(x) - 1)^2) by sgd(lr: 0.1)
  ${load}
  steps: 3 }`;
const page = async (name: string, text: string): Promise<void> =>
  void (await writeArtifacts([made(text).plan], {
    folder: join(root, "own", name),
    data: join(root, "own", name),
    parts: await trainerParts(),
  }));

beforeAll(async () => {
  for (const folder of ["own", "other"]) {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, "x.csv"), "1,2\n3,4\n");
  }
  writeFileSync(join(root, "other/elsewhere.csv"), "1,2\n3,4\n");
  writeFileSync(join(root, "own/index.html"), "<!doctype html><title>host</title>");
  [open, closed] = await Promise.all([
    serve(join(root, "other"), everyone, { "/third.csv": "/x.csv" }),
    serve(join(root, "other")),
  ]);
  own = await serve(
    join(root, "own"),
    {},
    { "/moved/away.csv": `${open!.address}/x.csv`, "/moved/near.csv": "/x.csv", "/hosted/near.csv": "/x.csv" },
  );
  servers.push(own, open!, closed!);
  await page("open", model(`${open!.address}/x.csv`));
  await page("closed", model(`${closed!.address}/x.csv`));
  await page("weights", model("../x.csv", `load: from("${open!.address}/w.safetensors")`));
  await page("moved", model("away.csv"));
  await page("near", model("../moved/near.csv"));
  await page("hosted", model("elsewhere.csv")); // the page itself has none
  await page("third", model("third.csv"));
  browser = await openBrowser();
}, 300_000);
afterEach(() => servers.forEach((s) => ((s.asked as string[]).length = 0)));
afterAll(async () => {
  await browser?.close();
  servers.forEach((s) => s.close());
  rmSync(root, { recursive: true, force: true });
});

/** What the page comes to when it is started. */
async function started(name: string): Promise<{ readonly state: string | undefined; readonly problem: string | null }> {
  const page = await browser.newPage();
  const state = (): Promise<string | undefined> => page.evaluate(() => document.documentElement.dataset["state"]);
  const until = (...wanted: readonly string[]): Promise<unknown> =>
    page.waitForFunction((w) => w.includes(document.documentElement.dataset["state"] ?? ""), wanted, {
      timeout: 300_000,
    });
  await page.goto(`${own!.address}/${name}/index.html`);
  await until("ready", "problem");
  await page.click("#start");
  await until("finished", "problem");
  const result = { state: await state(), problem: await page.textContent("#problem") };
  await page.close();
  return result;
}
test.each(["open", "closed"])("data on a server that is %s: not asked for", async (name) => {
  const { state, problem } = await started(name);
  expect(state).toBe("problem");
  expect(problem).toContain("is on another server, and a model asks none but its own");
  expect([open!.asked, closed!.asked]).toEqual([[], []]);
});
test("weights on another server: not asked for", async () => {
  const { state, problem } = await started("weights");
  expect(state).toBe("problem");
  expect(problem).toContain("is on another server, and a model asks none but its own");
  expect(open!.asked).toEqual([]);
});
test("a redirection to another server is not followed; one to the own server is", async () => {
  const { state, problem } = await started("moved");
  expect(own!.asked).toContain("/moved/away.csv");
  expect(state).toBe("problem");
  expect(problem).toContain("does not have away.csv");
  expect(open!.asked).toEqual([]);
  expect((await started("near")).state).toBe("finished");
});

/** A page of the host's own, which says where the data lie. */
async function hosted(name: string, data: string): Promise<string> {
  const page = await browser.newPage();
  await page.goto(`${own!.address}/index.html`);
  // as text: the page has its own `import`
  const said = await page.evaluate<string>(`(async () => {
    try {
      const { load } = await import(${JSON.stringify(`${own!.address}/${name}/trainer.mjs`)});
      const model = await load({ data: ${JSON.stringify(data)} });
      const { rows } = model.data.d;
      model.close();
      return rows + " rows";
    } catch (error) {
      return String(error);
    }
  })()`);
  await page.close();
  return said;
}
test("the host of the page names another server: asked, where that one allows it", async () => {
  expect(await hosted("hosted", open!.address)).toBe("2 rows");
  expect(open!.asked).toEqual(["/elsewhere.csv"]);
  expect(await hosted("hosted", closed!.address)).toMatch(/^RuntimeProblem: elsewhere\.csv was not found; looked for:/);
});
test("the server that the host names may not redirect", async () => {
  expect(await hosted("third", open!.address)).toMatch(/^RuntimeProblem: third\.csv was not found; looked for:/);
  expect(open!.asked).toEqual(["/third.csv"]);
  expect(closed!.asked).toEqual([]);
  expect(readFileSync(join(root, "other/x.csv"), "utf8")).toBe("1,2\n3,4\n");
});
