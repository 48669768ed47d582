// `npm run bench -- --lab TOOL`: the kernels of dlm and of its WebGPU peers side by side, as a GPU's compiler makes them, without a GPU.
// Every side does one step on a device that only writes down what it is asked (recorder.mjs). Every kernel is walked (walk.mjs: rounds of loops, memory
// touched) and compiled by TOOL for each GPU; what the machine code runs (machine.mjs) gives an estimate of time by a roofline (roofline.mjs).
// TOOL is called as `TOOL --gpu NAME --json --asm FILE.wgsl ...` from the root: it prints { kernels: [{ name, vgpr, waves, lds, spilled, error? }] } and
// leaves each listing as NAME.wgsl.s in a folder of its own below TMPDIR.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { durationOf, loopTable, match, runCounts, treeOf } from "./machine.mjs";
import { estimate, gpus, issueCycles } from "./roofline.mjs";
import { walk } from "./walk.mjs";

const hash = (...texts) => {
  const h = createHash("sha256");
  for (const t of texts) h.update(typeof t === "string" ? t : JSON.stringify(t)).update("\0");
  return h.digest("hex").slice(0, 20);
};

// ---- kernels by the tool

/** Overrides with their values, since the tool compiles files as they are. */
const withConstants = (code, constants) =>
  code.replace(/(?:@id\(\d+\)\s*)?override\s+(\w+)\s*(:\s*\w+)?\s*(=[^;]+)?;/g, (text, name, type = "", value = "") =>
    constants[name] !== undefined ? `const ${name}${type} = ${constants[name]};` : `const ${name}${type} ${value};`,
  );

class Tool {
  constructor(path, root, folder, say) {
    Object.assign(this, { path, root, folder, say, version: hash(readFileSync(path, "utf8")) });
    mkdirSync(folder, { recursive: true });
  }
  file(gpu, code) {
    return join(this.folder, `${hash(this.version, gpu, code)}.json`);
  }
  /** Compiles what is not there yet, some at a time, on two processes. */
  async compile(gpu, codes) {
    const missing = codes.filter((code) => !existsSync(this.file(gpu, code)));
    const total = missing.length;
    if (total) this.say(`  ${gpu}: ${total} kernels to compile`);
    const worker = async (number) => {
      while (missing.length) {
        await this.some(gpu, missing.splice(0, 12), join(this.folder, `work-${process.pid}-${number}`));
        this.say(`  ${gpu}: ${missing.length} of ${total} left`);
      }
    };
    await Promise.all([worker(0), worker(1)]);
  }
  async some(gpu, part, work) {
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true });
    const names = part.map((_, k) => `k${k}`);
    part.forEach((code, k) => writeFileSync(join(work, `${names[k]}.wgsl`), code));
    const child = spawn(this.path, ["--gpu", gpu, "--json", "--asm", ...names.map((n) => join(work, `${n}.wgsl`))], {
      cwd: this.root,
      env: { ...process.env, TMPDIR: work },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = await Promise.all([child.stdout, child.stderr].map((s) => s.setEncoding("utf8").toArray()));
    const [printed, errors] = texts.map((t) => t.join(""));
    let kernels;
    try {
      ({ kernels } = JSON.parse(printed));
    } catch {
      throw new Error(`the lab tool gave no JSON: ${(errors || printed).slice(0, 400)}`);
    }
    const listings = new Map();
    for (const entry of readdirSync(work))
      if (statSync(join(work, entry)).isDirectory())
        for (const f of readdirSync(join(work, entry)))
          if (f.endsWith(".wgsl.s")) listings.set(f.replace(".wgsl.s", ""), readFileSync(join(work, entry, f), "utf8"));
    for (const { name, vgpr, waves, lds, spilled, error } of kernels) {
      const listing = listings.get(name)?.split("*** SHADER STATS")[0];
      const found = error || !listing ? { error: error ?? "no listing" } : { vgpr, waves, lds, spilled, listing };
      writeFileSync(this.file(gpu, part[names.indexOf(name)]), JSON.stringify(found));
    }
    rmSync(work, { recursive: true, force: true });
  }
  result(gpu, code) {
    return JSON.parse(readFileSync(this.file(gpu, code), "utf8"));
  }
}

// ---- one recording, for one GPU

const walks = new Map();
function walked(d) {
  const key = hash(d.code, d.entry ?? "", d.constants, d.workgroups, d.bindings);
  if (!walks.has(key)) {
    try {
      const bindings = d.bindings.map((b) => ({
        ...b,
        content: b.content === undefined ? undefined : Buffer.from(b.content, "base64"),
      }));
      walks.set(key, walk({ ...d, bindings }));
    } catch (error) {
      walks.set(key, { error: String(error.message ?? error).slice(0, 120) });
    }
  }
  return walks.get(key);
}

