// `npm run gallery [-- PART-OF-A-NAME …]`: trains every model of examples/ to its end, as `dlm train` does, and writes what each reached into the table
// of examples/README.md. Needs a build. Models whose data are not in the repository take them from --data FOLDER; the table says which file is missing where
// nothing was reached yet. `--launches` trains nothing: it compiles, for the target of `npm ci`'s software device, and writes the launches of a step alone.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("../", import.meta.url);
const [begin, end] = ["<!-- gallery -->", "<!-- end of gallery -->"];
const page = new URL("examples/README.md", root);

const args = process.argv.slice(2);
const at = args.indexOf("--data");
const data = at < 0 ? undefined : args.splice(at, 2)[1];
const launchesOnly = args.includes("--launches") && args.splice(args.indexOf("--launches"), 1).length > 0;
const all = readdirSync(new URL("examples", root), { recursive: true })
  .filter((f) => f.endsWith(".dlm"))
  .map((f) => f.replaceAll("\\", "/"))
  .filter((f) => /^(train|export) /m.test(readFileSync(new URL(`examples/${f}`, root), "utf8"))) // others are there to be imported
  .sort((a, b) => folder(a).localeCompare(folder(b)) || a.localeCompare(b));
function folder(file) {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : "";
}
const wanted = all.filter((f) => trains(f) && (!args.length || args.some((part) => f.includes(part))));
const rows = rowsBefore();
for (const file of wanted) {
  const [figure = "", seconds = "", launches = ""] = rows.get(file) ?? [];
  if (launchesOnly) rows.set(file, [figure, seconds, launchesOf(file)]);
  else {
    const found = trained(file);
    if (typeof found !== "string") rows.set(file, found);
    else rows.set(file, [seconds === "" ? missing(found) : figure, seconds, launches]);
    if (typeof found === "string") console.log(`${file}: ${found}`);
  }
  console.log(`${file}: ${rows.get(file).join(" | ")}`);
  writeTable();
}

/** A model without a train block is for `dlm run`. */
function trains(file) {
  return /^train /m.test(readFileSync(new URL(`examples/${file}`, root), "utf8"));
}
/** Figures, seconds, launches per step; or why there are none. */
function trained(file) {
  const options = data === undefined ? [] : ["--data", data];
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["dist/compiler/cli/main.js", "train", `examples/${file}`, "--json", "--no-save", ...options],
    { cwd: root, encoding: "utf8", maxBuffer: 1 << 30 },
  );
  if (status !== 0) return JSON.parse(stdout.trim().split("\n").at(-1) || "{}").message ?? stderr.trim();
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const start = events.find((e) => e.kind === "start");
  const done = Object.values(events.findLast((e) => e.kind === "done").results);
  const results = done.map((result) => figures(result, done.length > 1));
  const seconds = done.reduce((sum, { seconds: s }) => sum + s, 0);
  const launches = Object.values(start.plan.trains).map((t) => t.dispatchesPerStep);
  return [results.join("; "), seconds < 10 ? seconds.toFixed(1) : String(Math.round(seconds)), launches.join(", ")];
}
/** Why a model was not run: a file that it reads is not there. */
function missing(message) {
  const file = /cannot read ([^,]+),/.exec(message)?.[1];
  return file === undefined ? "" : `not run: it needs ${file}`;
}
/** Launches of a step, from the plan: what `trained` finds, without training. */
function launchesOf(file) {
  const out = mkdtempSync(join(tmpdir(), "dlm-gallery-"));
  const options = ["--target", "lavapipe", "--out", out, ...(data === undefined ? [] : ["--data", data])];
  const command = ["dist/compiler/cli/main.js", "compile", `examples/${file}`, ...options];
  const { stderr, status } = spawnSync(process.execPath, command, { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const plan = JSON.parse(readFileSync(join(out, "plan.json"), "utf8"));
  rmSync(out, { recursive: true });
  const dispatches = (commands) =>
    commands.reduce(
      (n, c) => n + (c.kind === "loop" ? c.count * dispatches(c.body) : c.kind === "dispatch" ? 1 : 0),
      0,
    );
  return plan.trains.map((t) => dispatches(t.step.commands)).join(", ");
}
/** What was measured last, of held-out rows if there are any; of the last batch else. */
function figures({ train, measured, loss, metrics }, several) {
  const splits = Object.entries(measured).filter(([split]) => split !== "train");
  const shown = (splits.length ? splits : Object.entries(measured)).map(
    ([split, values]) => `${split}: ${numbers(values)}`,
  );
  const text = shown.length ? shown.join(", ") : numbers({ loss, ...metrics });
  return several ? `${train}: ${text}` : text;
}
function numbers(values) {
  return Object.entries(values)
    .flatMap(([name, value]) => (typeof value === "number" ? [`${name} ${Number(value.toPrecision(4))}`] : []))
    .join(", ");
}

/** The sentence above the first statement. */
function about(file) {
  const text = readFileSync(new URL(`examples/${file}`, root), "utf8");
  const comment = /^(?:# .*\n)+/.exec(text)?.[0].replace(/^# /gm, "").replaceAll("\n", " ").trim() ?? "";
  return comment
    .split(/(?<=[.:]) /)[0]
    .replace(/:$/, ".")
    .replaceAll("|", "\\|");
}
function rowsBefore() {
  const before = new Map();
  if (!existsSync(page)) return before;
  for (const line of readFileSync(page, "utf8").split("\n")) {
    const cells = /^\| \[[^\]]*\]\(([^)]*)\) \|.*\| (.*) \| (.*) \| (.*) \|$/.exec(line);
    if (cells)
      before.set(
        cells[1],
        cells.slice(2).map((c) => c.trim()),
      );
  }
  return before;
}
function writeTable() {
  const text = readFileSync(page, "utf8");
  const lines = ["| model | what it shows | reached | seconds | launches a step |", "| --- | --- | --- | --- | --- |"];
  for (const file of all) {
    const [figure, seconds, launches] = rows.get(file) ?? ["", "", ""];
    lines.push(`| [${file}](${file}) | ${about(file)} | ${figure} | ${seconds} | ${launches} |`);
  }
  const [head, tail] = [text.slice(0, text.indexOf(begin) + begin.length), text.slice(text.indexOf(end))];
  writeFileSync(page, `${head}\n${lines.join("\n")}\n${tail}`);
}