/** Everything about one dispatch on one GPU, or `unknown` with the reason. */
function kernelOf(d, gpuName, tool, footprint) {
  const gpu = gpus[gpuName];
  const base = {
    code: hash(d.code),
    label: d.label || /\/\/ ([^\n]*)/.exec(d.code)?.[1] || "",
    count: d.count,
    workgroups: d.workgroups,
  };
  const w = walked(d);
  if (w.error) return { ...base, unknown: w.error };
  const compiled = tool.result(gpuName, withConstants(d.code, d.constants));
  if (compiled.error) return { ...base, walk: w, unknown: `not compiled: ${compiled.error}` };
  const tree = treeOf(compiled.listing);
  const matched = match(tree, w, compiled.lds);
  if (typeof matched === "string") return { ...base, walk: w, compiled, unknown: matched };
  const counts = runCounts(tree);
  const duration = durationOf(tree, { ...gpu.latency, issue: issueCycles(gpu, w.wave) });
  const ns = estimate(gpu, w, { counts, duration }, compiled.waves, footprint);
  const { vgpr, waves, lds, spilled } = compiled;
  return {
    ...base,
    walk: w,
    counts,
    duration,
    ns,
    time: Math.max(...Object.values(ns)),
    loops: loopTable(tree),
    vgpr,
    waves,
    lds,
    spilled,
    doubt: matched.error,
  };
}

/** A side's step on a GPU. */
function stepOf(recording, gpuName, tool) {
  const footprint = recording.boundBytes;
  const kernels = recording.dispatches.map((d) => kernelOf(d, gpuName, tool, footprint));
  const sum = (f) => kernels.reduce((n, k) => n + (k.unknown ? 0 : k.count * f(k)), 0) / recording.steps;
  const unknown = kernels.filter((k) => k.unknown);
  const gpu = gpus[gpuName];
  const launches = recording.launches / recording.steps;
  const submits = recording.submits / recording.steps;
  const run = (key) => sum((k) => k.walk.waves * k.counts[key]);
  const instructions = run("instructions");
  const waits = run("waits");
  return {
    kernels,
    launches,
    submits,
    unknown,
    unknownLaunches: unknown.reduce((n, k) => n + k.count, 0) / recording.steps,
    instructions,
    fma: instructions ? run("fma") / instructions : 0,
    waits,
    inFlight: waits ? run("underWay") / waits : run("loads") ? Infinity : 0,
    memoryBytes: sum((k) => k.walk.bytes.memory),
    cacheBytes: sum((k) => k.walk.bytes.cache),
    spilled: kernels.some((k) => k.spilled > 0),
    limits: Object.fromEntries(
      ["issue", "memory", "latency"].map((limit) => [limit, sum((k) => (k.time === k.ns[limit] ? k.time : 0))]),
    ),
    kernelNs: sum((k) => k.time),
    launchNs: launches * gpu.launchNs + submits * gpu.submitNs,
  };
}

// ---- tables

const short = (x, digits = 3) =>
  !Number.isFinite(x) ? "-" : x >= 1000 ? String(Math.round(x)) : String(Number(x.toPrecision(digits)));
const micro = (ns) => short(ns / 1000);
function rowOf(workload, name, s) {
  if (s.error) return [workload, name, `fails: ${s.error}`, ...Array(11).fill("")];
  const mark = s.unknown.length ? "≥ " : "";
  return [
    workload,
    name,
    short(s.launches),
    mark + short(s.instructions / 1e6),
    `${Math.round(100 * s.fma)} %`,
    mark + short(s.waits / 1e3),
    short(s.inFlight, 2),
    mark + short(s.memoryBytes / 1e6),
    mark + short(s.cacheBytes / 1e6),
    ["issue", "memory", "latency"].map((l) => micro(s.limits[l])).join(" / "),
    mark + micro(s.kernelNs),
    mark + micro(s.kernelNs + s.launchNs),
    s.unknown.length ? `${short(s.unknownLaunches)}` : "0",
    "",
    "",
  ];
}
/** How many times longer a peer takes; where a part is unknown, what is left to say. */
function ratio(dlm, peer, key) {
  if (dlm.error || peer.error) return "-";
  const value = (s) => s.kernelNs + (key === "all" ? s.launchNs : 0);
  if (dlm.unknown.length) return "unknown";
  return `${peer.unknown.length ? "≥ " : ""}${short(value(peer) / value(dlm))}x`;
}
const header = [
  "",
  "side",
  "launches",
  "M instructions of waves",
  "multiply-adds",
  "k waits",
  "in flight",
  "MB moved",
  "MB fetched",
  "issue / memory / latency, µs",
  "kernels, µs",
  "with launches, µs",
  "unknown launches",
  "kernels to dlm's",
  "all to dlm's",
];

/** Loops of a side's kernels that wait for single loads more than eight times; of launches that differ in their rounds alone, the one of most. */
export function defectsOf(step) {
  const found = new Map();
  for (const k of step.kernels)
    (k.loops ?? []).forEach((l, i) => {
      if (!(l.waits > 0 && l.loads > 0 && l.inFlight < 2 && l.rounds > 8)) return;
      const key = `${k.code} ${i}`;
      const defect = {
        label: k.label,
        inFlight: l.inFlight,
        rounds: l.rounds,
        waits: l.waits * l.times,
        launches: k.count,
      };
      const other = found.get(key);
      if (!other || defect.waits > other.waits)
        found.set(key, { ...defect, launches: k.count + (other?.launches ?? 0) });
      else other.launches += k.count;
    });
  return [...found.values()];
}

/**
 * `recordings`: [{ workload, sides: { "dlm discrete": recording | { error }, "jax-js webgpu": ... } }]. Gives the tables as text and the defects.
 */
export async function report({ recordings, tool: path, gpuNames, root, folder, table, say }) {
  const tool = new Tool(path, root, folder, say);
  const texts = [];
  const brief = []; // for RESULTS.md
  const defects = [];
  const data = [];
  for (const gpuName of gpuNames) {
    const gpu = gpus[gpuName];
    // a compiler without a class of its own for this GPU has the next best
    const targetOf = (sides) => (sides[`dlm ${gpu.target}`] ? gpu.target : "discrete");
    const mine = (sides) =>
      Object.entries(sides).filter(([name]) => !name.startsWith("dlm ") || name === `dlm ${targetOf(sides)}`);
    const codes = new Set();
    for (const { sides } of recordings)
      for (const [, r] of mine(sides))
        if (!r.error) for (const d of r.dispatches) codes.add(withConstants(d.code, d.constants));
    await tool.compile(gpuName, [...codes]);
    const rows = [header];
    const lost = [];
    for (const { workload, sides } of recordings) {
      say(`  ${gpuName}: ${workload}`);
      const steps = Object.fromEntries(
        mine(sides).map(([name, r]) => [name, r.error ? { error: r.error, unknown: [] } : stepOf(r, gpuName, tool)]),
      );
      const own = steps[`dlm ${targetOf(sides)}`];
      for (const [name, s] of Object.entries(steps)) {
        const row = rowOf(workload, name, s);
        if (own && s !== own) row.splice(-2, 2, ratio(own, s, "kernels"), ratio(own, s, "all"));
        rows.push(row);
        for (const k of s.unknown ?? [])
          lost.push(`${workload}, ${name}: ${k.label || "a kernel"}, ${short(k.count)} launches: ${k.unknown}`);
        data.push({
          gpu: gpuName,
          workload,
          side: name,
          ...s,
          kernels: s.kernels?.map(({ walk: w, loops, ...k }) => ({
            ...k,
            waves: w?.waves,
            memoryBytes: w?.bytes.memory,
          })),
        });
      }
      if (own && !own.error) for (const d of defectsOf(own)) defects.push({ gpu: gpuName, workload, ...d });
    }
    const own = `${gpuName}: ${gpu.title}. Estimates by a roofline, nothing was run\n\n${table(rows)}`;
    texts.push(own);
    brief.push(own);
    if (lost.length) texts.push(`Unknown on ${gpuName}:\n\n${[...new Set(lost)].map((t) => `- ${t}`).join("\n")}`);
  }
  const told = defects.map((d) => [
    `${d.workload}, ${d.gpu}`,
    d.label,
    short(d.inFlight, 2),
    short(d.rounds),
    short(d.waits),
    d.launches,
  ]);
  texts.push(
    defects.length
      ? `Loops of dlm's kernels that wait for single loads (fewer than 2 in flight at a wait, more than 8 rounds): ${defects.length}\n\n${table([["", "kernel", "in flight", "rounds", "waits of a wave", "launches"], ...told])}`
      : "No loop of dlm's kernels waits for single loads more than 8 times.",
  );
  brief.push(`Loops of dlm's kernels that wait for single loads: ${defects.length}.`);
  return { text: texts.join("\n\n"), brief: brief.join("\n\n"), defects, data };
}
